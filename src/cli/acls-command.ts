import type { Acl, AclFilter } from '../index.ts';
import {
  adminOptions,
  confirm,
  failWith,
  requireConsent,
  sortOut,
  withAdmin,
  yesOption,
  type AdminSession,
} from './admin-command.ts';
import { aclFilterOptions, aclFiltersOf, aclOptions, aclRoleOptions, aclsOf, isNarrow } from './acl-selection.ts';
import { parseArguments, refuseMore, type CliOptions, type GivenArguments } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { Command, CommandGroup } from './command.ts';
import { table } from './table.ts';
import { styled, type Terminal } from './terminal.ts';

const listOptions: CliOptions = { ...aclFilterOptions, ...adminOptions };

const listCommand: Command = {
  name: 'list',
  summary: 'the rules of access',
  usage: 'kavka acls list [options]',
  about:
    'Lists rules of access, all of them or those that the options find, as they stand. With --match it lists those that\n' +
    'apply to a topic, a group or a transactional id of this name.',
  options: listOptions,
  async run(args, terminal) {
    const given = parseArguments(args, listOptions);
    refuseMore(given, 'kavka acls list', 0);
    const filters = aclFiltersOf(given);
    await withAdmin(given, terminal, async (session) => {
      const acls = await find(session, filters);
      session.show(acls, () => {
        if (acls.length > 0) return aclTable(terminal, acls);
        if (filters.every((filter) => Object.keys(filter).length === 0))
          return styled(terminal, 'dim', 'There are no rules');
        const isNamed = filters.some(({ resourceName }) => resourceName !== undefined) && !given.has('match');
        const hint = isNamed ? '; --match finds those that apply to a name by its beginning or by *, too' : '';
        return styled(terminal, 'dim', `There are no such rules${hint}`);
      });
    });
  },
};

const deleteOptions: CliOptions = { ...aclFilterOptions, ...yesOption, ...adminOptions };

const deleteCommand: Command = {
  name: 'delete',
  summary: 'delete rules of access',
  usage: 'kavka acls delete [options]',
  about:
    'Deletes the rules that kavka acls list shows with the same options; these must say what the rules are about, or for\n' +
    'whom. It shows them and asks before; where there is nobody to ask, it needs --yes.',
  options: deleteOptions,
  async run(args, terminal) {
    const given = parseArguments(args, deleteOptions);
    refuseMore(given, 'kavka acls delete', 0);
    const filters = aclFiltersOf(given);
    if (!filters.every(isNarrow))
      throw new CliError(
        'Cannot delete rules that could be about anything: say which, by --user, --principal, --topic, --group, --transactional-id, --cluster, --delegation-token or --user-principal',
      );
    requireConsent(given, terminal);
    await withAdmin(given, terminal, async (session) => {
      // Where nobody looks at a list first, the controller finds them: it knows of rules that brokers have yet to hear of.
      const wanted = given.has('yes') ? filters : await askAbout(given, terminal, session, filters);
      const { done, failures } = sortOut(await session.admin.deleteAcls(wanted, { ...session.limits, settled: true }));
      const deleted = inOrder(done.flat());
      session.show(deleted, () => {
        const count = deleted.length === 1 ? '1 rule deleted' : `${deleted.length} rules deleted`;
        return given.has('yes') && deleted.length > 0 ? `${aclTable(terminal, deleted)}\n${count}` : count;
      });
      failWith(failures);
    });
  },
};

const createOptions = {
  allow: { ...aclOptions, ...aclRoleOptions, ...adminOptions },
  deny: { ...aclOptions, ...adminOptions },
} as const satisfies Readonly<Record<string, CliOptions>>;

function createCommand(permission: 'allow' | 'deny', summary: string, about: string): Command {
  const program = `kavka acls ${permission}`;
  const options = createOptions[permission];
  return {
    name: permission,
    summary,
    usage: `${program} [options]`,
    about,
    options,
    async run(args, terminal) {
      const given = parseArguments(args, options);
      refuseMore(given, program, 0);
      const acls = aclsOf(given, permission);
      await withAdmin(given, terminal, async ({ admin, limits, show }) => {
        const results = await admin.createAcls(acls, { ...limits, settled: true });
        const created = inOrder(acls.filter((_, index) => results[index]?.status === 'fulfilled'));
        show(created, () => (created.length === 0 ? '' : aclTable(terminal, created)));
        failWith(sortOut(results).failures);
      });
    },
  };
}

/**
 * The rules that the filters find, shown, and agreed to: these are deleted, and none that came meanwhile.
 *
 * @throws CliFailure if it was not agreed to
 */
async function askAbout(
  given: GivenArguments,
  terminal: Terminal,
  session: AdminSession,
  filters: readonly AclFilter[],
): Promise<Acl[]> {
  const acls = await find(session, filters);
  if (acls.length === 0) return [];
  // Not cut: what is deleted must be seen whole, if need be in lines that the terminal breaks.
  terminal.say(aclTable({ hasColors: terminal.hasColors, width: Infinity }, acls));
  const question = acls.length === 1 ? 'Delete this rule?' : `Delete these ${acls.length} rules?`;
  await confirm(given, terminal, `${question} Type y: `, 'y', session.limits.signal);
  return acls;
}

async function find({ admin, limits }: AdminSession, filters: readonly AclFilter[]): Promise<Acl[]> {
  return inOrder((await Promise.all(filters.map((filter) => admin.describeAcls(filter, limits)))).flat());
}

/** Each once, by what they are about and for whom: several filters may find the same. */
function inOrder(acls: readonly Acl[]): Acl[] {
  return [...new Map(acls.map((acl) => [JSON.stringify(cells(acl)), acl])).entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, acl]) => acl);
}

const columns = [
  { title: 'resource' },
  { title: 'name' },
  { title: 'pattern', isDim: true },
  { title: 'principal' },
  { title: 'permission' },
  { title: 'operation' },
  { title: 'host' },
];

function aclTable(terminal: Pick<Terminal, 'width' | 'hasColors'>, acls: readonly Acl[]): string {
  return table(terminal, columns, acls.map(cells));
}

function cells(acl: Acl): string[] {
  const { resourceType, resourceName, patternType, principal, permissionType, operation, host } = acl;
  return [resourceType, resourceName, patternType, principal, permissionType, operation, host];
}

/** `kavka acls`. */
export const aclsCommands: CommandGroup = {
  name: 'acls',
  summary: 'list, create and delete rules of access',
  about: 'Looks after the rules of access (ACLs): who may do what with which topics, groups and transactional ids.',
  commands: [
    listCommand,
    createCommand(
      'allow',
      'create rules that allow something',
      'Creates rules that allow operations: each --operation on each resource for each user, from each host. Resources are\n' +
        'named by --topic, --group, --transactional-id or --cluster, or by how their names begin. --producer and --consumer\n' +
        'stand for the operations that programs need. A rule that is there already stays.',
    ),
    createCommand(
      'deny',
      'create rules that deny something, whatever allows it',
      'Creates rules that deny operations, whatever allows them: each --operation on each resource for each user, from each\n' +
        'host. A rule that is there already stays.',
    ),
    deleteCommand,
  ],
  unnamed: listCommand,
};
