import type { SendError, SendManyError } from '../errors/send-error.ts';
import type { EventPublisher } from '../instrumentation/event-publisher.ts';
import type { ProducerRecord } from '../model/producer-record.ts';
import { quote } from '../util/option-rules.ts';
import type { RecordMetadata } from './record-metadata.ts';
import type { OnDelivery } from './send-table.ts';
import { swallow } from './serialize.ts';

/**
 * Sees every record of a producer on its way out, and learns how it ended. Java: `ProducerInterceptor` (KIP-42).
 *
 * What a method throws disturbs no send: it is published as the event `listener.failed`, and the others are called all the same.
 * They are called in the middle of the producer's work: be quick in them.
 */
export interface ProducerInterceptor<K = string | Uint8Array | null, V = string | Uint8Array | null> {
  /**
   * Called in `send`, before anything is serialized.
   *
   * @returns the record to send: the given one, or another. It must answer at once; what else it answers is not used
   */
  onSend?(record: ProducerRecord<K, V>): ProducerRecord<K, V>;
  /**
   * Called when a record was acknowledged or has failed, before the caller of `send` learns of it; for a `send` of many when all of
   * them are settled.
   *
   * @param error undefined if the record was acknowledged
   * @param metadata undefined if it was not
   * @param record as the interceptors made it
   */
  onAcknowledgement?(
    error: SendError | undefined,
    metadata: RecordMetadata | undefined,
    record: ProducerRecord<K, V>,
  ): void;
  /** Called once at the end of `producer.close()`. */
  close?(): void;
}

type AnyRecord = ProducerRecord<unknown, unknown>;

/** The interceptors of a producer, in order. */
export class Interceptors {
  readonly #interceptors: readonly ProducerInterceptor<unknown, unknown>[];
  readonly #events: EventPublisher;

  constructor(interceptors: readonly ProducerInterceptor<unknown, unknown>[], events: EventPublisher) {
    this.#interceptors = interceptors;
    this.#events = events;
  }

  get isEmpty(): boolean {
    return this.#interceptors.length === 0;
  }

  /** What the interceptors make of a record, each of what the one before it made. */
  onSend(record: AnyRecord): AnyRecord {
    let current = record;
    for (const [index, interceptor] of this.#interceptors.entries()) {
      this.#guard(index, 'onSend', () => {
        if (interceptor.onSend !== undefined) current = checkRecord(interceptor.onSend(current));
      });
    }
    return current;
  }

  onAcknowledgement(error: SendError | undefined, metadata: RecordMetadata | undefined, record: AnyRecord): void {
    for (const [index, interceptor] of this.#interceptors.entries()) {
      this.#guard(index, 'onAcknowledgement', () => interceptor.onAcknowledgement?.(error, metadata, record));
    }
  }

  /** Tells the interceptors how a send ended, before those who begin to wait for it later. */
  follow(promise: Promise<RecordMetadata>, record: AnyRecord, onError?: (error: SendError) => void): void {
    promise.then(
      (metadata) => this.onAcknowledgement(undefined, metadata, record),
      (error: unknown) => {
        this.onAcknowledgement(error as SendError, undefined, record);
        onError?.(error as SendError);
      },
    );
  }

  followMany(promise: Promise<RecordMetadata[]>, records: readonly AnyRecord[]): void {
    promise.then(
      (metadata) => {
        for (const [index, record] of records.entries()) this.onAcknowledgement(undefined, metadata[index], record);
      },
      ({ results }: SendManyError<RecordMetadata>) => {
        for (const [index, result] of results.entries()) {
          const record = records[index] as AnyRecord;
          if (result.status === 'fulfilled') this.onAcknowledgement(undefined, result.value, record);
          else this.onAcknowledgement(result.reason, undefined, record);
        }
      },
    );
  }

  /** A callback that tells the interceptors first. */
  before(onDelivery: OnDelivery, record: AnyRecord): OnDelivery {
    return (error, metadata) => {
      this.onAcknowledgement(error, metadata, record);
      onDelivery(error, metadata);
    };
  }

  close(): void {
    for (const [index, interceptor] of this.#interceptors.entries()) {
      this.#guard(index, 'close', () => interceptor.close?.());
    }
  }

  #guard(index: number, method: string, call: () => unknown): void {
    const report = (error: unknown): void => {
      this.#events.publish('listener.failed', { event: `interceptors[${index}].${method}`, error });
    };
    try {
      // A method that is async although it should not be must not end the process when it fails.
      const answer = call();
      if (answer instanceof Promise) answer.catch(report);
    } catch (error) {
      report(error);
    }
  }
}

function checkRecord(answer: unknown): AnyRecord {
  const isPromise = answer instanceof Promise;
  if (typeof answer === 'object' && answer !== null && !isPromise) return answer as AnyRecord;
  swallow(answer);
  throw new TypeError(`onSend answered with ${isPromise ? 'a promise' : quote(answer)}, where a record was expected`);
}
