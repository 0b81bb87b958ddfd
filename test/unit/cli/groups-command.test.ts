import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Kafka } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import { eventually } from '../../support/eventually.ts';
import type { FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { kavkaAt, type CommandRun } from '../../support/cli/kavka-at.ts';

const interactive = { isInteractive: true };

describe('kavka groups', () => {
  let cluster: TestCluster;
  let kafka: Kafka;
  let kavka: (args: readonly string[], looks?: FakeTerminalLooks) => Promise<CommandRun>;
  before(async () => {
    cluster = await TestCluster.start({ brokers: 2, topics: { orders: 2, gone: 1 } });
    kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers, clientId: 'biller' });
    kavka = kavkaAt(cluster.bootstrapServers);
    await cluster.append(
      'orders',
      [0, 0, 0, 1].map((partition) => ({ partition, value: 'one' })),
    );
  });
  after(async () => {
    await kafka.close();
    await cluster.close();
  });

  it('lists groups, and says that there are none', async () => {
    assert.deepEqual(await kavka(['groups'], interactive), { code: 0, said: '', printed: 'There are no groups\n' });
    await kafka.admin().alterGroupOffsets('idle', { topic: 'orders', partition: 0, offset: 1 });
    const { code, printed } = await kavka(['groups', 'list']);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(printed), [{ groupId: 'idle', protocolType: '', state: 'Empty', type: 'classic' }]);
    assert.equal((await kavka(['groups'])).printed, printed);
    const lines = (await kavka(['groups'], interactive)).printed.split('\n');
    assert.deepEqual(lines, ['group  type     state', 'idle   classic  Empty', '']);
  });

  for (const groupProtocol of ['classic', 'consumer'] as const) {
    it(`describes a group of the ${groupProtocol} protocol with members, offsets and lag`, async () => {
      const groupId = `billing-${groupProtocol}`;
      const consumer = kafka.consumer({ groupId, groupProtocol });
      consumer.subscribe('orders');
      await consumer.waitForAssignment();
      await consumer.commit([{ topic: 'orders', partition: 0, offset: 1n }]);
      const described = await eventually(async () => {
        const { printed } = await kavka(['groups', 'describe', groupId]);
        const [group] = JSON.parse(printed) as Record<string, unknown>[];
        return group?.['state'] === 'Stable' && group;
      });
      assert.equal(described['type'], groupProtocol);
      assert.deepEqual(described['offsets'], [
        { topic: 'orders', partition: 0, offset: '1', leaderEpoch: null, metadata: '', endOffset: '3', lag: '2' },
        { topic: 'orders', partition: 1, offset: null, leaderEpoch: null, metadata: '', endOffset: '1', lag: null },
      ]);
      const [member] = described['members'] as Record<string, unknown>[];
      assert.equal(member?.['clientId'], 'biller');
      assert.deepEqual(member['assignment'], [
        { topic: 'orders', partition: 0 },
        { topic: 'orders', partition: 1 },
      ]);

      const { printed } = await kavka(['groups', 'describe', groupId], { ...interactive, width: 200 });
      assert.match(printed, new RegExp(`^${groupId}  ${groupProtocol}, Stable, \\w+, coordinator [12]$`, 'm'));
      assert.match(printed, /^ {2}\S+ {2}biller {2}\S+ {2}orders:0,1$/m);
      assert.match(printed, /^ {2}topic {3}partition {2}committed {2}end {2}lag$/m);
      assert.match(printed, /^ {2}orders {10}0 {10}1 {4}3 {4}2$/m);
      assert.match(printed, /^ {2}orders {10}1 {10}- {4}1 {4}-$/m);
      await consumer.close();
    });
  }

  it('describes a share group', async () => {
    const groupId = 'workers';
    await kafka
      .admin()
      .incrementalAlterConfigs({ type: 'group', name: groupId, set: { 'share.auto.offset.reset': 'earliest' } });
    const consumer = kafka.shareConsumer({ groupId });
    consumer.subscribe(['orders']);
    let count = 0;
    for await (const record of consumer) {
      consumer.acknowledge(record, 'accept');
      if (++count === 4) break;
    }
    await consumer.commit();
    const offsets = await eventually(async () => {
      const { printed } = await kavka(['groups', 'describe', groupId]);
      const [group] = JSON.parse(printed) as Record<string, unknown>[];
      assert.equal(group?.['type'], 'share');
      const found = group['offsets'] as { readonly lag: string | null }[];
      return found.length === 2 && found.every(({ lag }) => lag === '0') && found;
    });
    assert.deepEqual(Object.keys(offsets[0] ?? {}).sort(), [
      'endOffset',
      'lag',
      'leaderEpoch',
      'partition',
      'startOffset',
      'topic',
    ]);
    const { printed } = await kavka(['groups', 'describe', groupId], { ...interactive, width: 200 });
    assert.match(printed, /^workers {2}share, Stable, /);
    assert.match(printed, /^ {2}\S+ {2}biller {2}\S+ {2}orders:0,1$/m);
    assert.match(printed, /^ {2}orders {10}0 {6}\d {4}3 {4}0$/m);
    await consumer.close();
  });

  it('describes what is left of a group whose topic is gone, and tells of those that are not there', async () => {
    await kafka.admin().alterGroupOffsets('left', { topic: 'gone', partition: 0, offset: 1 });
    cluster.deleteTopic('gone');
    const { code, printed, said } = await kavka(['groups', 'describe', 'nope', 'left', 'nor-this'], interactive);
    assert.equal(code, 1);
    assert.match(said, /^kavka: Cannot describe group "nope".*GROUP_ID_NOT_FOUND.*\nkavka: .*"nor-this".*\n$/);
    assert.match(printed, /^left {2}classic, Empty, coordinator [12]\n {2}no members$/m);
    assert.match((await kavka(['groups', 'describe', 'left'])).printed, /"offsets":\[(\]|.*"lag":null)/);
  });

  it('shows the control characters of what others have named', async () => {
    const admin = kafka.admin();
    await admin.alterGroupOffsets('evil\u001b[2J', { topic: 'orders', partition: 0, offset: 1 });
    for (const args of [['list'], ['describe', 'evil\u001b[2J'], ['describe', 'nope\u001b[2J']]) {
      const { printed, said } = await kavka(['groups', ...args], interactive);
      assert.ok(`${printed}${said}`.includes('\\u001b[2J'));
      assert.ok(!`${printed}${said}`.includes('\u001b'));
    }
    await admin.deleteGroups('evil\u001b[2J');
  });

  it('deletes groups once it was told to, and tells of each that it cannot delete', async () => {
    const consumer = kafka.consumer({ groupId: 'busy' });
    consumer.subscribe('orders');
    await consumer.waitForAssignment();
    const unasked = await kavka(['groups', 'delete', 'idle']);
    assert.equal(unasked.code, 2);
    const refused = await kavka(['groups', 'delete', 'idle'], { answers: [''] });
    assert.match(refused.said, /^Delete group idle with its offsets\? Type its name: kavka: Nothing was deleted\n$/);
    assert.equal(refused.code, 1);
    const { code, printed, said } = await kavka(['groups', 'delete', 'busy', 'idle', 'nope', '--yes']);
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(printed), [{ groupId: 'idle', deleted: true }]);
    assert.match(said, /^kavka: Cannot delete group "busy".*NON_EMPTY_GROUP.*\nkavka: .*"nope".*\n$/);
    await consumer.close();
    const answered = await kavka(['groups', 'delete', 'busy', 'left'], { ...interactive, answers: ['y'] });
    assert.deepEqual([answered.code, answered.printed], [0, 'busy deleted\nleft deleted\n']);
    assert.ok(!(await kavka(['groups'])).printed.includes('busy'));
  });

  it('ends with 2 for a command line that is wrong', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [['descrbe', 'x'], /did you mean describe\?/],
      [['list', 'x'], /Cannot use "x"/],
      [['describe'], /without a group/],
      [['delete', '--yes'], /without a group/],
      [['describe', 'x', '--member'], /--member: there is no such option/],
    ];
    for (const [args, message] of wrong) {
      const { code, said } = await kavka(['groups', ...args]);
      assert.match(said, message);
      assert.equal(code, 2, args.join(' '));
    }
  });

  it('has help for itself and for each command', async () => {
    const { printed } = await kavka(['groups', '--help']);
    for (const word of ['list', 'describe', 'delete', 'reset']) {
      assert.match(printed, new RegExp(`^  ${word} {2,}\\w`, 'm'));
      const help = await kavka(['groups', word, '--help']);
      assert.ok(help.printed.startsWith(`Usage: kavka groups ${word} `));
    }
  });
});
