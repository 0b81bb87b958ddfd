import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { leastLoaded } from '../../../src/cluster/node-selection.ts';

const candidate = (nodeId: number, inFlight: number | undefined, failed = false) => ({ nodeId, inFlight, failed });

describe('leastLoaded', () => {
  it('takes the open connection with the fewest requests', () => {
    assert.equal(leastLoaded([candidate(1, undefined), candidate(2, 3), candidate(3, 1)], 0), 3);
  });

  it('passes over brokers where the request has failed, unless it failed at all', () => {
    assert.equal(leastLoaded([candidate(1, 0, true), candidate(2, undefined)], 0), 2);
    assert.equal(leastLoaded([candidate(1, 0, true), candidate(2, 1, true)], 0), 1);
  });

  it('chooses by chance among equals', () => {
    const equals = [candidate(1, undefined), candidate(2, undefined), candidate(3, undefined)];
    assert.deepEqual(
      [0, 0.4, 0.99].map((random) => leastLoaded(equals, random)),
      [1, 2, 3],
    );
  });

  it('has no answer without candidates', () => {
    assert.equal(leastLoaded([], 0.5), undefined);
  });
});
