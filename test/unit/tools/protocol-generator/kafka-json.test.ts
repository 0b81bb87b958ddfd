import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMessageJson, toDefinitions, type MessageJson } from '../../../../tools/protocol-generator/kafka-json.ts';

const request: MessageJson = {
  type: 'request',
  name: 'SampleRequest',
  apiKey: 9,
  listeners: ['broker'],
  validVersions: '0-3',
  flexibleVersions: '2+',
  fields: [],
};
const response: MessageJson = { ...request, type: 'response', name: 'SampleResponse' };

describe('parseMessageJson', () => {
  it('leaves out comment lines and keeps slashes in values', () => {
    const text = '// licence\n{ "name": "X", // no\n'.replace(' // no', '') + '  // about\n  "validVersions": "0//1" }';
    assert.deepEqual(parseMessageJson(text), { name: 'X', validVersions: '0//1' });
  });
});

describe('toDefinitions', () => {
  it('pairs a request with its response and gives both the headers of their versions', () => {
    const { definitions } = toDefinitions([response, request]);
    const [api] = definitions;
    assert.ok(api?.kind === 'api');
    assert.equal(api.name, 'Sample');
    assert.deepEqual(api.request.headers, [
      { header: 1, versions: { min: 0, max: 1 } },
      { header: 2, versions: { min: 2, max: 3 } },
    ]);
    assert.deepEqual(api.response.headers, [
      { header: 0, versions: { min: 0, max: 1 } },
      { header: 1, versions: { min: 2, max: 3 } },
    ]);
  });

  it('gives the answer to ApiVersions the oldest header in all versions', () => {
    const { definitions } = toDefinitions([
      { ...request, name: 'ApiVersionsRequest' },
      { ...response, name: 'ApiVersionsResponse' },
    ]);
    assert.ok(definitions[0]?.kind === 'api');
    assert.deepEqual(definitions[0].response.headers, [{ header: 0, versions: { min: 0, max: 3 } }]);
  });

  it('lists an API without versions as removed', () => {
    const none = { validVersions: 'none', flexibleVersions: 'none' };
    const { definitions, removed } = toDefinitions([
      { ...request, ...none },
      { ...response, ...none },
    ]);
    assert.deepEqual(definitions, []);
    assert.deepEqual(removed, [{ name: 'Sample', key: 9 }]);
  });

  it('refuses a request without its response', () => {
    assert.throws(() => toDefinitions([request]), /Cannot find the response of SampleRequest/);
    assert.throws(() => toDefinitions([request, { ...response, apiKey: 8 }]), /Cannot find the response/);
  });
});
