import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as testing from '../../../src/testing/index.ts';

// The names that users build on: one that comes or goes shows here, in review. Types stand in test/docs/public-types.test.ts.
describe('kavka/testing', () => {
  it('exports these names and no others', () => {
    assert.deepEqual(Object.keys(testing).sort(), ['Interception', 'TestClock', 'TestCluster']);
  });
});
