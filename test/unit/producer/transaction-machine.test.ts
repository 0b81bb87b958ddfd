import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { brokerErrorCodes, type BrokerErrorName } from '../../../src/errors/broker-error-codes.ts';
import { AuthorizationError, FencedError, KafkaError, NetworkError } from '../../../src/errors/kafka-error.ts';
import type { CoordinatorRequest } from '../../../src/producer/transaction-coordination.ts';
import { TransactionMachine, type TransactionEffect } from '../../../src/producer/transaction-machine.ts';
import { TransactionSimulation, type Passage } from './simulated-transactions.ts';

const group = { groupId: 'g', generationId: 3, memberId: 'm', groupInstanceId: undefined };
const offset = { topic: 'in', partition: 0, offset: 5n, leaderEpoch: -1, metadata: '' };
const lost = new NetworkError('the connection ended', { code: 'CONNECTION_CLOSED', retriable: true, sent: true });

/** A machine whose requests a test answers one by one. */
class ByHand {
  readonly machine: TransactionMachine = new TransactionMachine({
    transactionalId: 'orders',
    timeoutMs: 1000,
    backoffMs: (failures) => 100 * failures,
  });
  readonly #level: number;
  nowMs = 0;
  effects: TransactionEffect[] = [];
  readonly requests: { readonly id: number; readonly request: CoordinatorRequest }[] = [];
  #epoch = 0;

  constructor(level: number) {
    this.#level = level;
  }

  /** What has to be done now, requests aside. */
  take(): string[] {
    for (const effect of this.machine.takeEffects()) {
      if (effect.kind !== 'send') this.effects.push(effect);
      else {
        const request = this.machine.takeRequest(effect.id);
        if (request !== undefined) this.requests.push({ id: effect.id, request });
      }
    }
    return this.effects.splice(0).map(({ kind }) => kind);
  }

  /** The next request that was sent. */
  next(): { readonly id: number; readonly request: CoordinatorRequest } {
    this.effects.push(...this.#keep());
    const next = this.requests.shift();
    assert.ok(next !== undefined, 'a request was expected');
    return next;
  }

  /** Answers the next request. */
  answer(name: BrokerErrorName = 'NONE', kind?: CoordinatorRequest['kind']): CoordinatorRequest {
    const { id, request } = this.next();
    if (kind !== undefined) assert.equal(request.kind, kind);
    const errorCode = brokerErrorCodes[name];
    const hasIdentity = request.kind === 'initialize' || (request.kind === 'end' && request.protocol === 2);
    const identity = hasIdentity ? { producerId: 9n, producerEpoch: ++this.#epoch } : undefined;
    const level = { level: this.#level, epoch: 1n };
    this.machine.handleAnswer(id, { errorCode, ...(identity === undefined ? {} : { identity }) }, level, this.nowMs);
    return request;
  }

  lose(): CoordinatorRequest {
    const { id, request } = this.next();
    this.machine.handleLost(id, lost, true, true, this.nowMs);
    return request;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.machine.tick(this.nowMs);
  }

  begin(): this {
    this.machine.handleWanted();
    const done = this.take();
    if (this.requests.length > 0) this.answer('NONE', 'initialize');
    assert.deepEqual([...done, ...this.take()], ['ready']);
    assert.equal(this.machine.handleBegin(), true);
    return this;
  }

  /** A partition becomes part of the transaction, and is written to. */
  write(partition = 0): this {
    if (!this.machine.admits('t', partition)) this.answer('NONE', 'add-partitions');
    assert.equal(this.machine.admits('t', partition), true);
    this.machine.handleProduced();
    this.take();
    return this;
  }

  commit(): this {
    this.machine.handleCommit(this.nowMs);
    this.take();
    this.machine.handleFlushed(this.nowMs);
    return this;
  }

  abort(): this {
    this.machine.handleAbort(this.nowMs);
    this.take();
    this.machine.handleProduceIdle(this.nowMs);
    return this;
  }

  get state(): string {
    return this.machine.state.name;
  }

  #keep(): TransactionEffect[] {
    const before = this.effects;
    this.effects = [];
    this.take();
    const kept = this.effects;
    this.effects = [];
    return [...before, ...kept];
  }
}

for (const protocol of [1, 2] as const) {
  describe(`TransactionMachine, protocol ${protocol}`, () => {
    const open = (): ByHand => new ByHand(protocol).begin().write();

    it('TransactionMachine goes from nothing to a committed transaction with the requests of its protocol', () => {
      const subject = new ByHand(protocol);
      assert.equal(subject.state, 'uninitialized');
      subject.begin();
      assert.equal(subject.machine.protocol, protocol);
      subject.write();
      assert.equal(subject.commit().state, 'committing');
      const { identity } = subject.machine;
      assert.deepEqual(subject.answer(), { kind: 'end', identity, protocol, committed: true });
      assert.deepEqual(subject.take(), ['ended']);
      assert.equal(subject.state, 'ready');
      assert.equal(subject.machine.identity?.producerEpoch, protocol === 1 ? 1 : 2);
    });

    it('TransactionMachine asks for no end of a transaction that nobody knows of', () => {
      const subject = new ByHand(protocol).begin().commit();
      assert.deepEqual(subject.take(), ['ended']);
      subject.begin().abort();
      assert.deepEqual(subject.take(), ['ended']);
      assert.deepEqual(subject.requests, []);
    });

    it('TransactionMachine waits for records and offsets under way before it asks for the end', () => {
      const subject = open();
      const id = subject.machine.handleOffsets(group, [offset], 0);
      assert.ok(id !== undefined);
      if (protocol === 1) subject.answer('NONE', 'add-offsets');
      subject.machine.handleCommit(0);
      subject.machine.handleFlushed(0);
      const commitOffsets = subject.next();
      assert.equal(commitOffsets.request.kind, 'commit-offsets');
      assert.deepEqual(subject.requests, [], 'no end yet');
      subject.machine.handleAnswer(commitOffsets.id, { errorCode: 0 }, { level: protocol, epoch: 1n }, 0);
      subject.answer('NONE', 'end');
      assert.ok(subject.take().includes('ended'));
      const aborted = open();
      aborted.machine.handleAbort(0);
      assert.deepEqual(aborted.take(), ['give-up-unsent']);
      assert.deepEqual(aborted.requests, [], 'records are under way');
      aborted.machine.handleProduceIdle(0);
      const end = aborted.answer('NONE', 'end');
      assert.ok(end.kind === 'end' && !end.committed);
    });

    it('TransactionMachine aborts instead of committing what a send of it failed, and tells why', () => {
      const subject = open();
      const cause = new KafkaError('too large', { code: 'MESSAGE_TOO_LARGE' });
      subject.machine.handleSendFailed(cause, 'refused', 0);
      assert.equal(subject.state, 'abortable-error');
      assert.equal(subject.machine.admits('t', 0), false);
      subject.machine.handleCommit(0);
      subject.machine.handleProduceIdle(0);
      const end = subject.answer('NONE', 'end');
      assert.ok(end.kind === 'end' && !end.committed);
      subject.machine.takeEffects();
      // Its sequence numbers count or not: protocol 1 needs another epoch for that, protocol 2 has got one.
      assert.equal(subject.state, protocol === 1 ? 'initializing' : 'ready');
    });

    it('TransactionMachine turns a commit into an abort if a record fails while it is flushed', () => {
      const subject = open();
      subject.machine.handleCommit(0);
      const cause = new KafkaError('expired', { code: 'DELIVERY_TIMEOUT', retriable: true });
      subject.machine.handleSendFailed(cause, 'unknown', 0);
      subject.machine.handleFlushed(0);
      assert.equal(subject.state, 'aborting');
      subject.machine.handleProduceIdle(0);
      const end = subject.answer('NONE', 'end');
      assert.ok(end.kind === 'end' && !end.committed);
      const ended = subject.machine.takeEffects().find(({ kind }) => kind === 'ended');
      assert.ok(ended?.kind === 'ended' && !ended.committed && ended.error?.cause === cause);
      assert.deepEqual([ended.error.code, ended.error.retriable], ['TRANSACTION_ABORTED', true]);
    });

    it('TransactionMachine has another epoch before it goes on when the end was lost on its way', () => {
      const subject = open().commit();
      subject.lose();
      assert.deepEqual(subject.take(), ['forget-coordinator']);
      subject.pass(100);
      subject.answer('NONE', 'end');
      assert.deepEqual(subject.take(), ['ended']);
      assert.equal(subject.state, 'initializing');
      const { identity } = subject.machine;
      assert.deepEqual(subject.answer('NONE', 'initialize'), { kind: 'initialize', identity });
      assert.equal(subject.state, 'ready');
    });

    it('TransactionMachine tells who waits when an end takes too long, and goes on until it is known', () => {
      const subject = open().commit();
      subject.lose();
      for (let tries = 0; tries < 30 && subject.machine.nextDeadlineMs() !== undefined; tries++) {
        subject.nowMs = Math.max(subject.nowMs, subject.machine.nextDeadlineMs() ?? 0);
        subject.machine.tick(subject.nowMs);
        const effects = subject.take();
        if (effects.includes('late')) {
          if (subject.requests.length > 0) subject.answer('NONE', 'end');
          break;
        }
        if (subject.requests.length > 0) subject.lose();
      }
      assert.ok(subject.nowMs >= 1000);
      for (let tries = 0; tries < 3 && subject.state === 'committing'; tries++) {
        subject.pass(5000);
        subject.answer('NONE', 'end');
      }
      assert.equal(subject.state, 'initializing');
    });

    const fatal: [CoordinatorRequest['kind'], BrokerErrorName, BrokerErrorName][] = [
      ['initialize', 'PRODUCER_FENCED', 'PRODUCER_FENCED'],
      ['initialize', 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
      ['initialize', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
      ['initialize', 'INVALID_TRANSACTION_TIMEOUT', 'INVALID_TRANSACTION_TIMEOUT'],
      ['end', 'PRODUCER_FENCED', 'PRODUCER_FENCED'],
      ['end', 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
      ['end', 'INVALID_TXN_STATE', 'INVALID_TXN_STATE'],
      ['end', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
      ['commit-offsets', 'PRODUCER_FENCED', 'PRODUCER_FENCED'],
      ['commit-offsets', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'],
      ...(protocol === 2
        ? []
        : ([
            ['add-partitions', 'PRODUCER_FENCED', 'PRODUCER_FENCED'],
            ['add-partitions', 'INVALID_TXN_STATE', 'INVALID_TXN_STATE'],
            ['add-offsets', 'INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'],
          ] satisfies [CoordinatorRequest['kind'], BrokerErrorName, BrokerErrorName][])),
    ];
    for (const [kind, name, code] of fatal) {
      it(`TransactionMachine is finished when ${kind} is answered ${name}`, () => {
        const subject = upTo(new ByHand(protocol), kind);
        subject.answer(name, kind);
        const { state } = subject.machine;
        assert.ok(state.name === 'fatal-error');
        assert.equal(state.error.code, code);
        assert.equal(state.error instanceof FencedError, code === 'PRODUCER_FENCED');
        assert.ok(subject.take().includes('failed'));
        assert.equal(subject.machine.admits('t', 0), false);
        assert.equal(subject.machine.nextDeadlineMs(), undefined, 'nothing is left to do');
      });
    }

    const abortable: [CoordinatorRequest['kind'], BrokerErrorName][] = [
      ['commit-offsets', 'ILLEGAL_GENERATION'],
      ['commit-offsets', 'UNKNOWN_MEMBER_ID'],
      ['commit-offsets', 'FENCED_INSTANCE_ID'],
      ['commit-offsets', 'STALE_MEMBER_EPOCH'],
      ['commit-offsets', 'FENCED_MEMBER_EPOCH'],
      ['commit-offsets', 'GROUP_AUTHORIZATION_FAILED'],
      ['commit-offsets', 'TRANSACTION_ABORTABLE'],
      ['commit-offsets', 'INVALID_PRODUCER_ID_MAPPING'],
      ['end', 'TRANSACTION_ABORTABLE'],
      ['end', 'INVALID_PRODUCER_ID_MAPPING'],
      ...(protocol === 2
        ? []
        : ([
            ['add-partitions', 'TOPIC_AUTHORIZATION_FAILED'],
            ['add-partitions', 'UNKNOWN_PRODUCER_ID'],
            ['add-partitions', 'TRANSACTION_ABORTABLE'],
            ['add-offsets', 'GROUP_AUTHORIZATION_FAILED'],
          ] satisfies [CoordinatorRequest['kind'], BrokerErrorName][])),
    ];
    for (const [kind, name] of abortable) {
      it(`TransactionMachine can go on after an abort when ${kind} is answered ${name}`, () => {
        const subject = upTo(new ByHand(protocol), kind);
        subject.answer(name, kind);
        subject.take();
        subject.machine.handleCommit(0);
        subject.machine.handleProduceIdle(0);
        subject.take();
        // A coordinator that has forgotten the producer cannot end anything for it.
        const isForgotten = name === 'INVALID_PRODUCER_ID_MAPPING' || name === 'UNKNOWN_PRODUCER_ID';
        const [request] = subject.requests;
        assert.equal(
          request?.request.kind === 'end',
          !isForgotten && subject.state !== 'ready' && request !== undefined,
        );
        if (request?.request.kind === 'end') {
          assert.equal(request.request.committed, false);
          subject.answer('NONE', 'end');
        }
        subject.take();
        if (subject.state === 'initializing') subject.answer('NONE', 'initialize');
        assert.equal(subject.state, 'ready');
        subject.begin();
      });
    }

    it('TransactionMachine looks for the coordinator again in every phase, and does not wait long for a transaction before', () => {
      for (const kind of ['initialize', 'add-partitions', 'add-offsets', 'commit-offsets', 'end'] as const) {
        if (protocol === 2 && kind.startsWith('add-')) continue;
        const subject = upTo(new ByHand(protocol), kind);
        subject.answer('NOT_COORDINATOR', kind);
        assert.ok(subject.take().includes('forget-coordinator'), kind);
        subject.pass(100);
        subject.answer('COORDINATOR_LOAD_IN_PROGRESS', kind);
        assert.ok(!subject.take().includes('forget-coordinator'), kind);
        subject.pass(199);
        assert.deepEqual(subject.requests, []);
        subject.pass(1);
        subject.answer('CONCURRENT_TRANSACTIONS', kind);
        subject.pass(60);
        subject.answer('NONE', kind);
        assert.notEqual(subject.state, 'fatal-error');
      }
    });

    it('TransactionMachine ends by a look-up that is refused as by an answer', () => {
      const subject = upTo(new ByHand(protocol), 'commit-offsets');
      const denied = new AuthorizationError('no', { code: 'GROUP_AUTHORIZATION_FAILED' });
      subject.machine.handleLost(subject.next().id, denied, false, false, 0);
      assert.equal(subject.state, 'abortable-error');
      const first = upTo(new ByHand(protocol), 'initialize');
      const refused = new AuthorizationError('no', { code: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED' });
      first.machine.handleLost(first.next().id, refused, false, false, 0);
      assert.equal(first.state, 'fatal-error');
    });

    it('TransactionMachine.handleClose aborts what is open and lets what is ending end', () => {
      const closed = new KafkaError('closed', { code: 'CLOSED' });
      const subject = open();
      subject.machine.handleClose(closed, 0);
      assert.equal(subject.state, 'aborting');
      const ending = open().commit();
      ending.machine.handleClose(closed, 0);
      assert.equal(ending.state, 'committing');
    });

    it('TransactionMachine has another identity when the cluster speaks of transactions in another way', () => {
      const subject = open().commit();
      const other = protocol === 1 ? 2 : 1;
      const { id } = subject.next();
      const identity = protocol === 2 ? { identity: { producerId: 9n, producerEpoch: 50 } } : {};
      subject.machine.handleAnswer(id, { errorCode: 0, ...identity }, { level: other, epoch: 2n }, 0);
      subject.take();
      subject.machine.handleWanted();
      assert.equal(subject.state, 'initializing');
      const request = subject.next();
      assert.ok(request.request.kind === 'initialize' && request.request.identity !== undefined);
      const next = { producerId: 9n, producerEpoch: 51 };
      // What an older connection says counts no more.
      subject.machine.handleAnswer(request.id, { errorCode: 0, identity: next }, { level: protocol, epoch: 1n }, 0);
      assert.deepEqual(subject.take(), ['ready']);
      subject.machine.handleBegin();
      assert.equal(subject.machine.protocol, other);
    });
  });
}

describe('TransactionMachine, protocol 1 only', () => {
  it('TransactionMachine has another epoch before it goes on when records were lost on their way, though they were sent again', () => {
    const subject = new ByHand(1).begin().write();
    subject.machine.handleProduceLost();
    subject.commit().answer('NONE', 'end');
    assert.equal(subject.state, 'initializing');
  });

  it('TransactionMachine does not mind an abort that is refused where it was not certain that something is open', () => {
    const subject = new ByHand(1).begin();
    subject.machine.admits('t', 0);
    subject.lose();
    subject.abort();
    subject.answer('INVALID_TXN_STATE', 'end');
    assert.deepEqual(subject.take().includes('failed'), false);
    assert.equal(subject.state, 'initializing');
  });

  it('TransactionMachine adds partitions that come meanwhile together, after those under way', () => {
    const subject = new ByHand(1).begin();
    for (const partition of [0, 1, 2]) assert.equal(subject.machine.admits('t', partition), false);
    const first = subject.answer('NONE', 'add-partitions');
    assert.ok(first.kind === 'add-partitions' && first.partitions.length === 3);
    subject.machine.admits('t', 3);
    const under = subject.next();
    subject.machine.admits('t', 4);
    subject.machine.admits('t', 5);
    subject.take();
    assert.deepEqual(subject.requests, []);
    subject.machine.handleAnswer(under.id, { errorCode: 0 }, { level: 1, epoch: 1n }, 0);
    const rest = subject.answer('NONE', 'add-partitions');
    assert.ok(rest.kind === 'add-partitions');
    assert.deepEqual(
      rest.partitions.map(({ partition }) => partition),
      [4, 5],
    );
  });

  it('TransactionMachine.reasonFor names the partition that was refused, and that the others were aborted', () => {
    const subject = new ByHand(1).begin();
    subject.machine.admits('secret', 0);
    subject.machine.admits('t', 0);
    const { id } = subject.next();
    const partitions = [
      { topic: 'secret', partition: 0, errorCode: brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED },
      { topic: 't', partition: 0, errorCode: brokerErrorCodes.OPERATION_NOT_ATTEMPTED },
    ];
    subject.machine.handleAnswer(id, { errorCode: 0, partitions }, { level: 1, epoch: 1n }, 0);
    assert.equal(subject.state, 'abortable-error');
    assert.equal(subject.machine.reasonFor('secret', 0).code, 'TOPIC_AUTHORIZATION_FAILED');
    const other = subject.machine.reasonFor('t', 0);
    assert.ok(other.code === 'TRANSACTION_ABORTED' && other.cause instanceof AuthorizationError);
  });
});

/** A machine whose next request is of this kind. */
function upTo(subject: ByHand, kind: CoordinatorRequest['kind']): ByHand {
  if (kind === 'initialize') {
    subject.machine.handleWanted();
    return subject;
  }
  subject.begin();
  if (kind === 'add-partitions') {
    subject.machine.admits('t', 0);
    return subject;
  }
  if (kind === 'end') return subject.write().commit();
  subject.machine.handleOffsets(group, [offset], 0);
  if (kind === 'commit-offsets' && subject.machine.protocol === 1) subject.answer('NONE', 'add-offsets');
  return subject;
}

describe('TransactionMachine under random schedules', () => {
  const runs = Number(process.env['RUNS'] ?? 400);
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  const refusals: (BrokerErrorName | undefined)[] = [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    'NOT_COORDINATOR',
    'COORDINATOR_LOAD_IN_PROGRESS',
  ];

  it('TransactionMachine makes of each transaction all or nothing, as it was told, and settles every send once', (context) => {
    let [lossy, renewed, late] = [0, 0, 0];
    const told = new Map<string, number>();
    const transaction = fc.record({
      records: fc.array(fc.nat({ max: 2 }), { maxLength: 6 }),
      offsets: fc.boolean(),
      ending: fc.constantFrom('commit', 'commit', 'abort'),
      endsAfter: fc.nat({ max: 30 }),
      upgrades: fc.integer({ min: 0, max: 9 }),
    });
    const passages = fc.infiniteStream(
      fc.record({
        thereMs: fc.integer({ min: 1, max: 20 }),
        backMs: fc.integer({ min: 1, max: 200 }),
        fate: fc.constantFrom<Passage['fate'][]>(
          ...(Array(12).fill('arrives') as 'arrives'[]),
          'answer-lost',
          'late',
          'never',
        ),
        refusal: fc.constantFrom(...refusals),
      }),
    );
    fc.assert(
      fc.property(
        fc.array(transaction, { minLength: 1, maxLength: 8 }),
        passages,
        fc.constantFrom(1, 2),
        (transactions, stream, level) => {
          const simulation = new TransactionSimulation(() => {
            const passage = stream.next().value as Passage;
            if (passage.fate !== 'arrives') lossy++;
            if (passage.fate === 'late') late++;
            return passage;
          });
          simulation.brokers.level = level;
          const { machine } = simulation;
          const ended: { readonly ids: number[]; readonly how: string }[] = [];
          let nextId = 0;
          for (const { records, offsets, ending, endsAfter, upgrades } of transactions) {
            if (upgrades === 0) simulation.brokers.level = 2;
            simulation.isReady = false;
            machine.handleWanted();
            simulation.run(() => simulation.isReady || machine.state.name === 'fatal-error');
            if (!machine.handleBegin()) break;
            simulation.told = undefined;
            const ids = records.map((partition) => {
              simulation.send(nextId, partition);
              return nextId++;
            });
            const taken = offsets ? machine.handleOffsets(group, [offset], simulation.nowMs) : undefined;
            if (taken !== undefined) simulation.offsets.set(taken, []);
            const untilMs = simulation.nowMs + endsAfter;
            simulation.run(() => simulation.nowMs >= untilMs);
            if (ending === 'commit') machine.handleCommit(simulation.nowMs);
            else machine.handleAbort(simulation.nowMs);
            simulation.run(() => simulation.told !== undefined);
            const how: string = simulation.told ?? 'nothing';
            ended.push({ ids, how });
            told.set(how, (told.get(how) ?? 0) + 1);
            if (machine.state.name === 'fatal-error') break;
          }
          simulation.run();
          renewed += simulation.renewals;
          for (const [id, outcomes] of simulation.settled)
            assert.equal(outcomes.length, 1, `record ${id}: ${outcomes.join()}`);
          for (const outcomes of simulation.offsets.values())
            assert.ok(outcomes.length >= 1, 'offsets that never settle');
          const visible = simulation.brokers.committed;
          assert.equal(new Set(visible).size, visible.length, 'a record is there twice');
          for (const { ids, how } of ended) {
            const seen = ids.filter((id) => visible.includes(id)).length;
            if (how === 'committed') assert.equal(seen, ids.length, 'a committed transaction is not complete');
            else if (how === 'aborted') assert.equal(seen, 0, 'something of an aborted transaction is seen');
            else assert.ok(seen === 0 || seen === ids.length, `a transaction that ended "${how}" was torn`);
          }
        },
      ),
      { numRuns: runs, seed },
    );
    context.diagnostic(
      `seed ${seed}: ${JSON.stringify(Object.fromEntries(told))}, ${lossy} requests lost (${late} came late), ${renewed} renewals`,
    );
    assert.ok(lossy > 0 && late > 0 && renewed > 0, 'nothing went wrong on the way');
    assert.ok((told.get('committed') ?? 0) > runs / 4 && (told.get('aborted') ?? 0) > runs / 4);
  });
});
