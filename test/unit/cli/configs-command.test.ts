import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestCluster } from '../../../src/testing/index.ts';
import type { FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { kavkaAt, type CommandRun } from '../../support/cli/kavka-at.ts';

const interactive = { isInteractive: true };

describe('kavka configs', () => {
  let cluster: TestCluster;
  let kavka: (args: readonly string[], looks?: FakeTerminalLooks) => Promise<CommandRun>;
  before(async () => {
    cluster = await TestCluster.start({ topics: { orders: 1 }, configs: { 'num.partitions': '4' } });
    kavka = kavkaAt(cluster.bootstrapServers);
  });
  after(() => cluster.close());

  /** What is shown, by name. */
  async function values(...args: string[]): Promise<Record<string, string | null>> {
    const { code, printed } = await kavka(['configs', ...args]);
    assert.equal(code, 0);
    const { entries } = JSON.parse(printed) as { readonly entries: { name: string; value: string | null }[] };
    return Object.fromEntries(entries.map(({ name, value }) => [name, value]));
  }

  it('sets, shows and unsets those of a topic', async () => {
    const topic = ['configs', 'topic', 'orders'];
    assert.deepEqual((await kavka(topic, interactive)).printed, 'Nothing was set; --all shows the defaults\n');
    const set = await kavka([...topic, '--set', 'retention.ms=1000', '--set', 'cleanup.policy=compact,delete']);
    assert.deepEqual(JSON.parse(set.printed), {
      type: 'topic',
      name: 'orders',
      set: ['retention.ms', 'cleanup.policy'],
      delete: [],
    });
    assert.deepEqual(await values('topic', 'orders'), { 'cleanup.policy': 'compact,delete', 'retention.ms': '1000' });
    assert.equal(
      (await kavka(topic, interactive)).printed,
      'config          value           from\ncleanup.policy  compact,delete  topic\nretention.ms    1000            topic\n',
    );
    const changed = await kavka([...topic, '--unset', 'retention.ms', '--set', 'segment.ms=5000'], interactive);
    assert.deepEqual(changed, { code: 0, said: '', printed: 'segment.ms set\nretention.ms unset\n' });
    assert.deepEqual(await values('topic', 'orders'), { 'cleanup.policy': 'compact,delete', 'segment.ms': '5000' });
    const all = await values('topic', 'orders', '--all');
    assert.equal(all['retention.ms'], '604800000');
    assert.ok(Object.keys(all).length > 10);
  });

  it('shows those of a broker and of all brokers, and of a group', async () => {
    assert.equal((await values('broker', '1'))['num.partitions'], '4');
    assert.equal((await kavka(['configs', 'broker', 'default', '--set', 'log.retention.ms=5000'])).code, 0);
    assert.deepEqual(await values('broker', 'default'), { 'log.retention.ms': '5000' });
    const shown = (await kavka(['configs', 'broker', '1'], interactive)).printed;
    assert.match(shown, /^log\.retention\.ms +5000 +all brokers$/m);
    assert.match(shown, /^num\.partitions +4 +broker's file$/m);
    // A topic has it from there, so it was not set for the topic.
    assert.ok(!('retention.ms' in (await values('topic', 'orders'))));
    assert.equal((await kavka(['configs', 'group', 'workers', '--set', 'share.session.timeout.ms=50000'])).code, 0);
    assert.deepEqual(await values('group', 'workers'), { 'share.session.timeout.ms': '50000' });
  });

  it('prints no secret, neither of a broker nor of the command line', async () => {
    const secret = 'listener.name.ssl.ssl.key.password=hunter2';
    const set = await kavka(['configs', 'broker', '1', '--set', secret], interactive);
    assert.doesNotMatch(`${set.printed}${set.said}`, /hunter2/);
    const wrong = await kavka(['configs', 'topic', 'orders', '--set', 'no.such.config=hunter2']);
    assert.equal(wrong.code, 1);
    assert.doesNotMatch(`${wrong.printed}${wrong.said}`, /hunter2/);
  });

  it('refuses what is not there, or was not said', async () => {
    const wrong: readonly (readonly [string[], number, RegExp])[] = [
      [[], 2, /Cannot run kavka configs by itself: which of its commands\? See above/],
      [['--all'], 2, /Cannot run kavka configs by itself/],
      [['topics', 'orders'], 2, /Cannot run "topics": there is no such command; did you mean topic\?/],
      [['topic'], 2, /without a name/],
      [['topic', 'orders', 'b'], 2, /Cannot use "b": kavka configs topic takes one name/],
      [['topic', 'orders', '--set', 'retention.ms'], 2, /Cannot use setting "retention.ms"/],
      [['topic', 'orders', '--all', '--unset', 'retention.ms'], 2, /Cannot use --all with --set or --unset/],
      [['broker', 'first'], 2, /Cannot use "first": give the id of a broker, or default/],
      [['topic', 'nope'], 1, /UNKNOWN_TOPIC_OR_PARTITION/],
      [['topic', 'orders', '--set', 'retention.ms=soon'], 1, /Cannot alter the configurations of topic "orders"/],
    ];
    for (const [args, expected, message] of wrong) {
      const { code, said } = await kavka(['configs', ...args]);
      assert.match(said, message);
      assert.equal(code, expected, args.join(' '));
    }
  });

  it('has help for itself and for each command', async () => {
    const { code, printed } = await kavka(['configs', '--help']);
    assert.equal(code, 0);
    assert.match(printed, /^Usage: kavka configs COMMAND \[options\]/);
    for (const word of ['topic', 'broker', 'group'])
      assert.ok((await kavka(['configs', word, '-h'])).printed.startsWith(`Usage: kavka configs ${word} `));
  });
});
