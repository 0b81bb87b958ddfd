/** What an instance exports. */
export type Exports = Record<string, unknown> & { readonly memory: { readonly buffer: ArrayBuffer } };

/** As much of WebAssembly as is looked at. */
export interface WebAssemblyLike {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Exports };
}
const webAssembly = (globalThis as unknown as { WebAssembly: WebAssemblyLike }).WebAssembly;

/** Runs `action` with another WebAssembly, or with none. */
export function withWebAssembly<T>(other: WebAssemblyLike | undefined, action: () => T): T {
  Object.assign(globalThis, { WebAssembly: other });
  try {
    return action();
  } finally {
    Object.assign(globalThis, { WebAssembly: webAssembly });
  }
}

/** A WebAssembly that hands out what the exports of each instance become. */
export function watched(change: (exports: Exports) => Exports): WebAssemblyLike {
  class Instance {
    readonly exports: Exports;
    constructor(module: object) {
      this.exports = change(new webAssembly.Instance(module).exports);
    }
  }
  return { Module: webAssembly.Module, Instance };
}

/** A WebAssembly that counts the calls of these exports, by their names. */
export function counting(calls: Record<string, number>): WebAssemblyLike {
  return watched((exports) => {
    const counted = { ...exports };
    for (const name of Object.keys(calls)) {
      counted[name] = (...args: number[]) => {
        calls[name] = (calls[name] ?? 0) + 1;
        return (exports[name] as (...all: number[]) => number)(...args);
      };
    }
    return counted;
  });
}
