import type { SettledItem } from '../errors/admin-error.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { CreateAcls, type CreateAclsRequestAclCreation } from '../protocol/generated/create-acls.ts';
import { DeleteAcls } from '../protocol/generated/delete-acls.ts';
import { DescribeAcls, type DescribeAclsRequest } from '../protocol/generated/describe-acls.ts';
import { nonEmptyString, oneOf, quote } from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { checkedFields, type ItemCheck } from './item-check.ts';
import { fulfilled, inGroups, inRounds, orRejected, refused, rejected, unanswered, type ItemOutcome } from './items.ts';
import { principal } from './principals.ts';

/**
 * What access is granted to. The cluster is called `kafka-cluster`; `user` is for delegation tokens that are made for others (KIP-373,
 * brokers from 3.3). Java: `ResourceType`.
 *
 * `unknown` is what a newer broker has and this release has no name for: it is answered, and refused in calls.
 */
export type AclResourceType =
  'topic' | 'group' | 'cluster' | 'transactionalId' | 'delegationToken' | 'user' | 'unknown';

/**
 * How the name of a resource is meant: that name and no other (`*` for all of the type), or all names that begin with it (KIP-290).
 * Java: `PatternType`. For `unknown` see {@link AclResourceType}.
 */
export type AclPatternType = 'literal' | 'prefixed' | 'unknown';

/** What is done with a resource; `all` is any of them. Java: `AclOperation`. For `unknown` see {@link AclResourceType}. */
export type AclOperation =
  | 'all'
  | 'read'
  | 'write'
  | 'create'
  | 'delete'
  | 'alter'
  | 'describe'
  | 'clusterAction'
  | 'describeConfigs'
  | 'alterConfigs'
  | 'idempotentWrite'
  | 'createTokens'
  | 'describeTokens'
  | 'twoPhaseCommit'
  | 'unknown';

/** Whether it may be done: what is denied stays so, whatever allows it. Java: `AclPermissionType`. For `unknown` see {@link AclResourceType}. */
export type AclPermissionType = 'allow' | 'deny' | 'unknown';

/** A rule of access to create. */
export interface NewAcl {
  /** The type of the resource. */
  readonly resourceType: AclResourceType;
  /** The name of the topic, the group …, or how names begin; `*` for all of the type, `kafka-cluster` for the cluster. */
  readonly resourceName: string;
  /** How the name is meant. @defaultValue literal */
  readonly patternType?: AclPatternType | undefined;
  /** For whom the rule is: a type and a name, `User:alice`, or `User:*` for everybody. */
  readonly principal: string;
  /** The address that the principal connects from; `*` for any. @defaultValue `*` */
  readonly host?: string | undefined;
  /** What is done. */
  readonly operation: AclOperation;
  /** Whether it may be. */
  readonly permissionType: AclPermissionType;
}

/** A rule of access (an access control list entry). Java: `AclBinding`. */
export interface Acl extends NewAcl {
  /** How the name is meant. */
  readonly patternType: AclPatternType;
  /** The address that the principal connects from; `*` for any. */
  readonly host: string;
}

/** Which rules are meant: those for which all that is given holds. An {@link Acl} is a filter for itself. Java: `AclBindingFilter`. */
export interface AclFilter {
  /** The type of the resource. @defaultValue any */
  readonly resourceType?: AclResourceType | 'any' | undefined;
  /** The name as it stands in the rule; with `match`, the name of a resource. @defaultValue any */
  readonly resourceName?: string | undefined;
  /**
   * How the name is meant in the rule. `match` finds all rules that apply to a resource of this name: those with the name itself, with how it
   * begins, and with `*`.
   *
   * @defaultValue any
   */
  readonly patternType?: AclPatternType | 'any' | 'match' | undefined;
  /** The principal as it stands in the rule. @defaultValue any */
  readonly principal?: string | undefined;
  /** The host as it stands in the rule: `*` finds the rules for any host, and no others. @defaultValue any */
  readonly host?: string | undefined;
  /** The operation as it stands in the rule: `all` finds the rules for all operations, and no others. @defaultValue any */
  readonly operation?: AclOperation | 'any' | undefined;
  /** Whether the rules allow or deny. @defaultValue any */
  readonly permissionType?: AclPermissionType | 'any' | undefined;
}

type Known<Name extends string> = Exclude<Name, 'unknown'>;

/** What matches all, in each of Kafka's enumerations. */
const ANY = 1;

const resourceTypes: Readonly<Record<Known<AclResourceType>, number>> = {
  topic: 2,
  group: 3,
  cluster: 4,
  transactionalId: 5,
  delegationToken: 6,
  user: 7,
};

const patternTypes: Readonly<Record<Known<AclPatternType>, number>> = { literal: 3, prefixed: 4 };
const filterPatternTypes = { ...patternTypes, match: 2 };

const operations: Readonly<Record<Known<AclOperation>, number>> = {
  all: 2,
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
  createTokens: 13,
  describeTokens: 14,
  twoPhaseCommit: 15,
};

const permissionTypes: Readonly<Record<Known<AclPermissionType>, number>> = { deny: 2, allow: 3 };

const CLUSTER_NAME = 'kafka-cluster';

const otherNames = {
  acl: 'give the ACLs themselves, one or a list of them',
  acls: 'give the ACLs themselves, one or a list of them',
  filters: 'give the filters themselves, one or a list of them',
  type: 'use resourceType',
  name: 'use resourceName',
  topic: "use resourceType: 'topic' and resourceName",
  group: "use resourceType: 'group' and resourceName",
  pattern: 'use resourceType, resourceName and patternType',
  resourcePatternType: 'use patternType',
  entry: 'use principal, host, operation and permissionType',
  permission: 'use permissionType',
  operations: 'use operation; each ACL is about one',
  signal: 'options are the second argument',
  timeoutMs: 'options are the second argument',
  settled: 'options are the second argument',
};

const newAclFields = checkedFields<NewAcl>(
  'an ACL to create',
  {
    resourceType: oneOf(Object.keys(resourceTypes)),
    resourceName: nonEmptyString,
    patternType: oneOf(Object.keys(patternTypes)),
    principal,
    host: nonEmptyString,
    operation: oneOf(Object.keys(operations)),
    permissionType: oneOf(Object.keys(permissionTypes)),
  },
  ['resourceType', 'resourceName', 'principal', 'operation', 'permissionType'],
  otherNames,
);

/** What is wrong with an ACL to create. */
export const newAcl: ItemCheck = (item) => newAclFields(item) ?? clusterProblem(item as NewAcl);

/** What is wrong with a filter for ACLs. */
export const aclFilter: ItemCheck = checkedFields<AclFilter>(
  'a filter for ACLs',
  {
    resourceType: oneOf([...Object.keys(resourceTypes), 'any']),
    resourceName: nonEmptyString,
    patternType: oneOf([...Object.keys(filterPatternTypes), 'any']),
    principal,
    host: nonEmptyString,
    operation: oneOf([...Object.keys(operations), 'any']),
    permissionType: oneOf([...Object.keys(permissionTypes), 'any']),
  },
  [],
  otherNames,
);

/** What is wrong with a filter for ACLs to delete: an undefined variable must not delete more than was meant. */
export const deletionFilter: ItemCheck = (item) => {
  const problem = aclFilter(item);
  if (problem !== undefined) return problem;
  const given = Object.entries(item as AclFilter);
  if (given.length === 0) return "the filter is empty; to delete all ACLs, give { resourceType: 'any' }";
  const missing = given.find(([, value]) => value === undefined)?.[0];
  return missing === undefined ? undefined : `undefined given for ${missing}; leave it out if it shall match all`;
};

function clusterProblem({ resourceType, resourceName, patternType }: NewAcl): string | undefined {
  if (resourceType !== 'cluster' || (resourceName === CLUSTER_NAME && patternType !== 'prefixed')) return undefined;
  return `${quote(resourceName)} given for the cluster, whose resourceName is ${quote(CLUSTER_NAME)}, literal`;
}

/** The rules that a filter finds. */
export async function describeAcls(call: AdminCall, filter: AclFilter): Promise<Acl[]> {
  const { resources } = await call.request({
    api: DescribeAcls,
    to: { kind: 'any' },
    message: filterMessage(filter),
    versions: { min: minVersionFor(filter) },
    errorCode: (answer) => answer.errorCode,
    errorMessage: (answer) => aclAdvice(answer.errorCode) ?? answer.errorMessage,
  });
  return resources.flatMap(({ acls, ...resource }) => acls.map((acl) => aclOf({ ...resource, ...acl })));
}

/** Creates rules; one that is there already stays. */
export function createAcls(call: AdminCall, items: readonly NewAcl[]): Promise<SettledItem<void>[]> {
  return atVersions(call, items, async (min, group) => {
    const { results } = await call.request({
      api: CreateAcls,
      to: { kind: 'any' },
      message: { creations: group.map(creationMessage) },
      versions: { min },
    });
    return group.map((acl, index): ItemOutcome<void> => {
      const doing = `Cannot create an ACL (${aclText(acl)})`;
      const result = results[index];
      if (result === undefined) return rejected(unanswered(doing));
      return result.errorCode === 0 ? fulfilled(undefined) : aclRefused(result, doing);
    });
  });
}

/** Deletes the rules that filters find. */
export function deleteAcls(call: AdminCall, filters: readonly AclFilter[]): Promise<SettledItem<Acl[]>[]> {
  return atVersions(call, filters, async (min, group) => {
    const { filterResults } = await call.request({
      api: DeleteAcls,
      to: { kind: 'any' },
      message: { filters: group.map(filterMessage) },
      versions: { min },
    });
    return group.map((filter, index): ItemOutcome<Acl[]> => {
      const doing = `Cannot delete the ACLs with ${filterText(filter)}`;
      const result = filterResults[index];
      if (result === undefined) return rejected(unanswered(doing));
      if (result.errorCode !== 0) return aclRefused(result, doing);
      const { matchingAcls } = result;
      const kept = matchingAcls.filter(({ errorCode }) => errorCode !== 0);
      const [first] = kept;
      if (first === undefined) return fulfilled(matchingAcls.map(aclOf));
      const share = `${kept.length} of ${matchingAcls.length} were not deleted, the first (${aclText(aclOf(first))})`;
      return aclRefused(first, `${doing}: ${share}`);
    });
  });
}

/** An item that only newer brokers understand must not fail the others. */
function atVersions<Item extends NewAcl | AclFilter, Result>(
  call: AdminCall,
  items: readonly Item[],
  send: (minVersion: number, items: readonly Item[]) => Promise<ItemOutcome<Result>[]>,
): Promise<SettledItem<Result>[]> {
  return inRounds(call, items, (left) =>
    inGroups(left, minVersionFor, (min, group) => orRejected(group, () => send(min, group))),
  );
}

function minVersionFor({ resourceType, operation }: NewAcl | AclFilter): number {
  return resourceType === 'user' || operation === 'createTokens' || operation === 'describeTokens' ? 3 : 1;
}

function aclRefused(
  { errorCode, errorMessage }: { readonly errorCode: number; readonly errorMessage: string | null },
  doing: string,
): ItemOutcome<never> {
  return refused(errorCode, doing, aclAdvice(errorCode) ?? errorMessage);
}

/** What to do about the refusal whose own words do not say it. */
function aclAdvice(code: number): string | undefined {
  if (code !== brokerErrorCodes.SECURITY_DISABLED) return undefined;
  return 'the cluster has no authorizer; set authorizer.class.name for its brokers and controllers';
}

function creationMessage(acl: NewAcl): CreateAclsRequestAclCreation {
  return {
    resourceType: numberOf(resourceTypes, acl.resourceType),
    resourceName: acl.resourceName,
    resourcePatternType: numberOf(patternTypes, acl.patternType ?? 'literal'),
    principal: acl.principal,
    host: acl.host ?? '*',
    operation: numberOf(operations, acl.operation),
    permissionType: numberOf(permissionTypes, acl.permissionType),
  };
}

function filterMessage(filter: AclFilter): DescribeAclsRequest {
  return {
    resourceTypeFilter: numberOf(resourceTypes, filter.resourceType),
    resourceNameFilter: filter.resourceName ?? null,
    patternTypeFilter: numberOf(filterPatternTypes, filter.patternType),
    principalFilter: filter.principal ?? null,
    hostFilter: filter.host ?? null,
    operation: numberOf(operations, filter.operation),
    permissionType: numberOf(permissionTypes, filter.permissionType),
  };
}

/** Kafka's number for a name that was checked before. */
function numberOf(numbers: Readonly<Record<string, number>>, name: string | undefined): number {
  return (name === undefined ? undefined : numbers[name]) ?? ANY;
}

function nameOf<Name extends string>(numbers: Readonly<Record<Name, number>>, wanted: number): Name | 'unknown' {
  const names = Object.keys(numbers) as Name[];
  return names.find((name) => numbers[name] === wanted) ?? 'unknown';
}

function aclOf(wire: {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}): Acl {
  return {
    resourceType: nameOf(resourceTypes, wire.resourceType),
    resourceName: wire.resourceName,
    patternType: nameOf(patternTypes, wire.patternType),
    principal: wire.principal,
    host: wire.host,
    operation: nameOf(operations, wire.operation),
    permissionType: nameOf(permissionTypes, wire.permissionType),
  };
}

/** `allow User:alice read of topic "orders"` */
function aclText({
  resourceType,
  resourceName,
  patternType,
  principal,
  host,
  operation,
  permissionType,
}: NewAcl): string {
  const what = `${resourceType} ${quote(resourceName)}${patternType === 'prefixed' ? ', prefixed' : ''}`;
  const from = host === undefined || host === '*' ? '' : ` from ${host}`;
  return `${permissionType} ${principal}${from} ${operation} of ${what}`;
}

/** `resourceType "topic", principal "User:alice"` */
function filterText(filter: AclFilter): string {
  return Object.entries(filter)
    .map(([name, value]) => `${name} ${quote(value)}`)
    .join(', ');
}
