import { apis } from '../../../../src/protocol/index.ts';
import { RawGroup, sortMembers, subscription, type RawMember } from '../group-requests.ts';
import { normalise, type Scenario } from '../scenario.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const plan = (...members: readonly RawMember[]) =>
  members.map(({ memberId }, at) => ({ memberId, assignment: bytes(`part-${at}`) }));

/** Two members in a stable group of generation 2; the first leads. */
async function stablePair(group: RawGroup): Promise<[RawMember, RawMember]> {
  const [a, b] = [await group.member(), await group.member()];
  await a.join();
  await a.sync(plan(a));
  const joined = b.join();
  while ((await a.heartbeat()).errorCode === 0);
  await Promise.all([a.join(), joined]);
  await Promise.all([b.sync(), a.sync(plan(a, b))]);
  return [a, b];
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'a first member joins in every version, leads, syncs, beats and leaves',
    async run(kafka) {
      const answers = [];
      for (let version = 0; version <= 9; version++) {
        const group = await RawGroup.create(kafka);
        const member = await group.member();
        const first = await member.join(version);
        const firstId = member.memberId;
        const second = version >= 4 ? await member.join(version) : undefined;
        const synced = await member.sync(plan(member), Math.min(version, 5));
        const beat = await member.heartbeat();
        const left = await member.leave(Math.min(version, 5));
        const again = await member.leave(Math.min(version, 5));
        const names = { member: member.memberId, first: firstId };
        answers.push(normalise({ version, first, second, synced, beat, left, again }, names));
      }
      return answers;
    },
  },
  {
    name: 'an id that was given out begins with the client id, or the group instance id',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const [a, b] = [
        await group.member({ clientId: 'me' }),
        await group.member({ groupInstanceId: 'inst', clientId: 'me' }),
      ];
      await a.join(4);
      await b.join(5);
      const shape = /-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
      return [a, b].map(({ memberId }) => memberId.replace(shape, '-<uuid>'));
    },
  },
  {
    name: 'who is told to rejoin when a second member comes',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const [a, b] = [await group.member(), await group.member()];
      await a.join();
      const synced = await a.sync(plan(a));
      const joined = b.join();
      let beat = await a.heartbeat();
      while (beat.errorCode === 0) beat = await a.heartbeat();
      const syncMeanwhile = await a.sync(plan(a));
      const rejoined = await a.join();
      const second = await joined;
      const beatsWhileCompleting = [await a.heartbeat(), await b.heartbeat()];
      const oldGeneration = await a.heartbeat(1);
      const waiting = b.sync();
      const leader = await a.sync(plan(a, b));
      const names = { a: a.memberId, b: b.memberId };
      return sortMembers(
        normalise(
          {
            synced,
            beat,
            syncMeanwhile,
            rejoined,
            second,
            beatsWhileCompleting,
            oldGeneration,
            leader,
            follower: await waiting,
            beats: [await a.heartbeat(), await b.heartbeat()],
          },
          names,
        ),
      );
    },
  },
  {
    name: 'a follower that joins again in a stable group gets its generation, the leader begins a rebalance',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const [a, b] = await stablePair(group);
      const follower = await b.join();
      const followerSync = await b.sync();
      const leaderJoin = a.join();
      let beat = await b.heartbeat();
      while (beat.errorCode === 0) beat = await b.heartbeat();
      const both = await Promise.all([leaderJoin, b.join()]);
      return sortMembers(normalise({ follower, followerSync, beat, both }, { a: a.memberId, b: b.memberId }));
    },
  },
  {
    name: 'a member that joins again before the assignment gets the same generation; with other metadata it begins a new one',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const a = await group.member();
      const first = await a.join();
      const same = await a.join();
      a.options.protocols.splice(0, 1, { name: 'range', metadata: subscription('other') });
      const changed = await a.join();
      return normalise({ first, same, changed }, { a: a.memberId });
    },
  },
  {
    name: 'a sync that waits is told of the rebalance that another member begins',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const [a, b] = await stablePair(group);
      const begun = a.join();
      while ((await b.heartbeat()).errorCode === 0);
      await Promise.all([begun, b.join()]);
      const waiting = b.sync();
      const c = await group.member();
      const third = c.join();
      const interrupted = await waiting;
      const rejoined = await Promise.all([a.join(), b.join(), third]);
      return sortMembers(normalise({ interrupted, rejoined }, { a: a.memberId, b: b.memberId, c: c.memberId }));
    },
  },
  {
    name: 'members and generations that are not known are refused',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const nobody = await group.member();
      nobody.memberId = 'nobody';
      nobody.generationId = 1;
      const inNoGroup = {
        join: await nobody.join(),
        sync: await nobody.sync(),
        beat: await nobody.heartbeat(),
        leave: await nobody.leave(),
        leaveOld: await nobody.leave(1),
      };
      const [a] = await stablePair(group);
      const inGroup = {
        join: await nobody.join(),
        sync: await nobody.sync(),
        beat: await nobody.heartbeat(),
        leave: await nobody.leave(),
        leaveOld: await nobody.leave(1),
      };
      const wrongGeneration = [await a.sync([], 3, 7), await a.heartbeat(7), await a.heartbeat(-1)];
      return normalise({ inNoGroup, inGroup, wrongGeneration }, { a: a.memberId });
    },
  },
  {
    name: 'a group without a name, and session timeouts out of range, are refused',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const connection = await group.connect();
      const join = (sessionTimeoutMs: number, groupId: string) =>
        connection.send(apis.JoinGroup, 5, {
          groupId,
          sessionTimeoutMs,
          rebalanceTimeoutMs: 1000,
          memberId: '',
          protocolType: 'consumer',
          protocols: [{ name: 'range', metadata: subscription() }],
        });
      return normalise([
        await join(5999, group.groupId),
        await join(1_800_001, group.groupId),
        await join(10_000, ''),
        await connection.send(apis.SyncGroup, 3, { groupId: '', generationId: 1, memberId: 'm', assignments: [] }),
        await connection.send(apis.Heartbeat, 3, { groupId: '', generationId: 1, memberId: 'm' }),
        await connection.send(apis.LeaveGroup, 3, { groupId: '', members: [{ memberId: 'm' }] }),
        await connection.send(apis.LeaveGroup, 2, { groupId: '', memberId: 'm' }),
      ]);
    },
  },
  {
    name: 'protocols must fit the group',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const empty = await group.member({ protocols: [] });
      const untyped = await group.member({ protocolType: '' });
      const refused = [await empty.join(), await untyped.join()];
      const a = await group.member();
      await a.join();
      await a.sync(plan(a));
      const otherType = await group.member({ protocolType: 'connect' });
      const otherName = await group.member({ protocols: [{ name: 'sticky', metadata: subscription() }] });
      const inStable = [await otherType.join(), await otherName.join()];
      const sync = (protocolType: string | null, protocolName: string | null) =>
        a.connection.send(apis.SyncGroup, 5, {
          groupId: group.groupId,
          generationId: 1,
          memberId: a.memberId,
          protocolType,
          protocolName,
          assignments: [],
        });
      const syncs = [
        await sync('consumer', 'range'),
        await sync('connect', 'range'),
        await sync('consumer', 'sticky'),
        await sync(null, 'range'),
        await sync('consumer', null),
      ];
      return normalise({ refused, inStable, syncs }, { a: a.memberId });
    },
  },
  {
    name: 'members vote for the protocol that all know',
    async run(kafka) {
      const vote = async (...lists: readonly (readonly string[])[]): Promise<unknown> => {
        const group = await RawGroup.create(kafka);
        const members = await Promise.all(
          lists.map((list) =>
            group.member({ protocols: list.map((name) => ({ name, metadata: bytes(name) })), protocolType: 'x' }),
          ),
        );
        const [leader] = members;
        if (leader === undefined) throw new Error('no members');
        await leader.join();
        await leader.sync(plan(leader));
        const others = members.slice(1).map((member) => member.join());
        while ((await leader.heartbeat()).errorCode === 0);
        // All who come must be there before the leader is: it completes the rebalance.
        await leader.connection.send(apis.DescribeGroups, 0, { groups: [group.groupId] });
        let count = 0;
        while (count < members.length) {
          const { groups } = await leader.connection.send(apis.DescribeGroups, 0, { groups: [group.groupId] });
          count = groups[0]?.members.length ?? 0;
        }
        const [answer] = await Promise.all([leader.join(), ...others]);
        return answer.protocolName;
      };
      return [
        await vote(['range', 'roundrobin'], ['roundrobin', 'range']),
        await vote(['roundrobin', 'range'], ['range', 'roundrobin']),
        await vote(['a', 'b'], ['b', 'a'], ['b']),
        await vote(['a', 'b'], ['b', 'c'], ['c', 'b']),
        await vote(['sticky', 'cooperative-sticky'], ['cooperative-sticky', 'sticky']),
        await vote(['x', 'y', 'z'], ['z', 'y', 'x']),
      ];
    },
  },
  {
    name: 'a static member that comes back takes its place without a rebalance, and fences its former self',
    async run(kafka) {
      const answers = [];
      for (const version of [5, 9]) {
        const group = await RawGroup.create(kafka);
        const old = await group.member({ groupInstanceId: 'inst' });
        const first = await old.join(version);
        const synced = await old.sync(plan(old));
        const back = await group.member({ groupInstanceId: 'inst' });
        const rejoined = await back.join(version);
        const syncedBack = await back.sync([]);
        const fenced = {
          beat: await old.heartbeat(),
          sync: await old.sync(),
          leave: await old.leave(),
          join: await old.join(version),
        };
        const beat = await back.heartbeat();
        const unknown = await group.member({ groupInstanceId: 'other' });
        unknown.memberId = back.memberId;
        unknown.generationId = 1;
        const unknownInstance = { beat: await unknown.heartbeat(), leave: await unknown.leave() };
        const names = { back: back.memberId, old: old.memberId, first: first.memberId };
        answers.push(normalise({ version, first, synced, rejoined, syncedBack, fenced, beat, unknownInstance }, names));
      }
      return answers;
    },
  },
  {
    name: 'a static follower that comes back is given its assignment; one with another protocol begins a rebalance',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const a = await group.member();
      await a.join();
      await a.sync(plan(a));
      const s = await group.member({ groupInstanceId: 'inst' });
      const joined = s.join();
      while ((await a.heartbeat()).errorCode === 0);
      await Promise.all([a.join(), joined]);
      await Promise.all([s.sync(), a.sync(plan(a, s))]);
      const oldId = s.memberId;
      s.memberId = '';
      const back = await s.join();
      const backSync = await s.sync();
      const beats = [await a.heartbeat(), await s.heartbeat()];
      const removed = await a.connection.send(apis.LeaveGroup, 3, {
        groupId: group.groupId,
        members: [
          { memberId: '', groupInstanceId: 'inst' },
          { memberId: '', groupInstanceId: 'none' },
          { memberId: '' },
        ],
      });
      const told = await a.heartbeat();
      return normalise({ back, backSync, beats, removed, told }, { a: a.memberId, s: s.memberId, old: oldId });
    },
  },
  {
    name: 'several members leave at once, and the rest is told',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const [a, b] = await stablePair(group);
      const left = await a.connection.send(apis.LeaveGroup, 5, {
        groupId: group.groupId,
        members: [{ memberId: b.memberId, reason: 'why not' }, { memberId: 'nobody' }],
      });
      const beats = [await a.heartbeat(), await b.heartbeat()];
      const alone = await a.join();
      await a.sync(plan(a));
      await a.leave();
      const described = await a.connection.send(apis.DescribeGroups, 5, { groups: [group.groupId] });
      const back = await group.member();
      const rejoined = await back.join();
      return normalise(
        { left, beats, alone, described, rejoined },
        { a: a.memberId, b: b.memberId, back: back.memberId, group: group.groupId },
      );
    },
  },
  {
    name: 'groups are described in every version and state',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const connection = await group.connect();
      const describe = (version: number) => connection.send(apis.DescribeGroups, version, { groups: [group.groupId] });
      const none = [];
      for (let version = 0; version <= 6; version++) none.push(await describe(version));
      const a = await group.member({ clientId: 'client' });
      await a.join();
      const completing = await describe(5);
      await a.sync(plan(a));
      const stable = [];
      for (let version = 0; version <= 6; version++) stable.push(await describe(version));
      const b = await group.member();
      const joining = b.join();
      while ((await a.heartbeat()).errorCode === 0);
      const preparing = (await describe(5)).groups.map(({ members, ...rest }) => ({
        ...rest,
        members: members.length,
      }));
      await Promise.all([a.leave(), joining]);
      await b.leave();
      const empty = await describe(5);
      const unnamed = await connection.send(apis.DescribeGroups, 5, { groups: [''] });
      const host = completing.groups[0]?.members[0]?.clientHost ?? '';
      const names = { a: a.memberId, b: b.memberId, group: group.groupId, host };
      return normalise({ none, completing, stable, preparing, empty, unnamed }, names);
    },
  },
  {
    name: 'groups are listed with filters, and deleted when they are empty',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const a = await group.member();
      await a.join();
      await a.sync(plan(a));
      const { connection } = a;
      const list = async (version: number, message: { statesFilter?: string[]; typesFilter?: string[] } = {}) => {
        const { groups, ...rest } = await connection.send(apis.ListGroups, version, message);
        return { ...rest, groups: groups.filter(({ groupId }) => groupId === group.groupId) };
      };
      const versions = [];
      for (let version = 0; version <= 5; version++) versions.push(await list(version));
      const filtered = [
        await list(4, { statesFilter: ['Stable'] }),
        await list(4, { statesFilter: ['stable', 'Empty'] }),
        await list(4, { statesFilter: ['Dead'] }),
        await list(4, { statesFilter: ['nonsense'] }),
        await list(5, { typesFilter: ['classic'] }),
        await list(5, { typesFilter: ['Classic'] }),
        await list(5, { typesFilter: ['consumer'] }),
        await list(5, { typesFilter: ['nonsense'] }),
      ];
      const remove = (version: number) => connection.send(apis.DeleteGroups, version, { groupsNames: [group.groupId] });
      const nonEmpty = [await remove(0), await remove(1), await remove(2)];
      await a.leave();
      const emptied = await list(5);
      const deleted = await remove(2);
      const gone = await remove(2);
      const listedAfter = await list(5);
      const unnamed = await connection.send(apis.DeleteGroups, 2, { groupsNames: [''] });
      return normalise(
        { versions, filtered, nonEmpty, emptied, deleted, gone, listedAfter, unnamed },
        { group: group.groupId },
      );
    },
  },
  {
    name: 'an id that was asked for and not used makes others wait, until it leaves',
    async run(kafka) {
      const group = await RawGroup.create(kafka);
      const [a, pending] = [await group.member(), await group.member()];
      await a.join();
      await a.sync(plan(a));
      const given = await pending.join(4);
      const beat = await a.heartbeat();
      const described = await a.connection.send(apis.DescribeGroups, 5, { groups: [group.groupId] });
      const rejoined = a.join();
      const left = await pending.leave();
      const completed = await rejoined;
      return normalise(
        { given, beat, members: described.groups[0]?.members.length, left, completed },
        { a: a.memberId, pending: pending.memberId },
      );
    },
  },
];
