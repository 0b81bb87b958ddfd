import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
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

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('encodeSubscription', () => {
  it('writes the bytes that Java writes, topics sorted', () => {
    assert.equal(encodeSubscription(['payments', 'orders'], 5, null).toString('hex'), java.subscription);
  });
});

describe('decodeSubscription', () => {
  it('reads every version that Java writes', () => {
    for (const bytes of java.versions) assert.deepEqual(decodeSubscription(hex(bytes)), ['orders']);
    assert.deepEqual(decodeSubscription(hex(java.subscription)), ['orders', 'payments']);
    assert.deepEqual(decodeSubscription(hex(java.withRackOwnedAndUserData)), ['orders']);
  });

  it('reads a version newer than it knows as the newest that it knows', () => {
    const newer = Buffer.concat([hex(java.subscription), Buffer.from('more')]);
    newer.writeInt16BE(9, 0);
    assert.deepEqual(decodeSubscription(newer), ['orders', 'payments']);
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
    assert.deepEqual(decodeAssignment(hex(java.assignment)), [
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 2 },
    ]);
    assert.deepEqual(decodeAssignment(hex(java.emptyAssignment)), []);
    assert.deepEqual(decodeAssignment(Buffer.alloc(0)), []);
  });

  it('refuses a negative version', () => {
    assert.throws(() => decodeAssignment(hex('ffff00000000ffffffff')), ProtocolError);
  });
});
