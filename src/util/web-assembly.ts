// TypeScript knows it as part of browsers only.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** What an instance exports as its memory. */
export interface WasmMemory {
  /** Another one after each {@link grow}. */
  readonly buffer: ArrayBuffer;
  grow(pages: number): void;
}

export const WASM_PAGE_BYTES: number = 64 * 1024;

/**
 * The exports of a module that imports nothing, as `tools/assembly` makes them; undefined where WebAssembly or its vectors cannot be had
 * (`--jitless`, an old processor).
 */
export function instantiateWasm<Exports>(base64: string): Exports | undefined {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(base64, 'base64'))).exports as Exports;
  } catch {
    return undefined;
  }
}
