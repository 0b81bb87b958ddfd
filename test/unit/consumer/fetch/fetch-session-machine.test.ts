import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FetchSessionMachine, type SessionPartition } from '../../../../src/consumer/fetch/fetch-session-machine.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';

const partition = (number: number, fetchOffset = 0n, topic = 't'): SessionPartition => ({
  topic,
  partition: number,
  fetchOffset,
  currentLeaderEpoch: 0,
  lastFetchedEpoch: -1,
  partitionMaxBytes: 1000,
});
const keyed = (...partitions: SessionPartition[]): Map<string, SessionPartition> =>
  new Map(partitions.map((each) => [`${each.topic}:${each.partition}`, each]));
const numbers = (partitions: readonly Pick<SessionPartition, 'partition'>[]): number[] =>
  partitions.map((each) => each.partition);

describe('FetchSessionMachine', () => {
  it('names all partitions first, then only those that are new or have changed, and those that are not wanted any more', () => {
    const machine = new FetchSessionMachine();
    const first = machine.take(keyed(partition(0), partition(1), partition(2)), true);
    assert.deepEqual([first.sessionId, first.sessionEpoch, numbers(first.partitions)], [0, 0, [0, 1, 2]]);
    machine.handleAnswer(77);
    const second = machine.take(keyed(partition(0, 5n), partition(1), partition(3)), true);
    assert.deepEqual([second.sessionId, second.sessionEpoch], [77, 1]);
    assert.deepEqual([numbers(second.partitions), numbers(second.forgotten)], [[0, 3], [2]]);
    machine.handleAnswer(77);
    const third = machine.take(keyed(partition(0, 5n), partition(1), partition(3)), true);
    assert.deepEqual([third.sessionEpoch, third.partitions, third.forgotten], [2, [], []]);
  });

  it('names a partition again whose leader epoch, last epoch or limit has changed', () => {
    const machine = new FetchSessionMachine();
    machine.take(keyed(partition(0), partition(1), partition(2), partition(3)), true);
    machine.handleAnswer(1);
    const next = machine.take(
      keyed(
        { ...partition(0), currentLeaderEpoch: 3 },
        { ...partition(1), partitionMaxBytes: 9 },
        { ...partition(2), lastFetchedEpoch: 4 },
        partition(3),
      ),
      true,
    );
    assert.deepEqual(numbers(next.partitions), [0, 1, 2]);
  });

  it('names all each time where the broker makes no session', () => {
    const machine = new FetchSessionMachine();
    for (let round = 0; round < 3; round++) {
      const { sessionId, sessionEpoch, partitions } = machine.take(keyed(partition(0)), true);
      assert.deepEqual([sessionId, sessionEpoch, partitions.length, machine.isFull], [0, 0, 1, true]);
      machine.handleAnswer(0);
    }
  });

  const refusals = [
    ['FETCH_SESSION_ID_NOT_FOUND', 0],
    ['INVALID_FETCH_SESSION_EPOCH', 77],
    ['FETCH_SESSION_TOPIC_ID_ERROR', 77],
  ] as const;
  for (const [name, sessionId] of refusals) {
    it(`begins a new session at once after ${name}, and not at once when that is refused as well`, () => {
      const machine = new FetchSessionMachine();
      machine.take(keyed(partition(0)), true);
      machine.handleAnswer(77);
      machine.take(keyed(partition(0)), true);
      assert.equal(machine.handleRefusal(codes[name]), true);
      const next = machine.take(keyed(partition(0)), true);
      assert.deepEqual([next.sessionId, next.sessionEpoch, numbers(next.partitions)], [sessionId, 0, [0]]);
      assert.equal(machine.handleRefusal(codes[name]), false);
    });
  }

  it('does not count another refusal as one of the session', () => {
    const machine = new FetchSessionMachine();
    machine.take(keyed(partition(0)), true);
    assert.equal(machine.handleRefusal(codes.UNKNOWN_SERVER_ERROR), false);
  });

  it('begins again, ending the old session, after a request without an answer', () => {
    const machine = new FetchSessionMachine();
    machine.take(keyed(partition(0)), true);
    machine.handleAnswer(77);
    machine.take(keyed(partition(0, 4n)), true);
    machine.handleFailure();
    const next = machine.take(keyed(partition(0, 4n)), true);
    assert.deepEqual([next.sessionId, next.sessionEpoch, numbers(next.partitions)], [77, 0, [0]]);
  });

  it('ends a session that is known to be good with the last epoch, once', () => {
    const machine = new FetchSessionMachine();
    assert.equal(machine.takeFinal(), undefined, 'there is none yet');
    machine.take(keyed(partition(0)), true);
    machine.handleAnswer(77);
    assert.deepEqual(machine.takeFinal(), { sessionId: 77, sessionEpoch: -1, partitions: [], forgotten: [] });
    assert.equal(machine.takeFinal(), undefined, 'it has ended');
    machine.take(keyed(partition(0)), true);
    machine.handleAnswer(78);
    machine.handleFailure();
    assert.equal(machine.takeFinal(), undefined, 'the broker may be gone');
  });

  it('begins again when topics are named otherwise than before', () => {
    const machine = new FetchSessionMachine();
    machine.take(keyed(partition(0)), true);
    machine.handleAnswer(77);
    const next = machine.take(keyed(partition(0)), false);
    assert.deepEqual([next.sessionId, next.sessionEpoch, numbers(next.partitions)], [77, 0, [0]]);
  });

  it('always leaves the broker with exactly what is wanted, whatever is lost or refused on the way', () => {
    const step = fc.record({
      wanted: fc.uniqueArray(fc.nat(6), { maxLength: 7 }),
      offset: fc.nat(3),
      byIds: fc.boolean(),
      outcome: fc.constantFrom('answered', 'answered', 'answered', 'lost before', 'lost after', 'evicted', 'refused'),
      hasRoom: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const machine = new FetchSessionMachine();
        const broker = new SessionBroker();
        for (const { wanted, offset, byIds, outcome, hasRoom } of steps) {
          const all = keyed(...wanted.map((number) => partition(number, BigInt(offset))));
          if (outcome === 'evicted') broker.session = undefined;
          const request = machine.take(all, byIds);
          if (outcome === 'lost before') {
            machine.handleFailure();
            continue;
          }
          const answer = broker.answer(request, hasRoom);
          if (outcome === 'lost after') machine.handleFailure();
          else if (typeof answer === 'string') machine.handleRefusal(codes[answer]);
          else {
            assert.deepEqual(
              answer.served,
              [...all.values()].map(({ partition: each, fetchOffset }) => `${each}@${fetchOffset}`).sort(),
            );
            if (outcome === 'refused') machine.handleRefusal(codes.INVALID_FETCH_SESSION_EPOCH);
            else machine.handleAnswer(answer.sessionId);
          }
        }
      }),
    );
  });
});

/** What KIP-227 asks of a broker, for one client. */
class SessionBroker {
  session: { readonly id: number; epoch: number; readonly partitions: Map<number, bigint> } | undefined;
  #lastId = 0;

  answer(
    request: ReturnType<FetchSessionMachine['take']>,
    hasRoom: boolean,
  ): { sessionId: number; served: string[] } | 'FETCH_SESSION_ID_NOT_FOUND' | 'INVALID_FETCH_SESSION_EPOCH' {
    if (request.sessionEpoch === 0) {
      if (this.session?.id === request.sessionId) this.session = undefined;
      const partitions = new Map(request.partitions.map((each) => [each.partition, each.fetchOffset]));
      this.session = hasRoom ? { id: ++this.#lastId, epoch: 1, partitions } : this.session;
      return { sessionId: hasRoom ? this.#lastId : 0, served: serve(partitions) };
    }
    if (this.session?.id !== request.sessionId) return 'FETCH_SESSION_ID_NOT_FOUND';
    if (this.session.epoch !== request.sessionEpoch) return 'INVALID_FETCH_SESSION_EPOCH';
    this.session.epoch++;
    for (const each of request.partitions) this.session.partitions.set(each.partition, each.fetchOffset);
    for (const each of request.forgotten) this.session.partitions.delete(each.partition);
    return { sessionId: this.session.id, served: serve(this.session.partitions) };
  }
}

function serve(partitions: ReadonlyMap<number, bigint>): string[] {
  return [...partitions].map(([each, offset]) => `${each}@${offset}`).sort();
}
