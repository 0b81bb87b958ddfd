/** A line of the input, without its end. */
export interface InputLine {
  /** Counted from 1. */
  readonly number: number;
  /** Undefined if there are more of them than {@link maxLineBytes}. */
  readonly bytes: Uint8Array | undefined;
}

/** Longer than any record that a broker takes by default; input without line ends must not fill the memory. */
export const maxLineBytes: number = 16 * 1024 * 1024;

/** How many lines are given at once at most. */
const groupSize = 1000;
const lineFeed = 0x0a;

/**
 * Lines that end with a line feed, or with the input, in groups as they come. A line that was not read to its end when `signal` aborted is
 * left out.
 */
export async function* inputLines(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<InputLine[], void, undefined> {
  const begun = new BegunLine();
  let number = 0;
  for await (const chunk of chunks) {
    let group: InputLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, start)) {
      group.push({ number: ++number, bytes: begun.end(chunk.subarray(start, end)) });
      start = end + 1;
      if (group.length < groupSize) continue;
      yield group;
      group = [];
    }
    begun.add(chunk.subarray(start));
    if (group.length > 0) yield group;
  }
  if (begun.length > 0 && !signal.aborted) yield [{ number: ++number, bytes: begun.end(new Uint8Array()) }];
}

/** The beginning of a line whose end has not come yet. */
class BegunLine {
  #pieces: Uint8Array[] = [];
  length = 0;

  add(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.length += piece.length;
    if (this.length > maxLineBytes) this.#pieces = [];
    else this.#pieces.push(piece);
  }

  /** All of it; undefined if it is too long. */
  end(last: Uint8Array): Uint8Array | undefined {
    if (this.length === 0 && last.length <= maxLineBytes) return last;
    this.add(last);
    const line = this.length > maxLineBytes ? undefined : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.length = 0;
    return line;
  }
}
