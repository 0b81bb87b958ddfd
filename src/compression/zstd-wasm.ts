import startModule from 'zstd-codec/lib/zstd-codec-binding-wasm.js';
import { ProtocolError } from '../errors/kafka-error.ts';
import { compressionFailed, decompressing, decompressionFailed, tooLarge, type Codec } from './codec.ts';
import { zstdFrames, type ZstdFrame } from './zstd-frame.ts';

/** The package's memory is 16 MiB in all; a larger window, with what else a decoder needs, does not fit into it. */
const maxWindowBytes = 8 * 1024 * 1024;
/** From level 10 on, the tables of the encoder do not fit. */
const maxLevel = 9;
const defaultLevel = 3;
const compressChunkBytes = 128 * 1024;
const advice = 'Node 22.15 or newer, which has zstd of its own';

/** Zstandard where Node has none, in WebAssembly; its memory of 16 MiB is taken with the first use. */
export async function loadZstdWasm(): Promise<Codec> {
  const wasm = new Wasm(await loadBinding());
  return {
    name: 'zstd',
    poolFromBytes: Infinity,
    compress: (body, level) =>
      wasm.use(
        (binding) => compress(binding, body, level ?? defaultLevel),
        (error) => compressionFailed('zstd', error),
      ),
    decompress(body, maxBytes) {
      const frames = decompressing('zstd', () => readableFrames(body));
      return wasm.use(
        (binding) => decompress(binding, body, frames, maxBytes),
        (error) => decompressionFailed('zstd', error),
      );
    },
  };
}

interface Binding {
  readonly Compressor: NonNullable<startModule.Module['ZstdCompressStreamBinding']>;
  readonly Decompressor: NonNullable<startModule.Module['ZstdDecompressStreamBinding']>;
}

type Wrap = (error: unknown) => ProtocolError;

/** The binding, renewed after a crash inside of it (it ran out of memory, mostly), for its memory cannot be trusted then. */
class Wasm {
  #binding: Binding | undefined;

  constructor(binding: Binding) {
    this.#binding = binding;
  }

  /** Runs a step; if the binding crashes, once more with a new one, as its small memory may only have been in pieces. */
  use(step: (binding: Binding) => Buffer, wrap: Wrap): Buffer | Promise<Buffer> {
    if (this.#binding === undefined) return this.#useNew(step, wrap);
    try {
      return step(this.#binding);
    } catch (error) {
      if (isAnswer(error)) throw wrap(error);
      this.#binding = undefined;
      return this.#useNew(step, wrap);
    }
  }

  async #useNew(step: (binding: Binding) => Buffer, wrap: Wrap): Promise<Buffer> {
    try {
      this.#binding = await loadBinding();
      return step(this.#binding);
    } catch (error) {
      if (!isAnswer(error)) this.#binding = undefined;
      throw wrap(error);
    }
  }
}

/** The package answered false: it refuses the data, and is well otherwise. */
class RefusedError extends Error {}

function isAnswer(error: unknown): boolean {
  return error instanceof ProtocolError || error instanceof RefusedError;
}

function loadBinding(): Promise<Binding> {
  return new Promise((resolve, reject) => {
    const module: startModule.Module = {
      onRuntimeInitialized() {
        const { ZstdCompressStreamBinding: Compressor, ZstdDecompressStreamBinding: Decompressor } = module;
        if (Compressor === undefined || Decompressor === undefined) reject(new Error('zstd-codec lacks its streams'));
        else resolve({ Compressor, Decompressor });
      },
      onAbort: (reason) => reject(new Error(`zstd-codec could not start: ${String(reason)}`)),
      // What it would print on the console of the application is in the error as well.
      printErr: () => undefined,
    };
    startModule(module);
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
  const stream = new binding.Compressor();
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

function decompress(binding: Binding, body: Buffer, frames: readonly ZstdFrame[], maxBytes: number): Buffer {
  const pieces: Buffer[] = [];
  let total = 0;
  const keep = (piece: Uint8Array): void => {
    total += piece.length;
    if (total <= maxBytes) pieces.push(Buffer.from(piece));
  };
  const stream = new binding.Decompressor();
  try {
    if (!stream.begin()) throw new RefusedError('it could not begin');
    for (const frame of frames) {
      let at = frame.start;
      // Nothing stops the decoder within a piece, so that pieces are what cannot become much.
      for (const cut of frame.cuts) {
        if (!stream.transform(body.subarray(at, cut), keep)) throw new RefusedError('the data is malformed');
        if (total > maxBytes) throw tooLarge('zstd', maxBytes);
        at = cut;
      }
    }
    if (!stream.end(keep)) throw new RefusedError('the data is malformed at its end');
    if (total > maxBytes) throw tooLarge('zstd', maxBytes);
  } finally {
    stream.delete();
  }
  return Buffer.concat(pieces);
}

function readableFrames(body: Buffer): ZstdFrame[] {
  const frames = zstdFrames(body);
  for (const { windowBytes } of frames) {
    if (windowBytes <= maxWindowBytes) continue;
    throw new ProtocolError(
      `Cannot decompress records with zstd: a window of ${windowBytes} bytes does not fit into the memory there is; use ${advice}`,
      { code: 'COMPRESSION_FAILED' },
    );
  }
  return frames;
}
