import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConsumerRecord } from '../../../src/consumer/consumer-record.ts';
import { PartitionState } from '../../../src/consumer/partition-state.ts';
import { placeOfOne } from '../../../src/protocol/records/record-places.ts';
import { BufferViews } from '../../../src/util/buffer-views.ts';

const deserializers = { key: (): null => null, value: (): null => null };

function stateAt(offset: bigint): PartitionState {
  return new PartitionState('t', 0, { ended: false }, offset);
}

function recordAt(state: PartitionState, offset: bigint): ConsumerRecord<unknown, unknown> {
  const place = {
    offsetDelta: 0,
    timestampMs: 0,
    keyStart: 0,
    keyLength: -1,
    valueStart: 0,
    valueLength: -1,
    headersStart: 0,
    headerCount: 0,
  };
  const context = {
    state,
    content: new BufferViews(Buffer.alloc(0)),
    places: placeOfOne(place),
    baseOffset: offset,
    leaderEpoch: 7,
    timestampType: 'create' as const,
    use: { isLookedAt: false },
    deserializers,
  };
  return new ConsumerRecord<unknown, unknown>(context, 0);
}

describe('PartitionState', () => {
  it('does not count what is in hand as processed, until it is settled', () => {
    const state = stateAt(5n);
    state.handOut([recordAt(state, 5n)], 0);
    state.handOut([recordAt(state, 8n)], 0);
    assert.deepEqual([state.position, state.processed, state.hasInHand], [9n, 5n, true]);
    state.settle();
    assert.deepEqual([state.position, state.processed, state.hasInHand], [9n, 9n, false]);
    assert.equal(state.processedEpoch, 7);
  });

  it('moves over gaps at once when nothing is in hand, and with what is in hand otherwise', () => {
    const state = stateAt(0n);
    state.skipTo(4n);
    assert.deepEqual([state.position, state.processed], [4n, 4n]);
    state.handOut([recordAt(state, 4n)], 0);
    state.skipTo(10n);
    assert.deepEqual([state.position, state.processed], [10n, 4n]);
    state.settle();
    assert.equal(state.processed, 10n);
  });

  it('goes through a list record by record, and knows what lies behind it and what was settled', () => {
    const state = stateAt(5n);
    const list = [5n, 8n, 9n].map((offset) => recordAt(state, offset));
    state.handOut(list, 0);
    state.settle();
    state.handOut(list, 1);
    assert.deepEqual([state.position, state.processed, state.positionEpoch], [9n, 6n, 7]);
    state.settle();
    state.handOut(list, 2);
    assert.deepEqual([state.position, state.processed, state.processedEpoch], [10n, 9n, 7]);
    state.rewind();
    assert.deepEqual([state.position, state.processed, state.hasInHand], [9n, 9n, false]);
    state.handOutAll(list.slice(2));
    assert.deepEqual([state.position, state.processed], [10n, 9n]);
    state.handOutAll([]);
    assert.equal(state.position, 10n);
  });

  it('never skips back', () => {
    const state = stateAt(5n);
    state.skipTo(3n);
    assert.equal(state.position, 5n);
  });

  it('rewinds to what is processed, and fetches from there', () => {
    const state = stateAt(5n);
    state.handOut([recordAt(state, 5n)], 0);
    const round = state.fetchRound;
    state.rewind();
    assert.deepEqual([state.position, state.processed, state.fetchOffset, state.hasInHand], [5n, 5n, 5n, false]);
    assert.notEqual(state.fetchRound, round, 'what is under way for the old place is dropped');
  });

  it('forgets the position while a new one is looked up', () => {
    const state = stateAt(5n);
    state.handOut([recordAt(state, 5n)], 0);
    state.startFrom({ kind: 'timestamp', timestamp: -1n });
    assert.deepEqual([state.position, state.processed], [undefined, undefined]);
    state.startAt(77n);
    assert.deepEqual([state.position, state.processed, state.start], [77n, 77n, undefined]);
  });

  it('commits exactly the unbroken run of what was handed out and settled, whatever happens in between', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('hand' as const), gap: fc.nat(3) }),
      fc.record({ do: fc.constant('skip' as const), gap: fc.nat(3) }),
      fc.record({ do: fc.constantFrom('settle' as const, 'rewind' as const), gap: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const state = stateAt(0n);
        let next = 0n;
        let processed = 0n;
        let inHand = false;
        for (const { do: action, gap } of steps) {
          if (action === 'hand') {
            state.handOut([recordAt(state, next + BigInt(gap))], 0);
            next += BigInt(gap) + 1n;
            inHand = true;
          } else if (action === 'skip') {
            next += BigInt(gap);
            state.skipTo(next);
          } else if (action === 'settle') {
            state.settle();
            inHand = false;
          } else {
            state.rewind();
            if (inHand) next = processed;
            inHand = false;
          }
          if (!inHand) processed = next;
          assert.equal(state.position, next);
          assert.equal(state.processed, processed);
        }
      }),
    );
  });
});
