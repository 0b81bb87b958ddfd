import { UsageError } from '../../errors/kafka-error.ts';
import { quote } from '../../util/option-rules.ts';
import type { ArrivedRequest, RequestGate } from '../server/dispatcher.ts';

/** Clients that are told to wait (KIP-219): the answer comes at once, and for the time it names the connection is not read from. */
export class Throttles implements RequestGate {
  readonly #byClient = new Map<string, number>();

  /** @throws UsageError for a time that is none */
  set(clientId: string, throttleTimeMs: number): void {
    if (!Number.isInteger(throttleTimeMs) || throttleTimeMs < 0)
      throw new UsageError(`Cannot throttle by ${quote(throttleTimeMs)} ms: it must be an integer from 0 on`, {
        code: 'INVALID_ARGUMENT',
      });
    if (throttleTimeMs === 0) this.#byClient.delete(clientId);
    else this.#byClient.set(clientId, throttleTimeMs);
  }

  clear(): void {
    this.#byClient.clear();
  }

  answered({ context }: ArrivedRequest, answer: object): object | undefined {
    const throttleTimeMs = this.#byClient.get(context.clientId ?? '');
    return throttleTimeMs === undefined ? undefined : { ...answer, throttleTimeMs };
  }
}
