import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Api } from '../../../../src/protocol/api.ts';
import { errorAnswer } from '../../../../src/testing/faults/error-answers.ts';
import { handlers } from '../../../../src/testing/handlers/index.ts';
import { readVectors } from '../../../support/protocol/vectors.ts';

const errorCode = 7;
const { vectors } = readVectors();

/** How many fields of an answer carry the error. */
function count(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + count(each), 0);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return 0;
  return Object.entries(value).reduce((sum, [name, each]) => {
    const isError = /errorCode$/i.test(name) && each === errorCode;
    return sum + (isError ? 1 : count(each));
  }, 0);
}

describe('errorAnswer', () => {
  for (const { api, minVersion, maxVersion } of handlers) {
    it(`of ${api.name} tells the error in every version`, async () => {
      const requests = vectors.filter(({ message, version }) => {
        return message === `${api.name}Request` && version >= minVersion && version <= maxVersion;
      });
      const told = new Map<number, number>();
      for (const { version, bytes } of requests) {
        const request = api.decodeRequest(bytes, version);
        // Metadata is answered as if nothing were wrong, but for the topics.
        const handled = async (): Promise<unknown> => ({ topics: [{ name: 'a', partitions: [] }] });
        const answer = await errorAnswer(api, { request, version, errorCode, handled });
        assert.ok(answer !== undefined, `version ${version} has no error`);
        const whole = (api as Api<unknown, object>).encodeResponse(answer, version);
        told.set(version, (told.get(version) ?? 0) + count(api.decodeResponse(whole, version)));
      }
      // Some of the requests ask for nothing, and get no error then; one that asks for something is among those of each version.
      for (let version = minVersion; version <= maxVersion; version++)
        assert.ok((told.get(version) ?? 0) > 0, `version ${version} does not tell the error`);
    });
  }
});
