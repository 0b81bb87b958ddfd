import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { saneAssignment } from '../../../../src/consumer/group/sane-assignment.ts';

describe('saneAssignment', () => {
  it('keeps each real partition once and refuses the rest', () => {
    const given = [
      { topic: 't', partition: 1 },
      { topic: 't', partition: 1 },
      { topic: 't', partition: -1 },
      { topic: 'x', partition: 0 },
    ];
    assert.deepEqual(saneAssignment(given, new Set(['t'])), {
      partitions: [{ topic: 't', partition: 1 }],
      refused: [
        { topic: 't', partition: -1 },
        { topic: 'x', partition: 0 },
      ],
    });
  });
});
