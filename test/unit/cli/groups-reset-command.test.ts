import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Kafka } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import type { FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { kavkaAt, type CommandRun } from '../../support/cli/kavka-at.ts';

const interactive = { isInteractive: true };
const groupId = 'billing';
const nothingChanged = 'Nothing was changed: give --yes to set these offsets\n';

describe('kavka groups reset', () => {
  let cluster: TestCluster;
  let kafka: Kafka;
  let kavka: (args: readonly string[], looks?: FakeTerminalLooks) => Promise<CommandRun>;
  before(async () => {
    cluster = await TestCluster.start({ topics: { orders: 2, payments: 1 } });
    kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers, clientId: 'biller' });
    kavka = kavkaAt(cluster.bootstrapServers);
    const times = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'];
    await cluster.append(
      'orders',
      times.map((time) => ({ partition: 0, value: 'one', timestamp: Date.parse(time) })),
    );
    await cluster.append('orders', [{ partition: 1, value: 'now', timestamp: Date.now() }]);
    await kafka.admin().deleteRecords({ topic: 'orders', partition: 0, offset: 1 });
  });
  beforeEach(() => kafka.admin().alterGroupOffsets(groupId, { topic: 'orders', partition: 0, offset: 2 }));
  after(async () => {
    await kafka.close();
    await cluster.close();
  });

  /** The new offsets of a dry run, by partition. */
  async function planned(to: string, topic = 'orders'): Promise<Record<string, string>> {
    const { code, printed } = await kavka(['groups', 'reset', groupId, '--topic', topic, '--to', to]);
    assert.equal(code, 0);
    const { dryRun, offsets } = JSON.parse(printed) as {
      readonly dryRun: boolean;
      readonly offsets: { readonly topic: string; readonly partition: number; readonly newOffset: string }[];
    };
    assert.equal(dryRun, true);
    return Object.fromEntries(offsets.map((at) => [`${at.topic}:${at.partition}`, at.newOffset]));
  }

  async function committed(): Promise<(bigint | undefined)[]> {
    const partitions = [0, 1].map((partition) => ({ topic: 'orders', partition }));
    const offsets = await kafka.admin().listGroupOffsets(groupId, { partitions });
    return offsets.map(({ offset }) => offset);
  }

  it('only shows what it would do, unless it is told to do it', async () => {
    const args = ['groups', 'reset', groupId, '--topic', 'orders', '--to', 'earliest'];
    const shown = await kavka(args, interactive);
    assert.equal(shown.said, nothingChanged);
    assert.equal(
      shown.printed,
      'topic   partition  old  new\norders          0    2    1\norders          1    -    0\n',
    );
    assert.deepEqual(await committed(), [2n, undefined]);
    const done = await kavka([...args, '--yes']);
    assert.deepEqual([done.code, done.said], [0, '']);
    assert.deepEqual(JSON.parse(done.printed), {
      groupId,
      dryRun: false,
      offsets: [
        { topic: 'orders', partition: 0, offset: '2', newOffset: '1' },
        { topic: 'orders', partition: 1, offset: null, newOffset: '0' },
      ],
    });
    assert.deepEqual(await committed(), [1n, 0n]);
    await kafka.admin().deleteGroupOffsets(groupId, { topic: 'orders', partition: 1 });
  });

  it('goes to the end, to a time, and so long back', async () => {
    assert.deepEqual(await planned('latest'), { 'orders:0': '3', 'orders:1': '1' });
    assert.deepEqual(await planned('2026-01-02T12:00:00Z'), { 'orders:0': '2', 'orders:1': '0' });
    assert.deepEqual(await planned('2026-01-02T01:00:00+01:00'), { 'orders:0': '1', 'orders:1': '0' });
    // No record is as young: the end.
    assert.deepEqual(await planned('-PT1H'), { 'orders:0': '3', 'orders:1': '0' });
  });

  it('goes to an offset, and says where there is none such', async () => {
    assert.deepEqual(await planned('2', 'orders:0'), { 'orders:0': '2' });
    const { said } = await kavka(['groups', 'reset', groupId, '--topic', 'orders', '--to', '2']);
    assert.equal(said, `Partition 1 of topic orders has no offset 2: the nearest, 1, is taken\n${nothingChanged}`);
    assert.deepEqual(await planned('0'), { 'orders:0': '1', 'orders:1': '0' });
  });

  it('takes some partitions, and several topics', async () => {
    assert.deepEqual(await planned('latest', 'orders:1'), { 'orders:1': '1' });
    const topics = ['--topic', 'orders:1,0', '--topic', 'payments', '--topic', 'orders:0'];
    const { printed } = await kavka(['groups', 'reset', groupId, ...topics, '--to', 'latest']);
    const { offsets } = JSON.parse(printed) as { readonly offsets: { topic: string; partition: number }[] };
    assert.deepEqual(
      offsets.map(({ topic, partition }) => `${topic}:${partition}`),
      ['orders:1', 'orders:0', 'payments:0'],
    );
  });

  it('refuses a group that has members, even to show what it would do', async () => {
    const consumer = kafka.consumer({ groupId: 'busy' });
    consumer.subscribe('orders');
    await consumer.waitForAssignment();
    for (const yes of [[], ['--yes']]) {
      const args = ['groups', 'reset', 'busy', '--topic', 'orders', '--to', 'earliest', ...yes];
      const { code, said, printed } = await kavka(args);
      assert.deepEqual([code, printed], [1, '']);
      assert.equal(said, 'kavka: Cannot reset group "busy": it has 1 member (biller); stop its consumers first\n');
    }
    await consumer.close();
  });

  it('makes a group that does not exist', async () => {
    const args = ['groups', 'reset', 'new', '--topic', 'payments', '--to', 'latest', '--yes'];
    assert.equal((await kavka(args)).code, 0);
    assert.deepEqual(
      (await kafka.admin().listGroupOffsets('new')).map(({ offset }) => offset),
      [0n],
    );
  });

  it('resets a share group', async () => {
    const admin = kafka.admin();
    await admin.alterShareGroupOffsets('workers', { topic: 'orders', partition: 0, startOffset: 1 });
    const args = ['groups', 'reset', 'workers', '--topic', 'orders:0', '--to', 'latest', '--yes'];
    const { code, said, printed } = await kavka(args, interactive);
    assert.deepEqual([code, said], [0, '']);
    assert.match(printed, /^orders {10}0 {4}1 {4}3$/m);
    const [offset] = await admin.listShareGroupOffsets('workers');
    assert.equal(offset?.startOffset, 3n);
  });

  it('tells of each partition that the broker refused', async () => {
    const fault = cluster.intercept({ api: 'OffsetCommit', times: 1 }, { fail: 'TOPIC_AUTHORIZATION_FAILED' });
    const { code, said, printed } = await kavka([
      ...['groups', 'reset', groupId, '--topic', 'orders', '--to', 'latest', '--yes'],
    ]);
    assert.equal(fault.requests.length, 1);
    assert.equal(code, 1);
    assert.equal(said.match(/^kavka: .*TOPIC_AUTHORIZATION_FAILED/gm)?.length, 2);
    assert.deepEqual(JSON.parse(printed), { groupId, dryRun: false, offsets: [] });
    assert.deepEqual(await committed(), [2n, undefined]);
  });

  it('refuses what is not there, or was not said', async () => {
    const orders = ['--topic', 'orders'];
    const wrong: readonly (readonly [string[], number, RegExp])[] = [
      [[groupId, '--to', 'earliest'], 2, /give --topic, once for each topic/],
      [[groupId, ...orders], 2, /give --to, such as/],
      [[...orders, '--to', 'earliest'], 2, /without a group/],
      [[groupId, 'other', ...orders, '--to', 'earliest'], 2, /Cannot use "other"/],
      [[groupId, '--topic', 'orders:x', '--to', 'earliest'], 2, /Cannot use --topic orders:x: give NAME/],
      [[groupId, ...orders, '--to', 'yesterday'], 2, /Cannot reset to "yesterday"/],
      [[groupId, '--topic', 'orders:1,7', '--to', 'earliest'], 1, /Cannot reset orders:7: it has 2 partitions/],
      [
        [groupId, '--topic', 'nope', '--topic', 'nor-this', '--to', 'earliest'],
        1,
        /^kavka: .*"nope".*UNKNOWN_TOPIC_OR_PARTITION\nkavka: .*"nor-this".*\n$/,
      ],
    ];
    for (const [args, expected, message] of wrong) {
      const { code, said, printed } = await kavka(['groups', 'reset', ...args]);
      assert.match(said, message);
      assert.deepEqual([code, printed], [expected, ''], args.join(' '));
    }
  });
});
