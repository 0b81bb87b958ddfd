import type { Readable } from 'node:stream';
import { CliError } from './cli-error.ts';

/**
 * What a stream gives, in pieces as they come; ends when `signal` aborts, also while it waits.
 *
 * @param name what is read, for messages
 * @throws CliError it cannot be read
 */
export async function* inputChunks(
  stream: Readable,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stop = (): void => void stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (signal.aborted) return;
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CliError(`Cannot read ${name}: ${why}`, { exitCode: 1 });
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
  }
}
