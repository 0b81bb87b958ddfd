import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDefinition, printDefinition } from '../../../../tools/protocol-generator/definition-text.ts';
import { readCommittedRelease } from '../../../support/protocol/messages.ts';

const text = `api Sample 99
listeners broker controller

request 1-3 flexible 2+ latestVersionUnstable
header 1 1
header 2 2-3
  Name string 0+ nullable 2+ default null ignorable mapKey
  ClientId string 1+ neverFlexible
  Parts []Part 1-2
    Id uuid 1+ tag 3 2+
  Shared Common 0+
struct Common 0+
  Value int64 0+ default -1

response 1-3 flexible none
header 0 1-3
`;

describe('the compact form of a definition', () => {
  it('is read as it was written', () => {
    assert.equal(printDefinition(parseDefinition(text)), text);
  });

  it('is read with comments and empty lines', () => {
    assert.deepEqual(parseDefinition(`# a comment\n\n${text}`), parseDefinition(text));
  });

  it('keeps every fact of every definition of the release', async () => {
    const { definitions } = await readCommittedRelease();
    assert.ok(definitions.length > 100);
    for (const definition of definitions) assert.deepEqual(parseDefinition(printDefinition(definition)), definition);
  });

  it('is refused with the line where it is wrong', () => {
    const wrong = [
      ['apy Sample 1', /line 1: expected "api" or "schema"/],
      ['api Sample 1\nlisteners\nresponse 0 flexible none', /line 3: expected "request/],
      ['schema S\nmessage 0+ flexible 0+\n  Name string 0+ nulable 0+', /line 3: unknown word "nulable"/],
      ['schema S\nmessage 0+ flexible 0+\n  Name string none', /line 3: versions must not be "none"/],
      ['schema S\nmessage 0+ flexible 0+\n  Name string v1', /Cannot read the versions "v1"/],
      ['schema S', /line 1: the text ends too early/],
    ] as const;
    for (const [bad, message] of wrong) assert.throws(() => parseDefinition(bad), message);
  });
});
