import { run, type Binding } from 'zstd-codec/lib/module.js';
import { ProtocolError } from '../errors/kafka-error.ts';
import { compressionFailed, decompressing, decompressionFailed, tooLarge, type Codec } from './codec.ts';
import { zstdFrames } from './zstd-frame.ts';

/** The package's memory is 16 MiB in all; a larger window, with what else a decoder needs, does not fit into it. */
const maxWindowBytes = 8 * 1024 * 1024;
/** From level 20 on the window is larger than that. */
const maxLevel = 19;
const defaultLevel = 3;
const compressChunkBytes = 128 * 1024;
/** Small, because nothing stops the decoder within a chunk: 16 KiB can become 512 MiB at most, which are counted and dropped. */
const decompressChunkBytes = 16 * 1024;
const advice = 'use Node 22.15 or newer, which has zstd of its own';

/** Zstandard where Node has none, in WebAssembly; its memory of 16 MiB is taken with the first use. */
export async function loadZstdWasm(): Promise<Codec> {
  const wasm = new Wasm(await loadBinding());
  return {
    name: 'zstd',
    compress: (body, level) =>
      wasm.use(
        (binding) => compress(binding, body, level ?? defaultLevel),
        (error) => compressionFailed('zstd', error),
      ),
    decompress(body, maxBytes) {
      decompressing('zstd', () => checkFrames(body));
      return wasm.use(
        (binding) => decompress(binding, body, maxBytes),
        (error) => decompressionFailed('zstd', error),
      );
    },
  };
}

/** The binding, renewed after a crash inside of it: its memory cannot be trusted then. */
class Wasm {
  #binding: Binding | undefined;

  constructor(binding: Binding) {
    this.#binding = binding;
  }

  use(step: (binding: Binding) => Buffer, wrap: (error: unknown) => ProtocolError): Buffer | Promise<Buffer> {
    if (this.#binding !== undefined) return this.#run(this.#binding, step, wrap);
    return loadBinding().then(
      (binding) => this.#run((this.#binding = binding), step, wrap),
      (error: unknown) => {
        throw wrap(error);
      },
    );
  }

  #run(binding: Binding, step: (binding: Binding) => Buffer, wrap: (error: unknown) => ProtocolError): Buffer {
    try {
      return step(binding);
    } catch (error) {
      if (!(error instanceof ProtocolError || error instanceof RefusedError)) this.#binding = undefined;
      throw wrap(error);
    }
  }
}

/** The package answered false: it refuses the data, and is well otherwise. */
class RefusedError extends Error {}

function loadBinding(): Promise<Binding> {
  return new Promise((resolve) => {
    // Wrapped, because the binding has a `then` of its own in some builds, and a promise would call it.
    run((binding) => {
      resolve({
        ZstdCompressStreamBinding: binding.ZstdCompressStreamBinding,
        ZstdDecompressStreamBinding: binding.ZstdDecompressStreamBinding,
      });
    });
  });
}

function compress(binding: Binding, body: Buffer, level: number): Buffer {
  if (level > maxLevel) {
    throw new ProtocolError(
      `Cannot compress records with zstd: level ${level} needs more memory than there is; ${advice}`,
      {
        code: 'COMPRESSION_FAILED',
      },
    );
  }
  const pieces: Buffer[] = [];
  const keep = (piece: Uint8Array): void => void pieces.push(Buffer.from(piece)); // a copy: the view is reused
  const stream = new binding.ZstdCompressStreamBinding();
  try {
    if (!stream.begin(level)) throw new RefusedError(`it could not begin at level ${level}`);
    for (let at = 0; at < body.length; at += compressChunkBytes) {
      const chunk = body.subarray(at, at + compressChunkBytes);
      if (!stream.transform(chunk, keep)) throw new RefusedError('it failed half-way');
    }
    if (!stream.end(keep)) throw new RefusedError('it could not end the frame');
  } finally {
    stream.delete();
  }
  return Buffer.concat(pieces);
}

function decompress(binding: Binding, body: Buffer, maxBytes: number): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  const keep = (piece: Uint8Array): void => {
    total += piece.length;
    if (total <= maxBytes) pieces.push(Buffer.from(piece));
  };
  const stream = new binding.ZstdDecompressStreamBinding();
  try {
    if (!stream.begin()) throw new RefusedError('it could not begin');
    for (let at = 0; at < body.length; at += decompressChunkBytes) {
      const chunk = body.subarray(at, at + decompressChunkBytes);
      if (!stream.transform(chunk, keep)) throw new RefusedError('the data is malformed');
      if (total > maxBytes) throw tooLarge('zstd', maxBytes);
    }
    if (!stream.end(keep)) throw new RefusedError('the data is malformed at its end');
    if (total > maxBytes) throw tooLarge('zstd', maxBytes);
  } finally {
    stream.delete();
  }
  return Buffer.concat(pieces);
}

function checkFrames(body: Buffer): void {
  for (const { windowBytes } of zstdFrames(body)) {
    if (windowBytes <= maxWindowBytes) continue;
    throw new ProtocolError(
      `Cannot decompress records with zstd: a window of ${windowBytes} bytes does not fit into the memory there is; ${advice}`,
      { code: 'COMPRESSION_FAILED' },
    );
  }
}
