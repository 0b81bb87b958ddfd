import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestCluster } from '../../../src/testing/index.ts';
import type { FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { kavkaAt, type CommandRun } from '../../support/cli/kavka-at.ts';

const interactive = { isInteractive: true };

describe('kavka topics', () => {
  let cluster: TestCluster;
  let kavka: (args: readonly string[], looks?: FakeTerminalLooks) => Promise<CommandRun>;
  before(async () => {
    cluster = await TestCluster.start({
      brokers: 2,
      topics: { orders: { partitions: 3, replicationFactor: 2 }, b: 1 },
    });
    kavka = kavkaAt(cluster.bootstrapServers);
  });
  after(() => cluster.close());

  /** The topics of the cluster with the number of their partitions. */
  async function sizes(): Promise<Record<string, number>> {
    const { printed } = await kavka(['topics']);
    const topics = JSON.parse(printed) as { readonly topic: string; readonly partitions: number }[];
    return Object.fromEntries(topics.map(({ topic, partitions }) => [topic, partitions]));
  }

  it('lists topics, with and without the word', async () => {
    const { code, printed, said } = await kavka(['topics', 'list']);
    assert.deepEqual([code, said], [0, '']);
    const [b, orders] = JSON.parse(printed) as Record<string, unknown>[];
    assert.deepEqual(Object.keys(b ?? {}), ['topic', 'topicId', 'isInternal', 'partitions', 'replicationFactor']);
    assert.deepEqual([b?.['topic'], orders?.['topic']], ['b', 'orders']);
    assert.deepEqual([orders?.['partitions'], orders?.['replicationFactor'], orders?.['isInternal']], [3, 2, false]);
    assert.equal((await kavka(['topics'])).printed, printed);
    assert.equal((await kavka(['topics', '--json'], interactive)).printed, printed);
    const lines = (await kavka(['topics'], interactive)).printed.split('\n');
    assert.match(lines[0] ?? '', /^topic {3}partitions {2}replicas {2}id$/);
    assert.match(lines[2] ?? '', /^orders {11}3 {9}2 {2}[\w-]{22}$/);
  });

  it("lists Kafka's own topics if asked", async () => {
    cluster.createTopic('__consumer_offsets');
    assert.ok(!(await kavka(['topics'])).printed.includes('__consumer_offsets'));
    assert.match((await kavka(['topics', '--internal'])).printed, /"__consumer_offsets".{1,60}"isInternal":true/);
  });

  it('leaves out a topic that is deleted after it was listed', async () => {
    cluster.createTopic('brief');
    const fault = cluster.intercept(
      { api: 'Metadata' },
      {
        answer: (request, proceed) => {
          // The first asks for all topics, the next one for those.
          if (JSON.stringify(request).includes('"brief"')) cluster.deleteTopic('brief');
          return proceed();
        },
      },
    );
    const { code, said, printed } = await kavka(['topics']);
    await cluster.restore();
    assert.ok(fault.requests.length > 0);
    assert.deepEqual([code, said], [0, '']);
    assert.ok(printed.includes('"orders"') && !printed.includes('"brief"'));
    assert.throws(() => cluster.partition('brief', 0));
  });

  it('says that there are none', async () => {
    const empty = await TestCluster.start();
    after(() => empty.close());
    const nothing = kavkaAt(empty.bootstrapServers);
    assert.equal((await nothing(['topics'])).printed, '[]\n');
    assert.equal((await nothing(['topics'], interactive)).printed, 'There are no topics\n');
  });

  it('describes topics with the configs that were set, and tells of each that it cannot describe', async () => {
    const config = ['--config', 'retention.ms=1000', '--config', 'cleanup.policy=compact'];
    await kavka(['topics', 'create', 'described', '--partitions', '2', ...config]);
    const { code, printed, said } = await kavka(['topics', 'describe', 'nope', 'described', 'nor-this']);
    assert.equal(code, 1);
    assert.match(said, /^kavka: Cannot describe topic "nope".*UNKNOWN_TOPIC_OR_PARTITION\nkavka: .*"nor-this".*\n$/);
    interface Described {
      readonly topic: string;
      readonly partitions: { readonly leaderId: number; readonly replicas: number[]; readonly isr: number[] }[];
      readonly configs: object;
    }
    const [described, ...others] = JSON.parse(printed) as Described[];
    assert.deepEqual(others, []);
    assert.equal(described?.topic, 'described');
    assert.equal(described.partitions.length, 2);
    assert.deepEqual(described.partitions[0]?.isr, described.partitions[0]?.replicas);
    assert.deepEqual(described.configs, { 'cleanup.policy': 'compact', 'retention.ms': '1000' });

    const shown = (await kavka(['topics', 'describe', 'described', 'orders'], interactive)).printed;
    assert.match(shown, /^described {2}2 partitions × 1 {2}[\w-]{22}$/m);
    assert.match(shown, /^ {2}retention\.ms=1000$/m);
    assert.match(shown, /^ {2}partition {2}leader {2}replicas {2}in sync$/m);
    assert.match(shown, /^ {10}0 {7}[12] {2}(1,2|2,1) {7}\1$/m);
  });

  it('shows which replicas are not in sync', async () => {
    cluster.shrinkIsr('orders', 1, [cluster.partition('orders', 1).leader]);
    const { printed } = await kavka(['topics', 'describe', 'orders'], interactive);
    assert.match(printed, /^ {10}1 .* {2}([12]) \(not (?!\1)[12]\)$/m);
    await cluster.restore();
  });

  it('creates topics, and tells of each that it cannot make', async () => {
    const made = await kavka(['topics', 'create', 'new', '--partitions', '4', '--replicas', '2'], interactive);
    assert.deepEqual(made, { code: 0, said: '', printed: 'new created: 4 partitions × 2\n' });
    const again = await kavka(['topics', 'create', 'new', 'newer', 'orders']);
    assert.equal(again.code, 1);
    assert.deepEqual(
      (JSON.parse(again.printed) as { topic: string }[]).map(({ topic }) => topic),
      ['newer'],
    );
    assert.match(again.said, /^kavka: Cannot create topic "new": .*\(TOPIC_ALREADY_EXISTS\)\nkavka: .*"orders".*\n$/);
    const kept = await kavka(['topics', 'create', 'new', '--partitions', '9', '--if-not-exists'], interactive);
    assert.deepEqual(kept, { code: 0, said: '', printed: 'new is there already: 4 partitions × 2\n' });
    assert.equal((await sizes())['new'], 4);
    const refused = await kavka(['topics', 'create', 'other', '--config', 'retention.ms=soon'], interactive);
    assert.deepEqual([refused.code, refused.printed], [1, '']);
  });

  it('deletes topics once it was told to', async () => {
    const args = ['topics', 'delete', 'new'];
    const unasked = await kavka(args);
    assert.equal(unasked.code, 2);
    assert.match(unasked.said, /give --yes/);
    const refused = await kavka(args, { ...interactive, answers: ['y'] });
    assert.equal(refused.code, 1);
    assert.equal(refused.said, 'Delete topic new with all its records? Type its name: kavka: Nothing was deleted\n');
    assert.ok('new' in (await sizes()));
    const deleted = await kavka(args, { ...interactive, answers: [' new '] });
    assert.deepEqual([deleted.code, deleted.printed], [0, 'new deleted\n']);
    assert.ok(!('new' in (await sizes())));

    const several = ['topics', 'delete', 'newer', 'new'];
    const one = await kavka(several, { ...interactive, answers: ['newer'] });
    assert.match(one.said, /^Delete newer, new with all their records\? Type y: kavka: Nothing was deleted\n$/);
    const some = await kavka(several, { answers: ['y'] });
    assert.equal(some.code, 1);
    assert.match(some.said, /kavka: Cannot delete topic "new".*UNKNOWN_TOPIC_OR_PARTITION/);
    assert.deepEqual(JSON.parse(some.printed), [{ topic: 'newer', deleted: true }]);
    const gone = await kavka([...several, '--yes', '--if-exists'], interactive);
    assert.deepEqual(gone, { code: 0, said: '', printed: 'newer was not there\nnew was not there\n' });
  });

  it('gives a topic more partitions', async () => {
    const grown = await kavka(['topics', 'grow', 'b', '--partitions', '3'], interactive);
    assert.deepEqual(grown, { code: 0, said: '', printed: 'b has 3 partitions now\n' });
    assert.equal((await sizes())['b'], 3);
    const refused = await kavka(['topics', 'grow', 'b', '--partitions', '2']);
    assert.equal(refused.code, 1);
    assert.match(refused.said, /^kavka: Cannot add partitions to topic "b".*INVALID_PARTITIONS/);
    assert.deepEqual(JSON.parse((await kavka(['topics', 'grow', 'b', '--partitions', '4'])).printed), {
      topic: 'b',
      count: 4,
    });
  });

  it('ends with 2 for a command line that is wrong', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [['creat', 'x'], /^kavka: Cannot run "creat": there is no such command; did you mean create\?\n$/],
      [['xyz'], /there is no such command; see kavka topics --help\n$/],
      [['list', 'orders'], /Cannot use "orders": kavka topics list takes options only/],
      [['--timeout', '5', 'describe', 'orders'], /Cannot use "describe": .* words go before them/],
      [['describe'], /Cannot run kavka topics describe without a topic: see kavka topics describe --help/],
      [['create', 'x', '--partition', '3'], /--partition: there is no such option; did you mean --partitions\?/],
      [
        ['create', 'x', '--partitions', 'many'],
        /Cannot use --partitions "many": give a whole number from 1 to 1000000/,
      ],
      [['create', 'x', '--partitions', '0'], /Cannot use --partitions "0"/],
      [['create', 'x', '--replicas', '-1'], /Cannot use --replicas "-1"/],
      [['create', 'x', '--config', 'retention.ms'], /Cannot use setting "retention.ms": give NAME=VALUE/],
      [['grow', 'b'], /Cannot grow b: give --partitions N/],
      [['grow', 'b', 'orders', '--partitions', '9'], /Cannot use "orders"/],
      [['list', '--timeout', '0'], /Cannot use --timeout "0"/],
      [['list', '--tls-cert', '/nowhere'], /Cannot read --tls-cert \/nowhere: ENOENT/],
    ];
    for (const [args, message] of wrong) {
      const { code, said, printed } = await kavka(['topics', ...args]);
      assert.match(said, message);
      assert.deepEqual([code, printed], [2, ''], args.join(' '));
    }
  });

  it('has help for itself and for each command', async () => {
    const { code, printed } = await kavka(['topics', '--help']);
    assert.equal(code, 0);
    assert.match(printed, /^Usage: kavka topics \[COMMAND\] \[options\]/);
    for (const args of [['help'], ['--json', '-h']]) assert.equal((await kavka(['topics', ...args])).printed, printed);
    const words = [...printed.matchAll(/^ {2}([a-z]+) {2,}\w/gm)].map(([, word]) => word ?? '');
    assert.deepEqual(words, ['list', 'describe', 'create', 'delete', 'grow']);
    for (const word of words) {
      const help = await kavka(['topics', word, '--help']);
      assert.ok(help.printed.startsWith(`Usage: kavka topics ${word} `), help.printed);
      assert.match(help.printed, /--bootstrap-servers HOST:PORT/);
      assert.equal(help.code, 0);
    }
  });
});
