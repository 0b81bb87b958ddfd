import { randomBytes } from 'node:crypto';
import type { SettledItem } from '../errors/admin-error.ts';
import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import {
  AlterUserScramCredentials,
  type AlterUserScramCredentialsRequest,
} from '../protocol/generated/alter-user-scram-credentials.ts';
import {
  DescribeUserScramCredentials,
  type DescribeUserScramCredentialsResponse,
  type DescribeUserScramCredentialsResponseDescribeUserScramCredentialsResult,
} from '../protocol/generated/describe-user-scram-credentials.ts';
import {
  expectedInstead,
  integer,
  nonEmptyString,
  object,
  oneOf,
  quote,
  type OptionRule,
} from '../util/option-rules.ts';
import { saltPassword, type PasswordHash } from '../util/salted-password.ts';
import type { AdminCall } from './admin-call.ts';
import { checkedFields, type ItemCheck } from './item-check.ts';
import {
  fulfilled,
  inGroups,
  inRounds,
  orRejected,
  refused,
  refuseTwice,
  rejected,
  unanswered,
  type ItemOutcome,
} from './items.ts';
import { controllerCode } from './topics.ts';

/** A way to prove a password, by the names that `sasl.mechanism` has. Java: `ScramMechanism`. */
export type ScramMechanism = 'scram-sha-256' | 'scram-sha-512';

/** What brokers tell of a credential. */
export interface ScramCredentialInfo {
  /** The mechanism that it is for; `unknown` if a newer broker has one that this release has no name for. */
  readonly mechanism: ScramMechanism | 'unknown';
  /** How often the password was hashed. */
  readonly iterations: number;
}

/** A user with the credentials for SCRAM. Java: `UserScramCredentialsDescription`. */
export interface UserScramCredentialsDescription {
  /** The name of the user. */
  readonly user: string;
  /** One for each mechanism that the user can log in with. */
  readonly credentials: readonly ScramCredentialInfo[];
}

/** A credential to set, whether the user has one or not. Java: `UserScramCredentialUpsertion`. */
export interface UserScramCredentialUpsertion {
  /** The name of the user. */
  readonly user: string;
  /** The mechanism that the credential is for; a user may have one for each. */
  readonly mechanism: ScramMechanism;
  /** The password. It is salted and hashed here, and neither sent nor shown. */
  readonly password: string;
  /** How often the password is hashed, from 4096 to 16384. @defaultValue 8192 */
  readonly iterations?: number | undefined;
  /** What is hashed with the password, so that equal ones do not show; one of your own only where the outcome must be the same again. @defaultValue 24 random bytes */
  readonly salt?: Uint8Array | undefined;
  /** See {@link UserScramCredentialDeletion}. */
  readonly delete?: undefined;
}

/** A credential to delete. Java: `UserScramCredentialDeletion`. */
export interface UserScramCredentialDeletion {
  /** The name of the user. */
  readonly user: string;
  /** The mechanism that the credential is for. */
  readonly mechanism: ScramMechanism;
  /** That it shall be deleted. */
  readonly delete: true;
}

/** What is changed about a user. Java: `UserScramCredentialAlteration`. */
export type UserScramCredentialAlteration = UserScramCredentialUpsertion | UserScramCredentialDeletion;

const DEFAULT_ITERATIONS = 8192;
const SALT_BYTES = 24;

const mechanisms: Readonly<Record<ScramMechanism, { readonly number: number; readonly hash: PasswordHash }>> = {
  'scram-sha-256': { number: 1, hash: 'sha256' },
  'scram-sha-512': { number: 2, hash: 'sha512' },
};
const mechanismNames = Object.keys(mechanisms) as ScramMechanism[];

const salt: OptionRule = {
  expected: 'a Uint8Array that is not empty',
  accepts: (value) => value instanceof Uint8Array && value.length > 0,
};

const otherNames = {
  username: 'use user',
  name: 'use user',
  users: 'give a change for each user and mechanism, one or a list of them',
  upsertions: 'give the changes themselves, one or a list of them',
  deletions: 'give the changes themselves; those with delete: true delete',
  saltedPassword: 'use password: it is salted here',
  info: 'use mechanism and iterations',
};

const upsertion = checkedFields<UserScramCredentialUpsertion>(
  'a SCRAM credential to set',
  {
    user: nonEmptyString,
    mechanism: oneOf(mechanismNames),
    password: nonEmptyString,
    // Brokers refuse all others: nobody shall wait for a hash that is of no use.
    iterations: integer(4096, 16_384),
    salt,
    delete: oneOf([true]),
  },
  ['user', 'mechanism', 'password'],
  otherNames,
);

const deletion = checkedFields<UserScramCredentialDeletion>(
  'a SCRAM credential to delete',
  { user: nonEmptyString, mechanism: oneOf(mechanismNames), delete: oneOf([true]) },
  ['user', 'mechanism', 'delete'],
  { ...otherNames, password: 'leave it out, or leave out delete', salt: 'leave it out', iterations: 'leave it out' },
);

/** What is wrong with a change. What is no object may be a password, and is not shown. */
export const scramAlteration: ItemCheck = (item) => {
  if (!object.accepts(item)) return `no object given, where { user, mechanism, password } was expected`;
  return (item as { readonly delete?: unknown }).delete === undefined ? upsertion(item) : deletion(item);
};

/** What is wrong with the name of a user. */
export const userName: ItemCheck = (item) =>
  nonEmptyString.accepts(item) ? undefined : expectedInstead('the name of a user', item);

/** All users that have credentials, by name. */
export async function describeAllUserScramCredentials(call: AdminCall): Promise<UserScramCredentialsDescription[]> {
  const { results } = await describe(call, null);
  return results
    .flatMap((result) => {
      // Its last credential was deleted while the answer was made.
      if (result.errorCode === brokerErrorCodes.RESOURCE_NOT_FOUND) return [];
      if (result.errorCode === 0) return [descriptionOf(result)];
      throw brokerError(result.errorCode, describing(result.user), result.errorMessage);
    })
    .sort((a, b) => (a.user < b.user ? -1 : 1));
}

/** The credentials of some users. */
export function describeUserScramCredentials(
  call: AdminCall,
  users: readonly string[],
): Promise<SettledItem<UserScramCredentialsDescription>[]> {
  return inRounds(call, users, (left) =>
    orRejected(left, async () => {
      // Brokers refuse a user who is named twice.
      const names = [...new Set(left)].map((name) => ({ name }));
      const { results } = await describe(call, names);
      return left.map((name): ItemOutcome<UserScramCredentialsDescription> => {
        const result = results.find(({ user }) => user === name);
        if (result === undefined) return rejected(unanswered(describing(name)));
        if (result.errorCode !== 0) return refused(result.errorCode, describing(name), result.errorMessage);
        return fulfilled(descriptionOf(result));
      });
    }),
  );
}

/** Sets and deletes credentials. */
export async function alterUserScramCredentials(
  call: AdminCall,
  items: readonly UserScramCredentialAlteration[],
): Promise<SettledItem<void>[]> {
  refuseTwice(
    call.doing,
    items,
    ({ user, mechanism }) => `${mechanism} ${user}`,
    ({ user, mechanism }) =>
      `two changes given for the ${mechanism} credential of user ${quote(user)}; make them in two calls`,
  );
  const alterations = await salted(call, items);
  return inRounds(call, alterations, (left) =>
    // Brokers refuse a request that names a user twice: with one mechanism in each, none does.
    inGroups(
      left,
      ({ mechanism }) => mechanism,
      (_mechanism, group) => orRejected(group, () => alterOnce(call, group)),
    ),
  );
}

async function alterOnce(call: AdminCall, alterations: readonly Alteration[]): Promise<ItemOutcome<void>[]> {
  let tries = 0;
  const { results } = await call.request({
    api: AlterUserScramCredentials,
    to: { kind: 'controller' },
    message: () => {
      tries += 1;
      return alterationMessage(alterations);
    },
    errorCode: (answer) => controllerCode(answer.results),
  });
  return alterations.map(({ user, mechanism, credential }): ItemOutcome<void> => {
    const doing = `Cannot ${credential === undefined ? 'delete' : 'set'} the ${mechanism} credential of user ${quote(user)}`;
    const result = results.find((candidate) => candidate.user === user);
    if (result === undefined) return rejected(unanswered(doing));
    if (result.errorCode === 0) return fulfilled(undefined);
    // An earlier try has deleted it, whose answer was lost.
    const isGone = result.errorCode === brokerErrorCodes.RESOURCE_NOT_FOUND && credential === undefined;
    return isGone && tries > 1 ? fulfilled(undefined) : refused(result.errorCode, doing, result.errorMessage);
  });
}

/** A change as it is sent: the password is gone. */
interface Alteration {
  readonly user: string;
  readonly mechanism: ScramMechanism;
  /** Undefined if it is to be deleted. */
  readonly credential:
    { readonly iterations: number; readonly salt: Buffer; readonly saltedPassword: Buffer } | undefined;
}

/** One password after the other: many at a time would keep all threads of the pool busy, and name lookups and files waiting. */
async function salted(call: AdminCall, items: readonly UserScramCredentialAlteration[]): Promise<Alteration[]> {
  const wanted = items.map((item) => ({ ...item, salt: item.delete ? undefined : saltOf(item) }));
  const alterations: Alteration[] = [];
  for (const item of wanted) {
    const { user, mechanism } = item;
    call.options().signal?.throwIfAborted();
    if (item.salt === undefined || item.delete) {
      alterations.push({ user, mechanism, credential: undefined });
      continue;
    }
    const { password, iterations = DEFAULT_ITERATIONS } = item;
    const saltedPassword = await saltPassword(mechanisms[mechanism].hash, password, item.salt, iterations);
    alterations.push({ user, mechanism, credential: { iterations, salt: item.salt, saltedPassword } });
  }
  return alterations;
}

/** A copy, as the caller may use the memory again while earlier passwords are hashed. */
function saltOf({ salt: given }: UserScramCredentialUpsertion): Buffer {
  return given === undefined ? randomBytes(SALT_BYTES) : Buffer.from(given);
}

function alterationMessage(alterations: readonly Alteration[]): AlterUserScramCredentialsRequest {
  const message: AlterUserScramCredentialsRequest = { deletions: [], upsertions: [] };
  for (const { user, mechanism, credential } of alterations) {
    const what = { name: user, mechanism: mechanisms[mechanism].number };
    if (credential === undefined) message.deletions.push(what);
    else message.upsertions.push({ ...what, ...credential });
  }
  return message;
}

function describe(
  call: AdminCall,
  users: { readonly name: string }[] | null,
): Promise<DescribeUserScramCredentialsResponse> {
  return call.request({
    api: DescribeUserScramCredentials,
    to: { kind: 'any' },
    message: { users },
    errorCode: (answer) => answer.errorCode,
    errorMessage: (answer) => answer.errorMessage,
  });
}

function describing(user: string): string {
  return `Cannot describe the SCRAM credentials of user ${quote(user)}`;
}

function descriptionOf({
  user,
  credentialInfos,
}: DescribeUserScramCredentialsResponseDescribeUserScramCredentialsResult): UserScramCredentialsDescription {
  const credentials = credentialInfos.map(({ mechanism, iterations }) => ({
    mechanism: mechanismNames.find((name) => mechanisms[name].number === mechanism) ?? ('unknown' as const),
    iterations,
  }));
  return { user, credentials };
}
