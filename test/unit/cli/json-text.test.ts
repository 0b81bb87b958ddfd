import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonText } from '../../../src/cli/json-text.ts';

describe('jsonText', () => {
  it('is one line, with bigint as text and a null for what is undefined', () => {
    assert.equal(
      jsonText([{ offset: 2n ** 63n - 1n, lag: undefined }]),
      '[{"offset":"9223372036854775807","lag":null}]',
    );
  });
});
