import type { Acl, AclFilter, AclOperation, AclResourceType } from '../index.ts';
import type { CliOptions, GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { wordIn, wordOf } from './option-values.ts';

/** What options can name; the cluster has no name that one could choose. */
const namedTypes = [
  { option: 'topic', resourceType: 'topic' },
  { option: 'group', resourceType: 'group' },
  { option: 'transactional-id', resourceType: 'transactionalId' },
  { option: 'delegation-token', resourceType: 'delegationToken' },
  { option: 'user-principal', resourceType: 'user' },
] as const satisfies readonly { readonly resourceType: AclResourceType; readonly option: string }[];

type KnownOperation = Exclude<AclOperation, 'unknown'>;

const operations = [
  'all',
  ...(['read', 'write', 'create', 'delete', 'alter', 'describe', 'clusterAction', 'describeConfigs'] as const),
  ...(['alterConfigs', 'idempotentWrite', 'createTokens', 'describeTokens', 'twoPhaseCommit'] as const),
] as const satisfies readonly KnownOperation[];

/** What brokers ask for, of each type: a rule for anything else would be of no use. */
const askedFor: Readonly<Record<Resource['resourceType'], readonly KnownOperation[]>> = {
  topic: ['read', 'write', 'create', 'delete', 'alter', 'describe', 'describeConfigs', 'alterConfigs'],
  group: ['read', 'delete', 'describe', 'describeConfigs', 'alterConfigs'],
  cluster: ['create', 'alter', 'describe', 'clusterAction', 'describeConfigs', 'alterConfigs', 'idempotentWrite'],
  transactionalId: ['write', 'describe', 'twoPhaseCommit'],
  delegationToken: ['describe'],
  user: ['createTokens', 'describeTokens'],
};

type Role = Readonly<Partial<Record<Resource['resourceType'], readonly KnownOperation[]>>>;

/** What programs need; Kafka's own tool gives them the same. */
const roles = {
  producer: { topic: ['write', 'describe', 'create'], transactionalId: ['write', 'describe'] },
  consumer: { topic: ['read', 'describe'], group: ['read'] },
} as const satisfies Readonly<Record<string, Role>>;

/** The options that say what rules are about, for whom, and from where. */
export const aclOptions: CliOptions = {
  topic: { type: 'string', multiple: true, value: 'NAME', help: "a topic, or '*': all of them; may be repeated" },
  'topic-prefix': { type: 'string', multiple: true, value: 'TEXT', help: 'all topics whose names begin with this' },
  group: { type: 'string', multiple: true, value: 'ID', help: "a group, or '*'" },
  'group-prefix': { type: 'string', multiple: true, value: 'TEXT', help: 'all groups whose ids begin with this' },
  'transactional-id': { type: 'string', multiple: true, value: 'ID', help: "a transactional id, or '*'" },
  'transactional-id-prefix': { type: 'string', multiple: true, value: 'TEXT', help: 'all that begin with this' },
  'delegation-token': { type: 'string', multiple: true, value: 'ID', help: "a delegation token, or '*'" },
  'user-principal': {
    type: 'string',
    multiple: true,
    value: 'TYPE:NAME',
    help: 'somebody else, for whom delegation tokens are made or described',
  },
  cluster: { type: 'boolean', help: 'the cluster itself' },
  user: {
    type: 'string',
    multiple: true,
    value: 'NAME',
    help: "short for --principal User:NAME; '*': everybody; may be repeated",
  },
  principal: { type: 'string', multiple: true, value: 'TYPE:NAME', help: 'whom the rule is for; may be repeated' },
  host: { type: 'string', multiple: true, value: 'ADDRESS', help: "from where, '*': anywhere; may be repeated" },
  operation: { type: 'string', multiple: true, value: 'NAME', help: `${operations.join(', ')}; may be repeated` },
};

/** The options that find rules besides {@link aclOptions}. */
export const aclFilterOptions: CliOptions = {
  ...aclOptions,
  permission: { type: 'string', value: 'allow|deny', help: 'only rules that allow, or only those that deny' },
  match: {
    type: 'boolean',
    help: 'names are those of things: all rules that apply to them, also by how they begin or by *',
  },
};

/** The options that stand for the operations which programs need. */
export const aclRoleOptions: CliOptions = {
  producer: { type: 'boolean', help: 'what a producer needs: --topic, and --transactional-id if it has one' },
  consumer: { type: 'boolean', help: 'what a consumer needs: --topic and --group' },
  idempotent: { type: 'boolean', help: 'with --producer: what an idempotent one needs of brokers before 2.8 as well' },
};

interface Resource {
  readonly resourceType: (typeof namedTypes)[number]['resourceType'] | 'cluster';
  readonly resourceName: string;
  readonly patternType: 'literal' | 'prefixed';
}

/**
 * The rules that the options ask for: each operation on each resource for each principal from each host.
 *
 * @throws CliError for what is missing, or can never apply
 */
export function aclsOf(given: GivenArguments, permissionType: 'allow' | 'deny'): Acl[] {
  const program = `kavka acls ${permissionType}`;
  const hosts = given.texts('host').length === 0 ? ['*'] : given.texts('host');
  const principals = principalsOf(given);
  if (principals.length === 0)
    throw new CliError(`Cannot run ${program} for nobody: give --user NAME, or '*' for everybody`);
  return accessOf(given, program).flatMap(({ operation, ...resource }) =>
    principals.flatMap((principal) =>
      unique(hosts).map((host) => ({ ...resource, principal, host, operation, permissionType })),
    ),
  );
}

type Access = Resource & { readonly operation: KnownOperation };

/** Which operations on which resources are meant. */
function accessOf(given: GivenArguments, program: string): Access[] {
  const resources = resourcesOf(given);
  const wanted = operationsOf(given);
  const names = (['producer', 'consumer'] as const).filter((name) => given.has(name));
  if (given.has('idempotent') && !given.has('producer'))
    throw new CliError('Cannot use --idempotent without --producer');
  if (names.length > 0) {
    if (wanted.length > 0)
      throw new CliError('Cannot use --operation with --producer or --consumer, which stand for operations');
    const access = accessOfRoles(names, resources);
    return given.has('idempotent') ? [...access, { ...theCluster, operation: 'idempotentWrite' }] : access;
  }
  if (resources.length === 0)
    throw new CliError(
      `Cannot run ${program} on nothing: give --topic, --group, --transactional-id, --cluster, --delegation-token or --user-principal`,
    );
  if (wanted.length === 0)
    throw new CliError(`Cannot run ${program} without an operation: give --operation, once for each`);
  return resources.flatMap((resource) => wanted.map((operation) => usable({ ...resource, operation })));
}

function accessOfRoles(names: readonly (keyof typeof roles)[], resources: readonly Resource[]): Access[] {
  for (const name of names) requireFor(name, resources);
  return resources.flatMap((resource) => {
    const needed = unique(names.flatMap((name) => (roles[name] as Role)[resource.resourceType] ?? []));
    if (needed.length === 0)
      throw new CliError(`Cannot use ${optionOf(resource)} with --${names.join(' and --')}: that needs nothing of it`);
    return needed.map((operation) => ({ ...resource, operation }));
  });
}

/** @throws CliError a role lacks what it is about */
function requireFor(name: keyof typeof roles, resources: readonly Resource[]): void {
  const required = name === 'producer' ? ['topic'] : ['topic', 'group'];
  const missing = required.find((type) => !resources.some(({ resourceType }) => resourceType === type));
  if (missing === undefined) return;
  throw new CliError(`Cannot use --${name} without a ${missing}: give --${missing} or --${missing}-prefix`);
}

/** @throws CliError for a rule that no broker ever asks for */
function usable(access: Access): Access {
  const { resourceType, operation } = access;
  const asked = askedFor[resourceType];
  if (operation === 'all' || asked.includes(operation)) return access;
  throw new CliError(
    `Cannot use --operation ${operation} with ${optionOf(access)}: brokers ask for ${asked.join(', ')} there`,
  );
}

/**
 * Filters for the rules that the options mean: together they find those for which one of each kind of option holds.
 *
 * @throws CliError for what does not fit together
 */
export function aclFiltersOf(given: GivenArguments): AclFilter[] {
  const permissionType = wordOf(given, 'permission', ['allow', 'deny']);
  const matches = given.has('match');
  const resources = resourcesOf(given);
  const prefixed = resources.find(({ patternType }) => patternType === 'prefixed');
  if (matches && prefixed !== undefined)
    throw new CliError(`Cannot use ${optionOf(prefixed)} with --match: give the name of one that begins so`);
  if (matches && resources.length === 0)
    throw new CliError('Cannot use --match without a name: give --topic or another');
  let filters: AclFilter[] = [permissionType === undefined ? {} : { permissionType }];
  const narrow = (parts: readonly AclFilter[]): void => {
    if (parts.length > 0) filters = filters.flatMap((filter) => parts.map((part) => ({ ...filter, ...part })));
  };
  narrow(resources.map((resource) => (matches ? { ...resource, patternType: 'match' } : resource)));
  narrow(principalsOf(given).map((principal) => ({ principal })));
  narrow(unique(given.texts('host')).map((host) => ({ host })));
  narrow(operationsOf(given).map((operation) => ({ operation })));
  return filters;
}

/** Whether they say what the rules are about, or for whom. */
export function isNarrow(filter: AclFilter): boolean {
  return filter.resourceName !== undefined || filter.principal !== undefined;
}

const theCluster: Resource = { resourceType: 'cluster', resourceName: 'kafka-cluster', patternType: 'literal' };

/** @throws CliError for a principal that is none */
function resourcesOf(given: GivenArguments): Resource[] {
  given.texts('user-principal').forEach((text) => checkPrincipal('user-principal', text));
  const named = namedTypes.flatMap(({ option, resourceType }) => [
    ...unique(given.texts(option)).map((resourceName) => ({
      resourceType,
      resourceName,
      patternType: 'literal' as const,
    })),
    ...unique(given.texts(`${option}-prefix`)).map((resourceName) => ({
      ...{ resourceType, resourceName, patternType: 'prefixed' as const },
    })),
  ]);
  return given.has('cluster') ? [...named, theCluster] : named;
}

/** How it stands on the command line. */
function optionOf({ resourceType, resourceName, patternType }: Resource): string {
  const named = namedTypes.find((each) => each.resourceType === resourceType);
  if (named === undefined) return '--cluster';
  return `--${named.option}${patternType === 'prefixed' ? '-prefix' : ''} ${resourceName}`;
}

/** @throws CliError for what is no principal, or would become another one than was meant */
function principalsOf(given: GivenArguments): string[] {
  const users = given.texts('user').map((name) => {
    if (name.startsWith('User:'))
      throw new CliError(`Cannot use --user "${name}": give the name alone, or --principal ${name}`);
    return `User:${name}`;
  });
  const principals = given.texts('principal');
  principals.forEach((text) => checkPrincipal('principal', text));
  return unique([...users, ...principals]);
}

/** @throws CliError for what is no principal */
function checkPrincipal(option: string, text: string): void {
  if (!/^[^:]+:.+$/s.test(text))
    throw new CliError(`Cannot use --${option} "${text}": give a type and a name, such as User:alice`);
}

function operationsOf(given: GivenArguments): KnownOperation[] {
  return unique(given.texts('operation').map((text) => wordIn('operation', text, operations)));
}

function unique<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items)];
}
