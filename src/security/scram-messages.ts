import { AuthenticationError } from '../errors/kafka-error.ts';

/** RFC 5802 asks for at least this many; fewer make guessing the password from the exchange cheap. */
const MIN_ITERATIONS = 4096;
/**
 * A hostile broker could ask for billions and keep a thread busy for hours; a million takes about half a second. Kafka's
 * own tools allow up to 16,384.
 */
const MAX_ITERATIONS = 1_000_000;

/** The broker's first answer: what the proof of the password is made from. */
export interface ServerFirst {
  readonly nonce: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

/** An error about the exchange itself; it repeats nothing of what was exchanged. */
export function scramError(why: string): AuthenticationError {
  return new AuthenticationError(`Cannot authenticate with SCRAM: ${why}`, { code: 'SASL_AUTHENTICATION_FAILED' });
}

/** A name as SCRAM writes it: `,` and `=` would end the attribute. */
export function escapeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

/**
 * Reads `r=<nonce>,s=<salt>,i=<iterations>`.
 *
 * @throws AuthenticationError if a field is missing, out of bounds, or the nonce does not extend ours
 */
export function parseServerFirst(message: string, clientNonce: string): ServerFirst {
  const [nonceField, saltField, iterationsField] = message.split(',');
  if (message.startsWith('e=')) throw scramError(`the broker answered ${printable(message)}`);
  if (message.startsWith('v=')) throw scramError('the broker ended the exchange before it began');
  // RFC 5802: an extension that the client must understand, and we know none.
  if (message.startsWith('m=')) throw scramError('the broker asked for an extension that does not exist here');
  const nonce = attribute(nonceField, 'r');
  const saltText = attribute(saltField, 's');
  const iterationsText = attribute(iterationsField, 'i');
  if (nonce === undefined || saltText === undefined || iterationsText === undefined) {
    throw scramError("the broker's first answer lacks nonce, salt or iteration count");
  }
  if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) {
    throw scramError("the broker's nonce does not extend ours; its answer may be a replay");
  }
  const salt = base64(saltText);
  if (salt === undefined || salt.length === 0) throw scramError("the broker's salt is empty or not base64");
  return { nonce, salt, iterations: parseIterations(iterationsText) };
}

/**
 * Reads `v=<signature>`.
 *
 * @throws AuthenticationError if the broker refused or the field is not there
 */
export function parseServerFinal(message: string): Buffer {
  if (message.startsWith('e=')) throw scramError(`the broker answered ${printable(message)}`);
  const signature = base64(attribute(message.split(',')[0], 'v') ?? '');
  if (signature === undefined || signature.length === 0)
    throw scramError("the broker's last answer lacks its signature");
  return signature;
}

function parseIterations(text: string): number {
  const iterations = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    throw scramError(`the broker's iteration count is not from ${MIN_ITERATIONS} to ${MAX_ITERATIONS}`);
  }
  return iterations;
}

function attribute(field: string | undefined, name: string): string | undefined {
  return field?.startsWith(`${name}=`) ? field.slice(2) : undefined;
}

function base64(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined;
}

/** `e=` and a short word of the RFC; anything else that a broker puts there is not repeated. */
function printable(message: string): string {
  const word = /^e=([a-z-]{1,40})(?:,|$)/.exec(message)?.[1];
  return word === undefined ? 'an error' : `the error ${word}`;
}
