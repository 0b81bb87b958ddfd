// Packages that bring no types; only what is used here, and none of it appears in a public signature.
declare module 'snappyjs' {
  const snappyjs: {
    compress(bytes: Uint8Array): Uint8Array;
    uncompress(bytes: Uint8Array, maxLength?: number): Uint8Array;
  };
  export = snappyjs;
}

declare module 'zstd-codec/lib/module.js' {
  export type Output = (bytes: Uint8Array) => void;
  export interface StreamBinding {
    transform(chunk: Uint8Array, output: Output): boolean;
    end(output: Output): boolean;
    delete(): void;
  }
  export interface Binding {
    readonly ZstdCompressStreamBinding: new () => StreamBinding & { begin(level: number): boolean };
    readonly ZstdDecompressStreamBinding: new () => StreamBinding & { begin(): boolean };
  }
  export function run(whenReady: (binding: Binding) => void): void;
}
