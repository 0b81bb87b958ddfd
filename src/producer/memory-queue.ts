import type { SendError } from '../errors/send-error.ts';
import type { BufferMemory } from './buffer-memory.ts';
import { Fifo } from './fifo.ts';
import type { HeldSends } from './held-sends.ts';
import type { ResolvedProducerOptions } from './options.ts';
import type { HeldRest, HeldSend } from './partition-queue.ts';
import { refusal } from './serialize.ts';
import { notSent } from './send-errors.ts';

/** How the sends that waited go on. */
export interface MemoryQueueHooks {
  /** Puts a record into its batch; false if there is no memory for it. */
  put(held: HeldSend): boolean;
  /** The same for what is left of an array; those that do not fit come back through {@link MemoryQueue.push}. */
  addRest(rest: HeldRest): void;
  /** Batches must leave now even if they are not full. */
  handleWait(): void;
}

/** Sends of all topics that wait for buffer memory: it goes to them in the order of the calls. */
export class MemoryQueue {
  readonly #options: ResolvedProducerOptions<unknown, unknown>;
  readonly #memory: BufferMemory;
  readonly #held: HeldSends;
  readonly #hooks: MemoryQueueHooks;
  readonly #waiting = new Fifo<HeldSend | HeldRest>();
  #isAdmitting = false;
  /** While sends that waited are let in: the one that has to wait on. */
  #stillWaiting: HeldSend | undefined;
  #onRoom: (() => void)[] = [];

  constructor(
    options: ResolvedProducerOptions<unknown, unknown>,
    memory: BufferMemory,
    held: HeldSends,
    hooks: MemoryQueueHooks,
  ) {
    this.#options = options;
    this.#memory = memory;
    this.#held = held;
    this.#hooks = hooks;
  }

  /** Whether a send would have to wait. */
  get isWanted(): boolean {
    return this.#waiting.length > 0 || this.#memory.isFull;
  }

  get isMemoryFull(): boolean {
    return this.#memory.isFull;
  }

  /** Whether a send must wait although there is memory: others wait for it, and it is not one of them. */
  get isAhead(): boolean {
    return this.#waiting.length > 0 && !this.#isAdmitting;
  }

  /** Whether what follows in the same array must wait. */
  get isStuck(): boolean {
    return this.#isAdmitting ? this.#stillWaiting !== undefined : this.#waiting.length > 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** How many calls wait, those included that their topics hold. */
  get waitingCount(): number {
    return this.#waiting.length + this.#held.countedCount;
  }

  /** When the first one was called. */
  get firstCalledMs(): number | undefined {
    return this.#waiting.peek()?.calledMs;
  }

  /** @throws SendError BUFFER_FULL: `maxWaitingSends` wait already */
  checkRoom(topic: string): void {
    if (this.#isLong) throw this.#tooManyWait(topic);
  }

  /** @throws SendError BUFFER_FULL */
  push(held: HeldSend): void {
    if (this.#isAdmitting) {
      this.#stillWaiting = held;
      return;
    }
    this.checkRoom(held.topic.name);
    this.append(held);
  }

  /** The same for one that has waited for something else until now, and is not refused any more. */
  append(held: HeldSend | HeldRest): void {
    this.#waiting.push(held);
    this.#hooks.handleWait();
  }

  pushRest(rest: HeldRest): void {
    if (this.#isAdmitting) this.#waiting.unshift(rest);
    else if (this.#isLong) this.#held.reject(rest, (topic) => this.#tooManyWait(topic));
    else this.#waiting.push(rest);
  }

  /** Lets sends in as far as there is memory. */
  handleMemory(): void {
    if (this.#waiting.length > 0) this.#admit();
    if (this.#onRoom.length === 0 || this.isWanted) return;
    this.callBack();
  }

  /** Calls back once when a send would not wait. */
  whenRoom(callback: () => void): void {
    this.#onRoom.push(callback);
  }

  /** Tells all who wait for room, whether there is some or not. */
  callBack(): void {
    for (const callback of this.#onRoom.splice(0)) callback();
  }

  expire(nowMs: number): void {
    const { maxBlockMs, bufferMemoryBytes } = this.#options;
    for (let head = this.#waiting.peek(); head !== undefined; head = this.#waiting.peek()) {
      if (head.calledMs + maxBlockMs > nowMs) return;
      this.#waiting.shift();
      const why = `no buffer memory came free within ${maxBlockMs} ms; all ${bufferMemoryBytes} bytes of bufferMemoryBytes are in use`;
      this.#held.reject(head, (topic) => notSent(topic, 'DELIVERY_TIMEOUT', why, undefined, true));
    }
  }

  rejectAll(error: (topic: string) => SendError): void {
    for (const held of this.#waiting.takeAll()) this.#held.reject(held, error);
  }

  get #isLong(): boolean {
    return this.waitingCount >= this.#options.maxWaitingSends;
  }

  #tooManyWait(topic: string): SendError {
    const { maxWaitingSends } = this.#options;
    const why = `${maxWaitingSends} sends wait for buffer memory already; await sends, or producer.ready()`;
    return notSent(topic, 'BUFFER_FULL', why, undefined, true);
  }

  #admit(): void {
    if (this.#isAdmitting) return;
    this.#isAdmitting = true;
    for (let head = this.#waiting.peek(); head !== undefined && !this.#memory.isFull; head = this.#waiting.peek()) {
      this.#waiting.shift();
      if (head.kind === 'rest') this.#hooks.addRest(head);
      else this.#admitRecord(head);
      if (this.#stillWaiting === undefined) continue;
      this.#waiting.unshift(this.#stillWaiting);
      this.#stillWaiting = undefined;
      break;
    }
    this.#isAdmitting = false;
  }

  #admitRecord(held: HeldSend): void {
    if (held.isOver) return;
    try {
      if (!this.#hooks.put(held)) this.#stillWaiting = held;
    } catch (error) {
      this.#held.reject(held, () => refusal(held.record, error));
    }
  }
}
