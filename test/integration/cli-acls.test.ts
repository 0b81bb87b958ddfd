import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Kafka, type Acl } from '../../src/index.ts';
import { kavkaProgram, type Ran } from '../support/cli/kavka-program.ts';
import { eventually } from '../support/eventually.ts';
import { kafkaUnderTest } from '../support/kafka/under-test.ts';

const deadline = { timeout: 300_000 };

for (const version of ['4.3.1', '3.9.1']) {
  const broker = await kafkaUnderTest({
    brokers: 1,
    version,
    own: true,
    config: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
    listeners: ['plaintext', 'saslPlaintext'],
    needs: ['saslPlaintext', 'tools'],
  });
  after(() => broker.release());

  describe(`kavka acls on Kafka ${version}`, { skip: broker.skip }, () => {
    let kafka: Kafka;
    let kavka: (...args: readonly string[]) => Promise<Ran>;
    before(() => {
      kafka = new Kafka({ bootstrapServers: broker.bootstrapServers });
      kavka = kavkaProgram(broker.bootstrapServers);
    });
    after(() => kafka.close());

    const fresh = (what: string): string => `${what}-${randomUUID()}`;

    /** What it printed, of a command that must succeed. */
    async function json(...args: readonly string[]): Promise<Acl[]> {
      const { code, stdout, stderr } = await kavka('acls', ...args);
      assert.deepEqual([code, stderr], [0, ''], stdout);
      return JSON.parse(stdout) as Acl[];
    }

    async function tool(...args: readonly string[]): Promise<string> {
      const { code, stdout, stderr } = await broker.tool('acls', ['--bootstrap-server', '{bootstrap}', ...args], {});
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      return stdout;
    }

    /** `topic orders literal: allow write from *`, as Kafka's tool lists the rules of a principal. */
    async function listedByTool(user: string): Promise<string[]> {
      const rules: string[] = [];
      let resource = '';
      for (const line of (await tool('--list', '--principal', `User:${user}`)).split('\n')) {
        const [, type, name, pattern] = /resourceType=(\w+), name=(\S+), patternType=(\w+)/.exec(line) ?? [];
        if (type !== undefined) resource = `${type} ${name} ${pattern}`;
        const [, host, operation, permission] = /host=(\S+), operation=(\w+), permissionType=(\w+)/.exec(line) ?? [];
        if (operation !== undefined) rules.push(`${resource}: ${permission} ${operation} from ${host}`.toLowerCase());
      }
      return rules.sort();
    }

    /** The same of what `kavka` printed. */
    function listed(acls: readonly Acl[]): string[] {
      const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
      return acls
        .map(
          (acl) =>
            `${snake(acl.resourceType)} ${acl.resourceName} ${acl.patternType}: ${acl.permissionType} ${snake(acl.operation)} from ${acl.host}`,
        )
        .sort();
    }

    it(
      'creates what kafka-acls creates for a producer and a consumer, and lists what that lists',
      deadline,
      async () => {
        const [ours, theirs] = [fresh('wren'), fresh('finch')];
        const names = ['--topic', 'orders', '--topic', 'bills', '--group', 'billing'];
        const writing = ['--topic', 'orders', '--transactional-id', 'shop-1', '--idempotent'];
        await json('allow', '--producer', ...writing, '--user', ours);
        await json('allow', '--consumer', ...names, '--user', ours);
        await tool('--add', '--producer', ...writing, '--allow-principal', `User:${theirs}`);
        await tool('--add', '--consumer', ...names, '--allow-principal', `User:${theirs}`);
        await eventually(async () => (await json('list', '--user', theirs)).length === 10);
        const expected = await listedByTool(theirs);
        assert.equal(expected.length, 10);
        assert.deepEqual(await listedByTool(ours), expected);
        assert.deepEqual(listed(await json('--user', ours)), expected);
        assert.deepEqual(listed(await json('--user', theirs)), expected);
      },
    );

    it('creates denials, hosts and prefixes that kafka-acls lists, and deletes them', deadline, async () => {
      const user = fresh('wren');
      const prefix = `${fresh('bill')}-`;
      const created = await json(
        ...['deny', '--user', user, '--host', '10.0.0.1', '--host', '10.0.0.2', '--operation', 'describeConfigs'],
        ...['--topic-prefix', prefix, '--cluster'],
      );
      assert.equal(created.length, 4);
      await eventually(async () => (await json('list', '--user', user)).length === 4);
      assert.deepEqual(await listedByTool(user), listed(created));
      assert.deepEqual(listed(await json('--topic', `${prefix}x`, '--match', '--user', user)), [
        `topic ${prefix} prefixed: deny describe_configs from 10.0.0.1`,
        `topic ${prefix} prefixed: deny describe_configs from 10.0.0.2`,
      ]);
      const some = await json('delete', '--user', user, '--host', '10.0.0.2', '--yes');
      assert.equal(some.length, 2);
      await eventually(async () => (await listedByTool(user)).length === 2);
      const unasked = await kavka('acls', 'delete', '--user', user);
      assert.deepEqual([unasked.code, unasked.stdout], [2, '']);
      const unsaid = await kavka('acls', 'delete', '--yes');
      assert.deepEqual([unsaid.code, unsaid.stdout], [2, '']);
      assert.equal((await listedByTool(user)).length, 2);
      assert.equal((await json('delete', '--topic-prefix', prefix, '--cluster', '--user', user, '--yes')).length, 2);
      await eventually(async () => (await listedByTool(user)).length === 0);
    });

    // The tool of Kafka 4 knows all that the older one does, and each question takes it seconds.
    const newest = { ...deadline, skip: version.startsWith('3.') ? 'the tool of Kafka 4 knows more' : false };
    it('refuses the operations that kafka-acls refuses, and no others', newest, async () => {
      const wrong = [
        ['--topic', 't', 'IdempotentWrite'],
        ['--group', 'g', 'Write'],
        ['--transactional-id', 't', 'Read'],
        ['--cluster', 'Read'],
        ['--delegation-token', 't', 'Write'],
        ['--user-principal', 'User:a', 'Write'],
      ];
      for (const args of wrong) {
        const options = args.slice(0, -1);
        const operation = args.at(-1) ?? '';
        const add = ['--bootstrap-server', '{bootstrap}', '--add', '--allow-principal', 'User:x', '--operation'];
        const theirs = await broker.tool('acls', [...add, operation, ...options], {});
        assert.notEqual(theirs.code, 0);
        const [, told = ''] = /only supports operations \[?([A-Z_, ]+)/i.exec(`${theirs.stdout}${theirs.stderr}`) ?? [];
        const supported = told
          .toLowerCase()
          .replaceAll('_', '')
          .split(/[, ]+/)
          .filter((name) => name !== 'all' && name !== '');
        assert.ok(supported.length > 0, `${theirs.stdout}${theirs.stderr}`.slice(0, 500));
        const word = operation.replace(/^./, (letter) => letter.toLowerCase());
        const ours = await kavka('acls', 'allow', '--user', 'x', ...options, '--operation', word);
        assert.equal(ours.code, 2);
        const [, asked = ''] = /brokers ask for (.*) there/.exec(ours.stderr) ?? [];
        assert.deepEqual(asked.toLowerCase().split(', ').sort(), supported.sort(), options.join(' '));
      }
    });

    it('lets a user in, and shuts it out again', deadline, async () => {
      const [user, topic, password] = [fresh('wren'), fresh('orders'), 'sesame-44'];
      const admin = kafka.admin();
      await admin.createTopics({ topic, partitions: 1, replicationFactor: 1 });
      await admin.alterUserScramCredentials({ user, mechanism: 'scram-sha-512', password });
      const theirs = kavkaProgram(broker.listeners.saslPlaintext ?? [], { KAFKA_SASL_PASSWORD: password });
      const login = ['--sasl-username', user, '--sasl-mechanism', 'scram-sha-512'];
      const sending = async (): Promise<string> => {
        const { code, stderr } = await theirs('perf', 'produce', topic, '--records', '5', ...login);
        return code === 0 ? 'sent' : (/\b[A-Z_]+_FAILED/.exec(stderr)?.[0] ?? stderr);
      };
      await eventually(async () => (await sending()) === 'TOPIC_AUTHORIZATION_FAILED');
      await json('allow', '--producer', '--user', user, '--topic', topic);
      await eventually(async () => (await sending()) === 'sent');
      const [offset] = await admin.listOffsets([{ topic, partition: 0, at: 'latest' }]);
      assert.ok((offset?.offset ?? 0n) >= 5n);
      await json('deny', '--user', user, '--topic', topic, '--operation', 'write');
      // An idempotent producer may begin where it may write to some topic, and now it may write to none.
      await eventually(async () => (await sending()) === 'CLUSTER_AUTHORIZATION_FAILED');
      const refused = await theirs('acls', ...login);
      assert.deepEqual([refused.code, refused.stdout], [1, '']);
      assert.match(refused.stderr, /^kavka: Cannot describe ACLs.*\(CLUSTER_AUTHORIZATION_FAILED\).*\n$/);
      assert.equal((await json('delete', '--user', user, '--permission', 'deny', '--yes')).length, 1);
      await eventually(async () => (await sending()) === 'sent');
    });
  });
}
