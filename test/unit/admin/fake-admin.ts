import { Admin } from '../../../src/admin/admin.ts';
import type { SettledItem } from '../../../src/errors/admin-error.ts';
import type { ClientOptions } from '../../../src/cluster/options.ts';
import {
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  type FakeAnswer,
  type SeenRequest,
} from '../cluster/fake-brokers.ts';

/** An admin client over brokers 1 and 2, of which 1 is the controller, and what those answer beside metadata. */
export function adminOver(
  answer: (request: SeenRequest) => FakeAnswer,
  options: Partial<ClientOptions> = {},
): { fake: FakeBrokers; admin: Admin } {
  const fake = new FakeBrokers();
  // What a test does not answer otherwise: no topics, but the brokers.
  fake.answer = (request) => {
    const given = answer(request);
    return request.api === 'Metadata' && Object.keys(given).length === 0 ? metadataAnswer(request, {}) : given;
  };
  return { fake, admin: new Admin(clusterOver(fake, options).cluster) };
}

/** The requests of one API. */
export function asked(fake: FakeBrokers, api: string): SeenRequest[] {
  return fake.requests.filter((request) => request.api === api);
}

/** `ok`, or the code, of each. */
export function codesOf(results: readonly SettledItem<unknown>[]): string[] {
  return results.map((result) => (result.status === 'fulfilled' ? 'ok' : result.reason.code));
}

/** What a call has rejected with. */
export async function errorOf(pending: Promise<unknown>): Promise<Error> {
  const error = await pending.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (error instanceof Error) return error;
  throw new Error('The call did not reject');
}
