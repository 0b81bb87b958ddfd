/** Cuts what a client sends into requests: a size in four bytes, then that many bytes. */
export class RequestCutter {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #wanted = 4;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The requests that are whole now, without their sizes.
   *
   * @throws RangeError for a size that no broker accepts
   */
  take(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const requests: Buffer[] = [];
    // Put together only when a whole request is there: a large one comes in a thousand chunks.
    while (this.#length >= this.#wanted) {
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks);
      const size = bytes.readInt32BE(0);
      if (size < 0 || size > this.#maxBytes) throw new RangeError(`a request of ${size} bytes`);
      const end = 4 + size;
      const whole = bytes.length >= end;
      if (whole) requests.push(bytes.subarray(4, end));
      const rest = whole ? bytes.subarray(end) : bytes;
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      this.#wanted = whole ? 4 : end;
    }
    return requests;
  }
}
