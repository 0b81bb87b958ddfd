import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FetchedTopics, recordCountOf } from '../../../../src/consumer/fetch/fetched-topics.ts';
import { batchOf } from '../fake-kafka.ts';

describe('FetchedTopics', () => {
  it('adds up the partitions of a topic', () => {
    const topics = new FetchedTopics();
    topics.add('a', 2, 100);
    topics.add('b', 1, 50);
    topics.add('a', 3, 10);
    assert.deepEqual(topics.list, [
      { topic: 'a', records: 5, bytes: 110 },
      { topic: 'b', records: 1, bytes: 50 },
    ]);
    assert.equal(topics.records, 6);
  });
});

describe('recordCountOf', () => {
  const three = batchOf(['a', 'b', 'c']);
  const two = batchOf(['d', 'e'], { baseOffset: 3n });

  it('adds up what the headers say, and leaves out the batch that is cut off', () => {
    assert.equal(recordCountOf(Buffer.concat([three, two])), 5);
    assert.equal(recordCountOf(Buffer.concat([three, two.subarray(0, two.length - 1)])), 3);
    assert.equal(recordCountOf(Buffer.alloc(0)), 0);
  });

  it('takes a message of an old format for one', () => {
    const old = Buffer.alloc(40);
    old.writeInt32BE(28, 8);
    old.writeInt8(1, 16);
    assert.equal(recordCountOf(Buffer.concat([old, old])), 2);
  });

  it('takes no negative count, and ends at a length that leads nowhere', () => {
    const negative = Buffer.from(three);
    negative.writeInt32BE(-9, 57);
    assert.equal(recordCountOf(Buffer.concat([negative, three])), 3);
    const stuck = Buffer.from(three);
    stuck.writeInt32BE(-12, 8);
    assert.equal(recordCountOf(stuck), 0);
  });
});
