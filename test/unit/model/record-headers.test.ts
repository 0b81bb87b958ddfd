import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { RecordHeaders } from '../../../src/model/record-headers.ts';

const headers = new RecordHeaders([
  ['trace', Buffer.from('a')],
  ['empty', null],
  ['trace', Buffer.from('ü')],
]);

describe('RecordHeaders', () => {
  it('get gives the last value of a repeated key', () => {
    assert.deepEqual(headers.get('trace'), Buffer.from('ü'));
    assert.equal(headers.get('empty'), null);
    assert.equal(headers.get('other'), undefined);
  });

  it('getAll gives every value in wire order', () => {
    assert.deepEqual(headers.getAll('trace'), [Buffer.from('a'), Buffer.from('ü')]);
    assert.deepEqual(headers.getAll('other'), []);
  });

  it('getString tells a null value from a missing header', () => {
    assert.equal(headers.getString('trace'), 'ü');
    assert.equal(headers.getString('empty'), null);
    assert.equal(headers.getString('other'), undefined);
  });

  it('getString gives an empty text for an empty value', () => {
    assert.equal(new RecordHeaders([['k', Buffer.alloc(0)]]).getString('k'), '');
  });

  it('iterates over all headers, repeated ones included, in wire order', () => {
    assert.deepEqual(
      [...headers].map(([key]) => key),
      ['trace', 'empty', 'trace'],
    );
    assert.deepEqual([...headers.entries()], [...headers]);
    assert.equal(headers.size, 3);
    assert.equal(headers.has('empty'), true);
    assert.equal(headers.has('none'), false);
  });

  it('JSON.stringify gives pairs with base64 values', () => {
    assert.equal(JSON.stringify(headers), '[["trace","YQ=="],["empty",null],["trace","w7w="]]');
  });

  it('util.inspect shows keys', () => {
    assert.match(inspect(headers), /trace/);
  });
});
