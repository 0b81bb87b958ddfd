import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDefinition } from '../../../../tools/protocol-generator/definition-text.ts';
import { layOut, minElementBytes, type Layout } from '../../../../tools/protocol-generator/layout.ts';

function layoutOf(fields: string, versions = '0-4', flexible = '2+'): Layout {
  const definition = parseDefinition(`schema Sample\nmessage ${versions} flexible ${flexible}\n${fields}`);
  assert.ok(definition.kind === 'schema');
  return layOut('Sample', definition.message);
}

describe('layOut', () => {
  it('names structs after their message, so that they are unique over all APIs', () => {
    const { structs } = layoutOf('  Parts []Part 0+\n    Id int8 0+\n  SamplePieces []SamplePiece 0+\n    Id int8 0+');
    assert.deepEqual(
      structs.map(({ name, path }) => [name, path]),
      [
        ['Sample', 'Sample'],
        ['SamplePart', 'Sample.parts'],
        ['SamplePiece', 'Sample.samplePieces'],
      ],
    );
  });

  it('leaves out fields of versions that the message no longer has', () => {
    const { structs } = layoutOf('  Old int8 0-1\n  New int8 2+', '2-4');
    assert.deepEqual(
      structs[0]?.fields.map(({ definition }) => definition.name),
      ['New'],
    );
  });

  it('gives a shared struct all versions in which one of its uses needs it', () => {
    const { structs } = layoutOf('  A Common 1-2\n  B []Common 4+\nstruct Common 0+\n  Id int8 0+');
    assert.deepEqual(structs[1]?.versions, { min: 1, max: 4 });
    assert.equal(structs.length, 2);
  });

  it('refuses a struct that contains itself: its depth would have no bound', () => {
    assert.throws(
      () => layoutOf('  A []Common 0+\nstruct Common 0+\n  Id int8 0+\n  More []Common 0+'),
      /Common: it contains itself/,
    );
    assert.throws(
      () => layoutOf('  A []X 0+\nstruct X 0+\n  Y []Y 0+\nstruct Y 0+\n  X []X 0+'),
      /X: it contains itself/,
    );
  });

  it('refuses an array whose elements take no bytes: it could declare any number of them', () => {
    assert.throws(
      () => layoutOf('  A []Part 0+\n    Id int8 2+'),
      /Sample\.a: its elements take no bytes in version 0/,
    );
    // In flexible versions the count of tagged fields takes one.
    assert.doesNotThrow(() => layoutOf('  A []Part 2+\n    Id int8 3+'));
  });

  it('refuses a type that nothing defines, and what it does not know yet', () => {
    assert.throws(() => layoutOf('  A Missing 0+'), /Sample\.a: nothing is named Missing/);
    assert.throws(() => layoutOf('  A int8 0+ tag 0 2+'), /tagged only in some of its versions/);
    assert.throws(() => layoutOf('  A Part 0+ nullable 1+\n    Id int8 0+'), /nullable only in some of its versions/);
    assert.throws(
      () => layoutOf('  A Part 0+\n    Id int8 0+\n  B Part 0+\n    Id int8 0+'),
      /SamplePart: it is defined twice/,
    );
  });

  it('knows the fewest bytes of an element, flexible or not', () => {
    const { structs } = layoutOf(
      '  A []Part 0+\n    Name string 0+\n    Ids []int64 0+\n    Bytes bytes 0+\n    Id uuid 3+\n    Tagged int64 2+ tag 0 2+\n    Inner Inner 0+ nullable 0+\n      X int32 0+',
    );
    const field = structs[0]?.fields[0];
    assert.ok(field !== undefined);
    assert.equal(minElementBytes(field, false, structs[0]?.flexible), 2 + 4 + 4 + 1);
    assert.equal(minElementBytes(field, true, structs[0]?.flexible), 1 + 1 + 1 + 1 + 1);
  });
});
