// Control characters move the cursor and change what a terminal does; marks of direction turn text around.
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text that came from somewhere, without what would make a terminal do anything but show it: such characters are written as escapes.
 *
 * @param except characters that may stay
 */
export function visible(text: string, except = ''): string {
  return text.replace(unsafe, (character) => (except.includes(character) ? character : escapeOf(character)));
}

/** JSON text that means the same, and that a terminal can do nothing with but show it. */
export function visibleJson(text: string): string {
  // JSON.stringify has escaped the others, and outside of texts there is nothing but ASCII.
  return text.replace(unsafe, unicodeEscape);
}

function escapeOf(character: string): string {
  return shortEscapes[character] ?? unicodeEscape(character);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** As much of a text as fits into so many columns; what is cut ends with an ellipsis. */
export function cutToWidth(text: string, columns: number): { readonly text: string; readonly columns: number } {
  let used = 0;
  // Where the ellipsis goes if the text turns out to be too long.
  let [fits, fitsColumns] = [0, 0];
  let at = 0;
  for (const character of text) {
    const width = columnsOf(character);
    if (used + width > columns) {
      return columns < 1 ? { text: '', columns: 0 } : { text: `${text.slice(0, fits)}…`, columns: fitsColumns + 1 };
    }
    used += width;
    at += character.length;
    if (used < columns) [fits, fitsColumns] = [at, used];
  }
  return { text, columns: used };
}

const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u;
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** What terminals make of a character; where they differ, rather too much. */
function columnsOf(character: string): number {
  if (character <= '\u007e') return 1;
  if (wide.test(character)) return 2;
  return zeroWidth.test(character) ? 0 : 1;
}
