import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nearestName } from '../../../src/util/nearest-name.ts';

describe('nearestName', () => {
  const names = ['bootstrapServers', 'clientId', 'lingerMs', 'acks'];

  it('finds a name that differs by a slip or by case', () => {
    assert.equal(nearestName('bootstrapServer', names), 'bootstrapServers');
    assert.equal(nearestName('clientID', names), 'clientId');
    assert.equal(nearestName('ack', names), 'acks');
  });

  it('finds nothing for a name that is far from all', () => {
    assert.equal(nearestName('colour', names), undefined);
  });
});
