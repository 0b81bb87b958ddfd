import type { GroupOffset, SettledItem, ShareGroupOffset, TopicPartition } from '../index.ts';
import { keyOf } from '../model/topic-partition.ts';
import { adminOptions, failWith, sortOut, withAdmin, type AdminSession } from './admin-command.ts';
import { namesOf, parseArguments, refuseMore, type CliOptions } from './arguments.ts';
import { CliError, CliFailure } from './cli-error.ts';
import type { Command } from './command.ts';
import { groupTypes, offsetsAt } from './group-standing.ts';
import { parseResetTarget, type ResetTarget } from './reset-target.ts';
import { table } from './table.ts';

const options: CliOptions = {
  topic: {
    type: 'string',
    multiple: true,
    value: 'NAME[:P,P…]',
    help: 'a topic, or some partitions of it; may be repeated',
  },
  to: {
    type: 'string',
    value: 'WHERE',
    help: 'earliest, latest, an offset, a time (2026-01-31T12:00:00Z), or so long ago (-PT1H)',
  },
  yes: { type: 'boolean', help: 'do it; without this, only what would be done is shown' },
  ...adminOptions,
};

/** `kavka groups reset`. */
export const resetCommand: Command = {
  name: 'reset',
  summary: 'set from where a group goes on',
  usage: 'kavka groups reset ID --topic NAME[:P,P…] --to WHERE [options]',
  about:
    'Sets from where a group goes on. Without --yes it only shows the offsets from before and those that would be set.\n' +
    'The consumers of the group must be stopped. A group that does not exist is made.',
  options,
  async run(args, terminal) {
    const given = parseArguments(args, options);
    const [groupId = ''] = namesOf(given, 'kavka groups reset', 'a group');
    refuseMore(given, 'kavka groups reset', 1);
    const topics = given.texts('topic').map(topicOf);
    if (topics.length === 0) throw new CliError(`Cannot reset group "${groupId}": give --topic, once for each topic`);
    const to = given.text('to');
    if (to === undefined)
      throw new CliError(`Cannot reset group "${groupId}": give --to, such as --to earliest or --to -PT1H`);
    const target = parseResetTarget(to, Date.now());
    const dryRun = !given.has('yes');
    await withAdmin(given, terminal, async (session) => {
      const isShare = await refuseMembers(session, groupId);
      const partitions = await partitionsOf(session, topics);
      const planned = await plan(session, { groupId, isShare, partitions, target });
      for (const { topic, partition, newOffset, wanted } of planned) {
        if (wanted === newOffset) continue;
        terminal.say(
          `Partition ${partition} of topic ${topic} has no offset ${wanted}: the nearest, ${newOffset}, is taken`,
        );
      }
      const { done, failures } = dryRun
        ? { done: planned, failures: [] }
        : sortOut(await apply(session, groupId, isShare, planned));
      const offsets = done.map(({ topic, partition, offset, newOffset }) => ({ topic, partition, offset, newOffset }));
      session.show({ groupId, dryRun, offsets }, () => {
        const columns = [
          { title: 'topic' },
          { title: 'partition', isNumber: true },
          { title: 'old', isNumber: true },
          { title: 'new', isNumber: true },
        ];
        const rows = offsets.map((at) => [at.topic, at.partition, at.offset, at.newOffset]);
        return rows.length === 0 ? '' : table(terminal, columns, rows);
      });
      if (dryRun) terminal.say('Nothing was changed: give --yes to set these offsets');
      failWith(failures);
    });
  },
};

interface ChosenTopic {
  readonly topic: string;
  /** All, if undefined. */
  readonly partitions: readonly number[] | undefined;
}

function topicOf(text: string): ChosenTopic {
  const match = /^([^:]+)(?::(\d{1,7}(?:,\d{1,7})*))?$/.exec(text);
  if (match === null)
    throw new CliError(`Cannot use --topic ${text}: give NAME, or NAME:0,2 for some of its partitions`);
  return { topic: match[1] ?? '', partitions: match[2]?.split(',').map(Number) };
}

/**
 * Whether it is a share group.
 *
 * @throws CliFailure if the group has members: they would go on where they are, and commit that over what is set here
 */
async function refuseMembers(session: AdminSession, groupId: string): Promise<boolean> {
  const { admin, limits } = session;
  const types = await groupTypes(session);
  const isShare = types.get(groupId) === 'share';
  if (!types.has(groupId)) return false;
  const { members } = isShare
    ? await admin.describeShareGroups(groupId, limits)
    : await admin.describeGroups(groupId, limits);
  if (members.length === 0) return isShare;
  const clients = [...new Set(members.map(({ clientId }) => clientId))].join(', ');
  throw new CliFailure(
    `Cannot reset group "${groupId}": it has ${members.length} ${members.length === 1 ? 'member' : 'members'} (${clients}); stop its consumers first`,
  );
}

/** @throws CliFailure for partitions that do not exist */
async function partitionsOf(
  { admin, limits }: AdminSession,
  topics: readonly ChosenTopic[],
): Promise<TopicPartition[]> {
  const names = [...new Set(topics.map(({ topic }) => topic))];
  const described = await admin.describeTopics(names, limits);
  const sizes = new Map(described.map(({ topic, partitions }) => [topic, partitions.length]));
  const chosen = topics.flatMap(({ topic, partitions }) => {
    const size = sizes.get(topic) ?? 0;
    const missing = partitions?.filter((partition) => partition >= size) ?? [];
    if (missing.length > 0)
      throw new CliFailure(`Cannot reset ${topic}:${missing.join(',')}: it has ${size} partitions`);
    const numbers = partitions ?? Array.from({ length: size }, (_, partition) => partition);
    return numbers.map((partition) => ({ topic, partition }));
  });
  return [...new Map(chosen.map((each) => [keyOf(each), each])).values()];
}

interface PlannedOffset extends TopicPartition {
  /** From before; undefined if the group has not begun there. */
  readonly offset: bigint | undefined;
  readonly newOffset: bigint;
  /** What was asked for, which the partition may not have. */
  readonly wanted: bigint;
}

async function plan(
  session: AdminSession,
  {
    groupId,
    isShare,
    partitions,
    target,
  }: {
    readonly groupId: string;
    readonly isShare: boolean;
    readonly partitions: readonly TopicPartition[];
    readonly target: ResetTarget;
  },
): Promise<PlannedOffset[]> {
  const { admin, limits } = session;
  const known = isShare
    ? await admin.listShareGroupOffsets(groupId, { ...limits, partitions })
    : await admin.listGroupOffsets(groupId, { ...limits, partitions });
  const before = new Map(known.map((at) => [keyOf(at), offsetOf(at)]));
  const first = await offsetsAt(session, partitions, 'earliest');
  const end = await offsetsAt(session, partitions, 'latest');
  const found = target.kind === 'place' ? await offsetsAt(session, partitions, target.at) : undefined;
  return partitions.map((each) => {
    const key = keyOf(each);
    const [least, most] = [first.get(key)?.offset, end.get(key)?.offset];
    const place = target.kind === 'offset' ? target.offset : found?.get(key)?.offset;
    if (least === undefined || most === undefined || place === undefined)
      throw new CliFailure(`Cannot reset group "${groupId}": the offsets of partition ${key} cannot be read just now`);
    // No record is of that time or later: what comes next is.
    const wanted = place < 0n ? most : place;
    const newOffset = wanted < least ? least : wanted > most ? most : wanted;
    return { ...each, offset: before.get(key), newOffset, wanted };
  });
}

function offsetOf(at: GroupOffset | ShareGroupOffset): bigint | undefined {
  return 'startOffset' in at ? at.startOffset : at.offset;
}

async function apply(
  { admin, limits }: AdminSession,
  groupId: string,
  isShare: boolean,
  planned: readonly PlannedOffset[],
): Promise<SettledItem<PlannedOffset>[]> {
  const settled = { ...limits, settled: true } as const;
  const places = planned.map(({ topic, partition, newOffset }) => ({ topic, partition, newOffset }));
  const results = isShare
    ? await admin.alterShareGroupOffsets(
        groupId,
        places.map(({ newOffset, ...at }) => ({ ...at, startOffset: newOffset })),
        settled,
      )
    : await admin.alterGroupOffsets(
        groupId,
        places.map(({ newOffset, ...at }) => ({ ...at, offset: newOffset })),
        settled,
      );
  return planned.map((value, index) => {
    const result = results[index];
    return result?.status === 'rejected' ? result : { status: 'fulfilled', value };
  });
}
