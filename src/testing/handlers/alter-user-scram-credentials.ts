import {
  AlterUserScramCredentials,
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsRequestScramCredentialUpsertion,
} from '../../protocol/generated/alter-user-scram-credentials.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { Credentials, scramMechanisms } from '../security/credentials.ts';
import { refusal, type Refusal } from '../state/topic-plans.ts';

const LEAST_ITERATIONS = 4096;
const MOST_ITERATIONS = 16_384;

/**
 * AlterUserScramCredentials, version 0 (KIP-554).
 *
 * Does: set and remove credentials, one of each user in a request.
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
  const problems = [
    ...deletions
      .filter(({ name }) => name === user)
      .map(({ mechanism }) => deletionProblem(user, mechanism, credentials)),
    ...upsertions.filter(({ name }) => name === user).map(upsertionProblem),
  ];
  // A second change is not looked at.
  const [first] = problems;
  if (first !== undefined || problems.length === 1) return first;
  return refusal('DUPLICATE_RESOURCE', 'The user is named more than once');
}

function deletionProblem(user: string, mechanism: number, credentials: Credentials): Refusal | undefined {
  const known = scramMechanisms[mechanism - 1];
  if (known === undefined) return unknownMechanism;
  const exists = credentials.scram(user, known) !== undefined;
  return exists ? undefined : refusal('RESOURCE_NOT_FOUND', 'There is no such credential');
}

function upsertionProblem({
  mechanism,
  iterations,
}: AlterUserScramCredentialsRequestScramCredentialUpsertion): Refusal | undefined {
  if (scramMechanisms[mechanism - 1] === undefined) return unknownMechanism;
  if (iterations >= LEAST_ITERATIONS && iterations <= MOST_ITERATIONS) return undefined;
  return refusal('UNACCEPTABLE_CREDENTIAL', `Iterations are from ${LEAST_ITERATIONS} to ${MOST_ITERATIONS}`);
}

const unknownMechanism: Refusal = refusal('UNSUPPORTED_SASL_MECHANISM', 'There is no such mechanism');

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
