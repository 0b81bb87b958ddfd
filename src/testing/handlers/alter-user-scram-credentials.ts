import {
  AlterUserScramCredentials,
  type AlterUserScramCredentialsRequest,
} from '../../protocol/generated/alter-user-scram-credentials.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { Credentials, scramMechanisms } from '../security/credentials.ts';
import { refusal, type Refusal } from '../state/topic-plans.ts';

const LEAST_ITERATIONS = 4096;
const MOST_ITERATIONS = 16_384;

/**
 * AlterUserScramCredentials, version 0 (KIP-554).
 *
 * Does: set and remove credentials, each user's as a whole or not at all.
 * Leaves out: -
 */
export const alterUserScramCredentialsHandler: AnyHandler = defineHandler(
  AlterUserScramCredentials,
  (request, { cluster }) => {
    const credentials = cluster.service(Credentials);
    const users = new Set([...request.upsertions, ...request.deletions].map(({ name }) => name));
    const results = [...users].map((user) => {
      const refused = problemOf(user, request, credentials);
      if (refused === undefined) apply(user, request, credentials);
      return { user, ...(refused ?? { errorCode: 0, errorMessage: null }) };
    });
    return { results };
  },
);

function problemOf(
  user: string,
  { upsertions, deletions }: AlterUserScramCredentialsRequest,
  credentials: Credentials,
): Refusal | undefined {
  if (user === '') return refusal('UNACCEPTABLE_CREDENTIAL', 'The user has no name');
  const set = upsertions.filter(({ name }) => name === user);
  const removed = deletions.filter(({ name }) => name === user);
  const touched = [...set, ...removed].map(({ mechanism }) => mechanism);
  if (touched.some((mechanism) => scramMechanisms[mechanism - 1] === undefined))
    return refusal('UNSUPPORTED_SASL_MECHANISM', 'There is no such mechanism');
  if (new Set(touched).size < touched.length)
    return refusal('DUPLICATE_RESOURCE', 'A credential is named more than once');
  if (set.some(({ iterations }) => iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS))
    return refusal('UNACCEPTABLE_CREDENTIAL', `Iterations are from ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}`);
  const missing = removed.find(({ mechanism }) => {
    const name = scramMechanisms[mechanism - 1];
    return name === undefined || credentials.scram(user, name) === undefined;
  });
  return missing === undefined ? undefined : refusal('RESOURCE_NOT_FOUND', 'There is no such credential');
}

function apply(
  user: string,
  { upsertions, deletions }: AlterUserScramCredentialsRequest,
  credentials: Credentials,
): void {
  for (const { name, mechanism } of deletions) {
    const known = scramMechanisms[mechanism - 1];
    if (name === user && known !== undefined) credentials.removeScram(user, known);
  }
  for (const { name, mechanism, ...credential } of upsertions) {
    const known = scramMechanisms[mechanism - 1];
    if (name === user && known !== undefined) credentials.setScram(user, known, credential);
  }
}
