// Packages that bring no types; only what is used here, and none of it appears in a public signature.
declare module 'snappyjs' {
  const snappyjs: {
    compress(bytes: Uint8Array): Uint8Array;
    uncompress(bytes: Uint8Array, maxLength?: number): Uint8Array;
  };
  export = snappyjs;
}

declare module 'zstd-codec/lib/zstd-codec-binding-wasm.js' {
  namespace start {
    type Output = (bytes: Uint8Array) => void;
    interface StreamBinding {
      transform(chunk: Uint8Array, output: Output): boolean;
      end(output: Output): boolean;
      delete(): void;
    }
    /** Given to the module with what it may call; it adds the rest before onRuntimeInitialized. */
    interface Module {
      onRuntimeInitialized(): void;
      onAbort(reason: unknown): void;
      printErr(message: string): void;
      ZstdCompressStreamBinding?: new () => StreamBinding & { begin(level: number): boolean };
      ZstdDecompressStreamBinding?: new () => StreamBinding & { begin(): boolean };
    }
  }
  function start(module: start.Module): void;
  export = start;
}
