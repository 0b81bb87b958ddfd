import { NetworkError } from '../errors/kafka-error.ts';

const TLS_RECORD_TYPES: ReadonlySet<number> = new Set([0x14, 0x15, 0x16, 0x17]);
const TLS_MAJOR_VERSION = 3;

/**
 * What the other side speaks if the first four bytes that it sent, read as a size, are the start of something else.
 *
 * 0x15030300 is a TLS alert, 0x48545450 is "HTTP": as sizes they would be 352 MB and 1.2 GB.
 */
export function guessFromFirstBytes(size: number): NetworkError | undefined {
  const bytes = [size >>> 24, (size >>> 16) & 0xff, (size >>> 8) & 0xff, size & 0xff];
  const [first = 0, second = 0] = bytes;
  if (TLS_RECORD_TYPES.has(first) && second === TLS_MAJOR_VERSION) {
    return notKafka('the port speaks TLS and this client does not; set the option tls, or use the plaintext port');
  }
  if (!bytes.every((byte) => byte >= 0x20 && byte < 0x7f)) return undefined;
  const text = String.fromCharCode(...bytes);
  const what = text === 'HTTP' ? 'HTTP' : `text that begins with ${JSON.stringify(text)}`;
  return notKafka(`the port answers with ${what}, not with the Kafka protocol; check host and port`);
}

function notKafka(why: string): NetworkError {
  return new NetworkError(`Cannot read a response: ${why}`, { code: 'NOT_KAFKA' });
}
