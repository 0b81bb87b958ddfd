import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../../src/errors/kafka-error.ts';
import {
  apis,
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
  peekRequest,
  Reader,
} from '../../../src/protocol/index.ts';

describe('encodeRequestFrame', () => {
  it('writes size, header and body', () => {
    const frame = Buffer.concat(encodeRequestFrame(apis.SaslHandshake, { mechanism: 'PLAIN' }, 1, 258, 'me'));
    assert.equal(
      frame.toString('hex'),
      '00000013' + '0011' + '0001' + '00000102' + '00026d65' + '0005' + Buffer.from('PLAIN').toString('hex'),
    );
  });

  it('keeps the old client id in the flexible header, and writes no client id as null', () => {
    const frame = Buffer.concat(encodeRequestFrame(apis.Metadata, { topics: null }, 12, 1, null));
    assert.equal(frame.toString('hex', 4, 15), '0003' + '000c' + '00000001' + 'ffff' + '00');
    const reader = new Reader(frame, 'a request', 4);
    assert.deepEqual(peekRequest(reader), { apiKey: 3, version: 12 });
    assert.deepEqual(decodeRequestHeader(reader, 2), {
      requestApiKey: 3,
      requestApiVersion: 12,
      correlationId: 1,
      clientId: null,
    });
    assert.equal(apis.Metadata.readRequest(reader, 12).topics, null);
    reader.finish();
  });

  it('hands records out as they are', () => {
    const records = Buffer.alloc(4096, 5);
    const message = { acks: -1, topicData: [{ name: 't', partitionData: [{ index: 0, records }] }] };
    const pieces = encodeRequestFrame(apis.Produce, message, 9, 1, 'me');
    assert.ok(pieces.includes(records));
    const frame = Buffer.concat(pieces);
    assert.equal(frame.readInt32BE(0), frame.length - 4);
  });

  it('refuses a version that does not exist', () => {
    assert.throws(() => encodeRequestFrame(apis.Produce, {}, 2, 1, 'me'), UsageError);
    assert.throws(
      () => encodeRequestFrame(apis.Produce, {}, 14, 1, 'me'),
      /Cannot use version 14 of Produce: this release knows versions 3 to 13/,
    );
  });
});

describe('encodeResponseFrame', () => {
  it('writes what decodeResponseHeader and the API read', () => {
    const frame = Buffer.concat(
      encodeResponseFrame(apis.FindCoordinator, { coordinators: [{ key: 'g', nodeId: 3 }] }, 4, 77),
    );
    const reader = new Reader(frame, 'a response', 4);
    assert.deepEqual(decodeResponseHeader(reader, apis.FindCoordinator.responseHeaderVersion(4)), {
      correlationId: 77,
    });
    assert.equal(apis.FindCoordinator.readResponse(reader, 4).coordinators[0]?.nodeId, 3);
    reader.finish();
  });

  it('answers ApiVersions with the oldest header in every version', () => {
    const frame = Buffer.concat(encodeResponseFrame(apis.ApiVersions, { errorCode: 35 }, 4, 1));
    assert.equal(frame.toString('hex', 4, 10), '00000001' + '0023');
  });
});
