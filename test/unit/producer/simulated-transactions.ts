import { brokerErrorCodes, type BrokerErrorName } from '../../../src/errors/broker-error-codes.ts';
import { KafkaError, NetworkError } from '../../../src/errors/kafka-error.ts';
import type { ProducerIdentity } from '../../../src/producer/partition-machine.ts';
import type { CoordinatorAnswer, CoordinatorRequest } from '../../../src/producer/transaction-coordination.ts';
import { TransactionMachine } from '../../../src/producer/transaction-machine.ts';

/** One record in a partition. */
interface Written {
  readonly id: number;
  readonly epoch: number;
  fate: 'open' | 'committed' | 'aborted';
}

/** A coordinator, and the partitions that its transactions are written to, as far as they keep what belongs together. */
class SimulatedBrokers {
  level = 1;
  epoch = -1;
  lastEpoch = -1;
  state: 'empty' | 'ongoing' | 'committed' | 'aborted' = 'empty';
  /** Until then the markers of the last transaction are being written. */
  busyUntilMs = 0;
  readonly producerId = 7n;
  readonly #added = new Set<number>();
  readonly #partitions = new Map<number, Written[]>();

  get committed(): number[] {
    return [...this.#partitions.values()].flat().flatMap(({ id, fate }) => (fate === 'committed' ? [id] : []));
  }

  answer(request: CoordinatorRequest, nowMs: number, markersMs: number): CoordinatorAnswer {
    if (nowMs < this.busyUntilMs && request.kind !== 'commit-offsets') return error('CONCURRENT_TRANSACTIONS');
    switch (request.kind) {
      case 'initialize':
        return this.#initialize(request.identity);
      case 'add-partitions':
        if (request.identity.producerEpoch !== this.epoch) return error('PRODUCER_FENCED');
        this.state = 'ongoing';
        for (const { partition } of request.partitions) this.#added.add(partition);
        return {
          errorCode: 0,
          partitions: request.partitions.map((partition) => ({ ...partition, errorCode: 0 })),
        };
      case 'add-offsets':
        if (request.identity.producerEpoch !== this.epoch) return error('PRODUCER_FENCED');
        this.state = 'ongoing';
        return error('NONE');
      case 'commit-offsets':
        if (request.identity.producerEpoch !== this.epoch) return error('PRODUCER_FENCED');
        if (request.protocol === 2) this.state = 'ongoing';
        return error(this.state === 'ongoing' ? 'NONE' : 'INVALID_TXN_STATE');
      case 'end':
        return this.#endTransaction(request, nowMs + markersMs);
      default:
        return request satisfies never;
    }
  }

  /**
   * Appends as brokers from 3.6 do: the first record of a transaction in a partition only if the coordinator knows of it, in protocol 2
   * with it; the others by their epoch.
   */
  write(partition: number, id: number, epoch: number, protocol: 1 | 2): BrokerErrorName {
    const log = this.#partitions.get(partition) ?? [];
    this.#partitions.set(partition, log);
    const newest = Math.max(-1, ...log.map((written) => written.epoch));
    if (epoch < newest) return 'INVALID_PRODUCER_EPOCH';
    if (log.some((written) => written.id === id)) return 'NONE';
    if (!log.some((written) => written.fate === 'open')) {
      if (epoch !== this.epoch) return 'INVALID_PRODUCER_EPOCH';
      if (protocol === 1 && (this.state !== 'ongoing' || !this.#added.has(partition))) return 'INVALID_TXN_STATE';
    }
    if (protocol === 2) this.state = 'ongoing';
    log.push({ id, epoch, fate: 'open' });
    return 'NONE';
  }

  #initialize(identity: ProducerIdentity | undefined): CoordinatorAnswer {
    if (this.state === 'ongoing') {
      this.epoch++;
      this.lastEpoch = -1;
      this.#mark('aborted');
      return error('CONCURRENT_TRANSACTIONS');
    }
    const expected = identity?.producerEpoch;
    if (expected === undefined || expected === this.epoch) {
      this.lastEpoch = this.epoch;
      this.epoch++;
    } else if (expected !== this.lastEpoch) return error('PRODUCER_FENCED');
    return this.#identity();
  }

  #endTransaction(
    { identity: { producerEpoch }, protocol, committed }: CoordinatorRequest & { readonly kind: 'end' },
    busyUntilMs: number,
  ): CoordinatorAnswer {
    const wanted = committed ? 'committed' : 'aborted';
    const isRepeated = protocol === 2 && producerEpoch === this.epoch - 1 && this.state !== 'ongoing';
    if (isRepeated) return this.state === wanted ? this.#identity() : error('INVALID_TXN_STATE');
    if (producerEpoch !== this.epoch) return error('PRODUCER_FENCED');
    if (this.state !== 'ongoing' && (protocol === 1 || committed)) {
      return protocol === 1 && this.state === wanted ? error('NONE') : error('INVALID_TXN_STATE');
    }
    if (protocol === 2) {
      this.lastEpoch = this.epoch;
      this.epoch++;
    }
    this.#mark(wanted);
    this.busyUntilMs = busyUntilMs;
    return protocol === 2 ? this.#identity() : error('NONE');
  }

  #mark(fate: 'committed' | 'aborted'): void {
    this.state = fate;
    this.#added.clear();
    for (const log of this.#partitions.values()) {
      for (const written of log) if (written.fate === 'open') written.fate = fate;
    }
  }

  #identity(): CoordinatorAnswer {
    return { errorCode: 0, identity: { producerId: this.producerId, producerEpoch: this.epoch } };
  }
}

const error = (name: BrokerErrorName): CoordinatorAnswer => ({ errorCode: brokerErrorCodes[name] });

/** What becomes of one request: how long each way takes, and whether its answer, or the news that there is none, is what comes back. */
export interface Passage {
  readonly thereMs: number;
  readonly backMs: number;
  readonly fate: 'arrives' | 'answer-lost' | 'late' | 'never';
  readonly refusal: BrokerErrorName | undefined;
}

/** How a transaction ended, as its user was told. */
export type Told = 'committed' | 'aborted' | 'unknown' | 'failed';

/** A machine, simulated brokers, and a network and a clock between them that do what `passage` and the test say. */
export class TransactionSimulation {
  readonly brokers: SimulatedBrokers = new SimulatedBrokers();
  readonly machine: TransactionMachine;
  readonly settled: Map<number, string[]> = new Map<number, string[]>();
  readonly offsets: Map<number, string[]> = new Map<number, string[]>();
  nowMs = 0;
  told: Told | undefined;
  isReady = false;
  renewals = 0;
  readonly sent: CoordinatorRequest['kind'][] = [];
  readonly #passage: () => Passage;
  #events: { readonly atMs: number; readonly run: () => void }[] = [];
  #pending: { readonly id: number; readonly partition: number; tries: number; isInFlight: boolean }[] = [];
  #isFlushing = false;

  constructor(passage: () => Passage, timeoutMs = 3000) {
    this.#passage = passage;
    this.machine = new TransactionMachine({
      transactionalId: 'simulated',
      timeoutMs,
      backoffMs: (failures) => Math.min(100, 10 * failures),
    });
  }

  send(id: number, partition: number): void {
    this.settled.set(id, []);
    this.#pending.push({ id, partition, tries: 0, isInFlight: false });
    this.act();
  }

  /** Lets things happen until nothing is left to happen, or `isOver`. */
  run(isOver: () => boolean = () => false, limitMs = 1_000_000): void {
    const endMs = this.nowMs + limitMs;
    for (this.act(); !isOver(); this.act()) {
      const next = this.#events.sort((a, b) => a.atMs - b.atMs)[0];
      const dueMs = this.machine.nextDeadlineMs() ?? Infinity;
      const atMs = Math.min(next?.atMs ?? Infinity, dueMs);
      if (atMs === Infinity) return;
      if (atMs > endMs) throw new Error('the simulation does not come to an end');
      this.nowMs = Math.max(this.nowMs, atMs);
      if (next !== undefined && next.atMs <= dueMs) {
        this.#events.shift();
        next.run();
      } else this.machine.tick(this.nowMs);
    }
  }

  act(): void {
    this.#produce();
    for (let effects = this.machine.takeEffects(); effects.length > 0; effects = this.machine.takeEffects()) {
      for (const effect of effects) {
        if (effect.kind === 'send') this.#ask(effect.id);
        else if (effect.kind === 'ready') this.isReady = true;
        else if (effect.kind === 'flush') this.#isFlushing = true;
        else if (effect.kind === 'give-up-unsent') this.#giveUp((each) => !each.isInFlight, 'not-sent');
        else if (effect.kind === 'failed') {
          this.#giveUp(() => true, 'unknown');
          this.told ??= 'failed';
        } else if (effect.kind === 'ended') this.told ??= effect.committed ? 'committed' : 'aborted';
        else if (effect.kind === 'late') this.told ??= 'unknown';
        else if (effect.kind === 'offsets-settled') this.offsets.get(effect.id)?.push(effect.error?.code ?? 'done');
      }
      this.#produce();
    }
  }

  #later(delayMs: number, run: () => void): void {
    this.#events.push({ atMs: this.nowMs + delayMs, run });
  }

  #produce(): void {
    for (const record of this.#pending) {
      if (record.isInFlight || !this.machine.admits('t', record.partition)) continue;
      const { identity, protocol } = this.machine;
      if (identity === undefined) continue;
      record.isInFlight = true;
      record.tries++;
      this.machine.handleProduced();
      const write = (): BrokerErrorName =>
        this.brokers.write(record.partition, record.id, identity.producerEpoch, protocol);
      this.#travel(write, 'NONE', (code) => this.#handleWritten(record.id, code));
    }
    if (this.#isFlushing && this.#pending.length === 0) {
      this.#isFlushing = false;
      this.machine.handleFlushed(this.nowMs);
    }
    if (this.#pending.every(({ isInFlight }) => !isInFlight)) this.machine.handleProduceIdle(this.nowMs);
  }

  #handleWritten(id: number, code: BrokerErrorName | undefined): void {
    const record = this.#pending.find((each) => each.id === id);
    if (record === undefined) return;
    record.isInFlight = false;
    if (code === 'NONE') this.#settle(id, 'delivered');
    else if (code === undefined) {
      this.machine.handleProduceLost();
      if (record.tries > 3) this.#fail(id, new KafkaError('expired', { code: 'DELIVERY_TIMEOUT' }), 'unknown');
    } else this.#fail(id, new KafkaError(code, { code }), 'refused');
    this.machine.handleProduceAnswered();
  }

  #fail(id: number, cause: KafkaError, outcome: 'not-sent' | 'refused' | 'unknown'): void {
    this.#settle(id, outcome);
    this.machine.handleSendFailed(cause, outcome, this.nowMs);
  }

  #giveUp(matches: (record: { readonly isInFlight: boolean }) => boolean, outcome: 'not-sent' | 'unknown'): void {
    for (const record of this.#pending.filter(matches)) {
      const known = record.tries > 0 ? 'unknown' : outcome;
      this.#fail(record.id, new KafkaError('aborted', { code: 'TRANSACTION_ABORTED' }), known);
    }
  }

  #settle(id: number, how: string): void {
    this.settled.get(id)?.push(how);
    this.#pending = this.#pending.filter((each) => each.id !== id);
  }

  #ask(id: number): void {
    const request = this.machine.takeRequest(id);
    if (request === undefined) return;
    this.sent.push(request.kind);
    if (request.kind === 'initialize' && request.identity !== undefined) this.renewals++;
    const passage = this.#passage();
    const level = { level: this.brokers.level, epoch: BigInt(this.brokers.level) };
    const handle = (): CoordinatorAnswer =>
      passage.refusal === undefined
        ? this.brokers.answer(request, this.nowMs, passage.backMs)
        : { errorCode: brokerErrorCodes[passage.refusal] };
    this.#travel(
      handle,
      { errorCode: 0 },
      (answer) => {
        if (answer !== undefined) return this.machine.handleAnswer(id, answer, level, this.nowMs);
        const lost = new NetworkError('the connection ended', { code: 'CONNECTION_CLOSED', retriable: true });
        this.machine.handleLost(id, lost, true, true, this.nowMs);
      },
      passage,
    );
  }

  #travel<Answer>(
    handle: () => Answer,
    _like: Answer,
    back: (answer: Answer | undefined) => void,
    { thereMs, backMs, fate }: Passage = this.#passage(),
  ): void {
    switch (fate) {
      case 'arrives':
        return this.#later(thereMs, () => {
          const answer = handle();
          this.#later(backMs, () => back(answer));
        });
      case 'answer-lost':
        return this.#later(thereMs, () => {
          handle();
          this.#later(backMs, () => back(undefined));
        });
      case 'late':
        this.#later(thereMs * 20 + backMs * 20, handle);
        return this.#later(backMs, () => back(undefined));
      case 'never':
        return this.#later(backMs, () => back(undefined));
      default:
        fate satisfies never;
    }
  }
}
