/** Enough that no two of a batch are equal, and that a codec does not find one again. */
const most = 20_000;
const mostBytes = 16_000_000;

const words = 'shop order bird cage nest paid open seen list page user cart sent late price total north river'.split(
  ' ',
);

/** Values of this many bytes: JSON of words and numbers, which codecs make about three times smaller, and of which no two are equal where there is room for it. */
export function sampleValues(bytes: number): Buffer[] {
  const count = Math.max(1, Math.min(most, Math.floor(mostBytes / bytes)));
  return Array.from({ length: count }, (_, number) => Buffer.from(sampleText(number, bytes), 'latin1'));
}

function sampleText(number: number, bytes: number): string {
  const head = `{"id":${number},"text":"`;
  const tail = '"}';
  const room = bytes - head.length - tail.length;
  if (room < 0) return String(number).padStart(bytes, '0').slice(-bytes);
  let state = number + 1;
  let text = '';
  while (text.length < room) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // The upper bits: the lower ones of such a row repeat themselves.
    const chance = state >>> 12;
    text += chance % 3 === 0 ? `${state.toString(36)} ` : `${words[chance % words.length] ?? ''} `;
  }
  return `${head}${text.slice(0, room)}${tail}`;
}
