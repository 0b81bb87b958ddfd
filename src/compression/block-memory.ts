import { WASM_PAGE_BYTES, type WasmMemory } from '../util/web-assembly.ts';

/** What the modules that make and read blocks have in common. */
export interface BlockExports {
  readonly memory: WasmMemory;
  /** What the encoder's table takes, at the start of the memory. */
  readonly TABLE_BYTES: { readonly value: number };
  /** How far vectors may reach behind input and output. */
  readonly SLACK: { readonly value: number };
}

/** The memory of such a module: the encoder's table, behind it the input of one block, behind that the output. */
export class BlockMemory {
  /** All of it; another one when {@link place} has made it larger. */
  bytes: Buffer;
  readonly inputAt: number;
  readonly #memory: WasmMemory;
  readonly #slack: number;

  constructor(exports: BlockExports) {
    this.inputAt = exports.TABLE_BYTES.value;
    this.bytes = Buffer.from(exports.memory.buffer);
    this.#memory = exports.memory;
    this.#slack = exports.SLACK.value;
  }

  /** Puts a block's input into the memory and answers where its output goes, for which there is room then. */
  place(input: Buffer, outputBytes: number): number {
    const outputAt = this.inputAt + input.length + this.#slack;
    const missing = outputAt + outputBytes + this.#slack - this.bytes.length;
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / WASM_PAGE_BYTES));
      this.bytes = Buffer.from(this.#memory.buffer);
    }
    this.bytes.set(input, this.inputAt);
    return outputAt;
  }
}
