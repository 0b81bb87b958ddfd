import type { Admin, CallOptions, TopicPartition } from '../index.ts';
import { byTopic } from '../model/topic-partition.ts';
import {
  adminOptions,
  confirmDeletion,
  failWith,
  settleEach,
  sortOut,
  withAdmin,
  yesOption,
  type AdminSession,
} from './admin-command.ts';
import { namesOf, parseArguments, refuseMore, type CliOptions } from './arguments.ts';
import type { Command, CommandGroup } from './command.ts';
import { resetCommand } from './groups-reset-command.ts';
import { groupTypes, listStanding } from './group-standing.ts';
import { table } from './table.ts';
import { styled, type Terminal } from './terminal.ts';
import { visible } from './visible-text.ts';

const listCommand: Command = {
  name: 'list',
  summary: 'the groups of the cluster',
  usage: 'kavka groups list [options]',
  about: 'Lists groups of every type, by id.',
  options: adminOptions,
  async run(args, terminal) {
    const given = parseArguments(args, adminOptions);
    refuseMore(given, 'kavka groups list', 0);
    await withAdmin(given, terminal, async ({ admin, limits, show }) => {
      const groups = await admin.listGroups(limits);
      show(groups, () => {
        if (groups.length === 0) return styled(terminal, 'dim', 'There are no groups');
        const columns = [{ title: 'group' }, { title: 'type' }, { title: 'state' }];
        return table(
          terminal,
          columns,
          groups.map(({ groupId, type, state }) => [groupId, type, state]),
        );
      });
    });
  },
};

const describeCommand: Command = {
  name: 'describe',
  summary: 'members with their partitions, offsets and lag',
  usage: 'kavka groups describe ID… [options]',
  about:
    'Shows the members of groups and what each reads, and how far the group is in each partition: the next offset to\n' +
    'read (of a share group, the first that it is not done with), the end, and how many records are between.',
  options: adminOptions,
  async run(args, terminal) {
    const given = parseArguments(args, adminOptions);
    const ids = namesOf(given, 'kavka groups describe', 'a group');
    await withAdmin(given, terminal, async (session) => {
      const types = await groupTypes(session);
      const { done, failures } = sortOut(
        await settleEach(ids, (id) => describeGroup(session, id, types.get(id) === 'share')),
      );
      session.show(done, () => done.map((group) => groupText(terminal, group)).join('\n\n'));
      failWith(failures);
    });
  },
};

type DescribedGroup = Awaited<ReturnType<typeof describeGroup>>;

async function describeGroup(session: AdminSession, groupId: string, isShare: boolean) {
  const description = isShare
    ? { type: 'share' as const, ...(await session.admin.describeShareGroups(groupId, session.limits)) }
    : await session.admin.describeGroups(groupId, session.limits);
  const assigned = description.members.flatMap(({ assignment }) => assignment);
  return { ...description, offsets: await listStanding(session, groupId, isShare, assigned) };
}

function groupText(terminal: Terminal, group: DescribedGroup): string {
  const { groupId, type, state, assignor, coordinatorId, members, offsets } = group;
  const facts = [type, state, ...(assignor === '' ? [] : [assignor]), `coordinator ${coordinatorId}`];
  const columns = [{ title: 'member' }, { title: 'client' }, { title: 'host' }, { title: 'partitions' }];
  const rows = members.map((member) => [
    member.memberId,
    member.clientId,
    member.clientHost,
    partitionsText(member.assignment),
  ]);
  const offsetColumns = [
    { title: 'topic' },
    { title: 'partition', isNumber: true },
    { title: type === 'share' ? 'start' : 'committed', isNumber: true },
    { title: 'end', isNumber: true },
    { title: 'lag', isNumber: true },
  ];
  const offsetRows = offsets.map((at) => [
    at.topic,
    at.partition,
    'startOffset' in at ? at.startOffset : at.offset,
    at.endOffset,
    at.lag,
  ]);
  return [
    `${styled(terminal, 'bold', visible(groupId))}  ${visible(facts.join(', '))}`,
    rows.length === 0 ? styled(terminal, 'dim', '  no members') : table(terminal, columns, rows, '  '),
    offsetRows.length === 0
      ? styled(terminal, 'dim', '  no offsets')
      : table(terminal, offsetColumns, offsetRows, '  '),
  ].join('\n');
}

/** `orders:0,1 payments:2` */
function partitionsText(partitions: readonly TopicPartition[]): string | undefined {
  if (partitions.length === 0) return undefined;
  return byTopic(partitions)
    .map(
      ([topic, ofTopic]) =>
        `${topic}:${ofTopic
          .map(({ partition }) => partition)
          .sort((a, b) => a - b)
          .join(',')}`,
    )
    .join(' ');
}

const deleteOptions: CliOptions = { ...yesOption, ...adminOptions };

const deleteCommand: Command = {
  name: 'delete',
  summary: 'delete groups with their offsets',
  usage: 'kavka groups delete ID… [options]',
  about:
    'Deletes groups that have no members, of any type, with their offsets. It asks before; where there is nobody to\n' +
    'ask, it needs --yes.',
  options: deleteOptions,
  async run(args, terminal) {
    const given = parseArguments(args, deleteOptions);
    const ids = namesOf(given, 'kavka groups delete', 'a group');
    await confirmDeletion(given, terminal, 'group', ids, { ofOne: 'its offsets', ofMany: 'their offsets' });
    await withAdmin(given, terminal, async ({ admin, limits, show }) => {
      const { done, failures } = sortOut(await deleteGroups(admin, ids, limits));
      show(done, () => done.map(({ groupId }) => `${visible(groupId)} deleted`).join('\n'));
      failWith(failures);
    });
  },
};

/** Which were deleted: the call itself answers nothing about those. */
async function deleteGroups(admin: Admin, ids: readonly string[], limits: CallOptions) {
  const results = await admin.deleteGroups(ids, { ...limits, settled: true });
  return results.map((result, index) => {
    if (result.status === 'rejected') return result;
    return { status: result.status, value: { groupId: ids[index] ?? '', deleted: true } };
  });
}

/** `kavka groups`. */
export const groupsCommands: CommandGroup = {
  name: 'groups',
  summary: 'list, describe and delete groups, and set their offsets',
  about: 'Looks after groups of consumers: classic ones, those of the new protocol, and share groups.',
  commands: [listCommand, describeCommand, deleteCommand, resetCommand],
  unnamed: listCommand,
};
