import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventPublisher } from '../../instrumentation/event-publisher.ts';
import { HandlerSignal } from '../handler-signal.ts';
import type { Handlers } from '../reading.ts';
import { acknowledgeTypes } from './acquired-records-machine.ts';
import type { AcquiredRecords } from './acquired-records.ts';
import type { AcknowledgeType } from './share-options.ts';
import type { ShareReading } from './share-reading.ts';
import { acquiredIndexOf, type ShareRecord } from './share-record.ts';
import type { ResolvedShareRunOptions, ShareHandlerContext, ShareHandlerErrorDecision } from './share-run-options.ts';

/** What a run needs of its consumer. */
export interface ShareRunLoopParts {
  readonly reading: ShareReading;
  readonly events: EventPublisher;
  readonly groupId: string;
  /** Whether a handler that resolves accepts its record. */
  readonly isImplicit: boolean;
  readonly acknowledge: (record: ShareRecord<unknown, unknown>, type?: AcknowledgeType) => void;
  readonly options: ResolvedShareRunOptions;
}

/** Knows in which handler the code runs that is running, also behind an `await`. */
const handlerScope = new AsyncLocalStorage<RunningShareHandler>();

/** One handler at work, and the record that is locked for it. */
class RunningShareHandler extends HandlerSignal implements ShareHandlerContext {
  readonly acquired: AcquiredRecords;
  readonly record: ShareRecord<unknown, unknown>;
  readonly index: number;
  readonly acknowledge: (type?: AcknowledgeType) => void;
  /** Whether the record was acknowledged by the handler itself. */
  isAcknowledged = false;

  constructor(
    acquired: AcquiredRecords,
    record: ShareRecord<unknown, unknown>,
    parts: ShareRunLoopParts,
    stop: () => void,
  ) {
    super(stop);
    this.acquired = acquired;
    this.record = record;
    this.index = acquiredIndexOf(record);
    this.acknowledge = (type = 'accept') => {
      parts.acknowledge(record, type);
      if (type !== 'renew') this.isAcknowledged = true;
    };
  }
}

/** Reads with several handlers at a time, each at work on a record of its own, whatever partitions they are of. */
export class ShareRunLoop implements Handlers<AcquiredRecords> {
  readonly #parts: ShareRunLoopParts;
  readonly #running = new Set<RunningShareHandler>();
  #watchers: (() => void)[] = [];
  #failure: { readonly error: unknown } | undefined;
  #isStopped = false;
  readonly #stop = (): void => {
    this.#isStopped = true;
    this.#parts.reading.interrupt();
  };

  constructor(parts: ShareRunLoopParts) {
    this.#parts = parts;
  }

  /** How many handlers could begin now. */
  get room(): number {
    return this.#parts.options.concurrency - this.#running.size;
  }

  /** Of records under way the handlers say themselves what becomes of them. */
  get states(): readonly AcquiredRecords[] {
    return [];
  }

  /**
   * Resolves when the run has ended and no handler is at work.
   *
   * @throws what a handler has thrown, if `onError` answers `stop`; what every read ends with
   */
  async run(): Promise<void> {
    const { reading } = this.#parts;
    reading.beginRun(this);
    try {
      await this.#drive();
    } catch (error) {
      this.#fail(error);
    } finally {
      while (this.#running.size > 0) {
        reading.attend();
        this.#abandonLost();
        await reading.news(undefined);
      }
      reading.endRun();
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async done(): Promise<void> {
    // No partition is ever revoked from under a handler: what it has is locked for this member.
  }

  async finished(): Promise<void> {
    const asking = handlerScope.getStore();
    // Walkthrough: 1. a handler awaits close(); 2. close() waits for all handlers. Without this they would wait for each other.
    if (asking !== undefined && this.#running.has(asking)) {
      asking.isLeft = true;
      this.#tellWatchers();
    }
    while ([...this.#running].some(({ isLeft }) => !isLeft))
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  abandon(): void {
    for (const handler of this.#running) handler.abort('The consumer is closed');
  }

  async #drive(): Promise<void> {
    const { reading, options } = this.#parts;
    while (reading.look() && !this.#isEnding()) {
      this.#abandonLost();
      this.#fill();
      await reading.news(options.signal);
    }
  }

  #isEnding(): boolean {
    return this.#failure !== undefined || this.#isStopped || this.#parts.options.signal?.aborted === true;
  }

  #abandonLost(): void {
    for (const handler of this.#running) {
      const { acquired, index, isAcknowledged } = handler;
      if (!isAcknowledged && !acquired.machine.isHeld(index))
        handler.abort('The lock of the record has ended: it is delivered again');
    }
  }

  #fill(): void {
    while (this.room > 0) {
      const handler = this.#next();
      if (handler === undefined) return;
      this.#running.add(handler);
      void handlerScope.run(handler, () => this.#serve(handler));
    }
  }

  #next(): RunningShareHandler | undefined {
    const { reading } = this.#parts;
    if (this.#isEnding()) return undefined;
    const acquired = reading.nextReady(nothingTaken);
    if (acquired === undefined) return undefined;
    const record = reading.giveOutNext(acquired);
    return new RunningShareHandler(acquired, record as ShareRecord<unknown, unknown>, this.#parts, this.#stop);
  }

  async #serve(handler: RunningShareHandler): Promise<void> {
    const { acquired, index, record } = handler;
    try {
      await this.#parts.options.eachRecord(record, handler);
      if (this.#parts.isImplicit) acquired.acknowledge(index, acknowledgeTypes.accept);
    } catch (error) {
      await this.#handleError(handler, error);
    }
    this.#running.delete(handler);
    this.#tellWatchers();
    this.#parts.reading.notify();
  }

  async #handleError(handler: RunningShareHandler, error: unknown): Promise<void> {
    const { acquired, index, record } = handler;
    const { events, groupId, options } = this.#parts;
    // That a handler throws what its signal gave it is what the signal is for.
    if (handler.isUnwanted && error === handler.signal.reason) {
      acquired.acknowledge(index, acknowledgeTypes.release);
      return;
    }
    let decision: ShareHandlerErrorDecision = 'stop';
    let failure = error;
    try {
      decision = handler.isUnwanted ? 'release' : decisionOf(await options.onError(error, record));
    } catch (thrown) {
      failure = thrown;
    }
    const { topic, partition, offset, deliveryCount } = record;
    events.publish('share.handler.failed', { groupId, topic, partition, offset, deliveryCount, decision, error });
    acquired.acknowledge(index, acknowledgeTypes[decision === 'stop' ? 'release' : decision]);
    if (decision === 'stop') this.#fail(failure);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#parts.reading.interrupt();
  }

  #tellWatchers(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const tell of watchers) tell();
  }
}

function nothingTaken(): boolean {
  return false;
}

/** What callers without types may answer otherwise releases the record: it is not lost, and not taken for done. */
function decisionOf(answer: unknown): ShareHandlerErrorDecision {
  return answer === 'reject' || answer === 'accept' || answer === 'stop' ? answer : 'release';
}
