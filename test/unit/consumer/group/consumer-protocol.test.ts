import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscription,
} from '../../../../src/consumer/group/consumer-protocol.ts';
import { ProtocolError } from '../../../../src/errors/kafka-error.ts';

// Written by the Java client 4.3.1 (ConsumerProtocol).
const java = {
  subscription: '00030000000200066f726465727300087061796d656e7473ffffffff0000000000000005ffff',
  withRackOwnedAndUserData:
    '00030000000100066f72646572730000000201020000000100066f72646572730000000100000003ffffffff00027231',
  versions: [
    '00000000000100066f7264657273ffffffff',
    '00010000000100066f7264657273ffffffff00000000',
    '00020000000100066f7264657273ffffffff0000000000000005',
  ],
  assignment: '00030000000100066f7264657273000000020000000000000002ffffffff',
  emptyAssignment: '000300000000ffffffff',
};

const orders: Subscription = { topics: ['orders'], userData: null, ownedPartitions: [], generationId: 5, rackId: null };

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('encodeSubscription', () => {
  it('writes the bytes that Java writes, topics sorted', () => {
    assert.equal(encodeSubscription({ ...orders, topics: ['payments', 'orders'] }).toString('hex'), java.subscription);
    const whole = decodeSubscription(hex(java.withRackOwnedAndUserData));
    assert.equal(encodeSubscription(whole).toString('hex'), java.withRackOwnedAndUserData);
  });
});

describe('decodeSubscription', () => {
  it('reads every version that Java writes', () => {
    const [v0, v1, v2] = java.versions.map((bytes) => decodeSubscription(hex(bytes)));
    assert.deepEqual([v0, v1, v2], [{ ...orders, generationId: -1 }, { ...orders, generationId: -1 }, orders]);
    assert.deepEqual(decodeSubscription(hex(java.subscription)), { ...orders, topics: ['orders', 'payments'] });
    assert.deepEqual(decodeSubscription(hex(java.withRackOwnedAndUserData)), {
      topics: ['orders'],
      userData: Buffer.from([1, 2]),
      ownedPartitions: [{ topic: 'orders', partition: 3 }],
      generationId: -1,
      rackId: 'r1',
    });
  });

  it('reads a version newer than it knows as the newest that it knows', () => {
    const newer = Buffer.concat([hex(java.subscription), Buffer.from('more')]);
    newer.writeInt16BE(9, 0);
    assert.deepEqual(decodeSubscription(newer).topics, ['orders', 'payments']);
  });

  it('refuses every truncation with a ProtocolError', () => {
    const whole = hex(java.withRackOwnedAndUserData);
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => decodeSubscription(whole.subarray(0, length)), ProtocolError, `${length} bytes`);
    }
  });
});

describe('encodeAssignment', () => {
  it('writes the bytes that Java writes', () => {
    const partitions = [
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 2 },
    ];
    assert.equal(encodeAssignment(partitions).toString('hex'), java.assignment);
    assert.equal(encodeAssignment([]).toString('hex'), java.emptyAssignment);
  });
});

describe('decodeAssignment', () => {
  it('reads what Java writes, and nothing from no bytes', () => {
    assert.deepEqual(decodeAssignment(hex(java.assignment)).partitions, [
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 2 },
    ]);
    assert.deepEqual(decodeAssignment(hex(java.emptyAssignment)), { partitions: [], userData: null });
    assert.deepEqual(decodeAssignment(Buffer.alloc(0)), { partitions: [], userData: null });
  });

  it('refuses a negative version', () => {
    assert.throws(() => decodeAssignment(hex('ffff00000000ffffffff')), ProtocolError);
  });
});
