import { brokerErrorByNumber } from '../../../src/errors/broker-error-codes.ts';
import type { RawKafka } from './raw-kafka.ts';

/**
 * Requests that are sent in the same way to real Kafka and to the cluster inside the process; what comes back must be the same.
 *
 * The result is what was answered, without what differs from run to run: names and ids are replaced ({@link normalise}).
 */
export interface Scenario {
  /** What is asked and expected, as a sentence. */
  readonly name: string;
  /** @defaultValue 1 */
  readonly brokers?: 1 | 3;
  /** Asks a cluster with rules of access, whose super user is whoever does not log in. @defaultValue false */
  readonly authorizer?: boolean;
  run(kafka: RawKafka): Promise<unknown>;
}

/** An error's name instead of its number, for recordings that a person can read. */
export function errorName(code: number): string {
  return brokerErrorByNumber(code)?.name ?? String(code);
}

/**
 * Makes an answer fit for a recording: error codes by name, bigints as text, bytes as base64, and each value in `names`
 * replaced by the word that it stands for. Error messages are kept only as "there is one": the texts are Kafka's.
 */
export function normalise(answer: unknown, names: Readonly<Record<string, string | bigint | number>> = {}): unknown {
  const words = new Map(Object.entries(names).map(([word, value]) => [String(value), `<${word}>`]));
  const walk = (value: unknown, key: string): unknown => {
    if (key === 'errorMessage' || key === 'statusMessage') return value === null || value === '' ? value : '<message>';
    if (key === 'throttleTimeMs') return undefined;
    if (key.endsWith('rrorCode') && typeof value === 'number') return errorName(value);
    if (typeof value === 'bigint') return words.get(String(value)) ?? `${value}`;
    if (Buffer.isBuffer(value)) return value.toString('base64');
    if (Array.isArray(value)) return value.map((each) => walk(each, ''));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value)
          .map(([name, each]) => [name, walk(each, name)] as const)
          .filter(([, each]) => each !== undefined),
      );
    }
    if (typeof value === 'string') return words.get(value) ?? value;
    return value;
  };
  return walk(answer, '');
}
