import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { runCli } from '../../../src/cli/run-cli.ts';
import { Kafka, type Acl } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import { FakeTerminal, type FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { kavkaAt, type CommandRun } from '../../support/cli/kavka-at.ts';
import { eventually } from '../../support/eventually.ts';

const interactive = { isInteractive: true };
const narrowing =
  'kavka: Cannot delete rules that could be about anything: say which, by --user, --principal, --topic, --group, --transactional-id, --cluster, --delegation-token or --user-principal\n';

describe('kavka acls', () => {
  let cluster: TestCluster;
  let kafka: Kafka;
  let kavka: (args: readonly string[], looks?: FakeTerminalLooks) => Promise<CommandRun>;
  before(async () => {
    cluster = await TestCluster.start({
      configs: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      },
    });
    kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    kavka = kavkaAt(cluster.bootstrapServers);
  });
  afterEach(async () => {
    await cluster.restore();
    await kafka.admin().deleteAcls({ resourceType: 'any' });
  });
  after(async () => {
    await kafka.close();
    await cluster.close();
  });

  /** What it printed, of a command that must succeed. */
  async function json(...args: string[]): Promise<Acl[]> {
    const { code, said, printed } = await kavka(['acls', ...args]);
    assert.deepEqual([code, said], [0, ''], args.join(' '));
    return JSON.parse(printed) as Acl[];
  }

  /** `allow User:alice read topic:orders`, with `*` behind a prefix, and with the host if it is not any. */
  function brief(acls: readonly Acl[]): string[] {
    return acls.map((acl) => {
      const name = `${acl.resourceType}:${acl.resourceName}${acl.patternType === 'prefixed' ? '…' : ''}`;
      const host = acl.host === '*' ? '' : ` from ${acl.host}`;
      return `${acl.permissionType} ${acl.principal} ${acl.operation} ${name}${host}`;
    });
  }

  async function there(): Promise<string[]> {
    return brief(await kafka.admin().describeAcls()).sort();
  }

  it('creates each operation on each resource for each user from each host, once', async () => {
    const created = await json(
      ...['allow', '--user', 'alice', '--principal', 'Group:crew', '--user', 'alice', '--operation', 'read'],
      ...['--operation', 'describe', '--topic', 'orders', '--topic-prefix', 'bill-', '--host', '10.0.0.1'],
    );
    assert.deepEqual(brief(created), [
      'allow Group:crew describe topic:bill-… from 10.0.0.1',
      'allow Group:crew read topic:bill-… from 10.0.0.1',
      'allow User:alice describe topic:bill-… from 10.0.0.1',
      'allow User:alice read topic:bill-… from 10.0.0.1',
      'allow Group:crew describe topic:orders from 10.0.0.1',
      'allow Group:crew read topic:orders from 10.0.0.1',
      'allow User:alice describe topic:orders from 10.0.0.1',
      'allow User:alice read topic:orders from 10.0.0.1',
    ]);
    assert.deepEqual(await there(), brief(created).sort());
    assert.deepEqual(Object.keys(created[0] ?? {}).sort(), [
      ...['host', 'operation', 'patternType', 'permissionType', 'principal', 'resourceName', 'resourceType'],
    ]);
  });

  it('names every kind of resource, by name and by how names begin', async () => {
    const names = [
      '--group',
      'g',
      '--group-prefix',
      'g-',
      '--transactional-id',
      't',
      '--transactional-id-prefix',
      't-',
    ];
    const tokens = ['--delegation-token', 'pass-1', '--user-principal', 'User:wren', '--user', 'finch'];
    assert.deepEqual(brief(await json('allow', ...tokens.slice(0, 2), '--user', 'finch', '--operation', 'describe')), [
      'allow User:finch describe delegationToken:pass-1',
    ]);
    assert.deepEqual(brief(await json('allow', ...tokens.slice(2), '--operation', 'createTokens')), [
      'allow User:finch createTokens user:User:wren',
    ]);
    assert.equal((await json('delete', ...tokens, '--yes')).length, 2);
    const created = await json('deny', '--user', '*', ...names, '--topic', '*', '--cluster', '--operation', 'describe');
    assert.deepEqual(brief(created), [
      'deny User:* describe cluster:kafka-cluster',
      'deny User:* describe group:g',
      'deny User:* describe group:g-…',
      'deny User:* describe topic:*',
      'deny User:* describe transactionalId:t',
      'deny User:* describe transactionalId:t-…',
    ]);
    assert.deepEqual(await there(), brief(created));
  });

  it('gives producers and consumers what they need', async () => {
    const shop = ['--user', 'shop', '--topic', 'orders'];
    const writing = ['create', 'describe', 'write'].map((operation) => `allow User:shop ${operation} topic:orders`);
    const identified = ['describe', 'write'].map((operation) => `allow User:shop ${operation} transactionalId:s-1`);
    assert.deepEqual(brief(await json('allow', '--producer', ...shop)), writing);
    const idempotent = await json('allow', '--producer', '--idempotent', ...shop, '--transactional-id', 's-1');
    const onCluster = 'allow User:shop idempotentWrite cluster:kafka-cluster';
    assert.deepEqual(brief(idempotent), [onCluster, ...writing, ...identified]);
    const reading = ['describe', 'read'].map((operation) => `allow User:bill ${operation} topic:orders`);
    const group = ['--topic', 'orders', '--group-prefix', 'bill-'];
    assert.deepEqual(brief(await json('allow', '--consumer', '--user', 'bill', ...group)), [
      'allow User:bill read group:bill-…',
      ...reading,
    ]);
    const both = await json('allow', '--producer', '--consumer', '--user', 'pipe', ...group);
    assert.deepEqual(
      both.map(({ resourceType, operation }) => `${resourceType} ${operation}`),
      ['group read', 'topic create', 'topic describe', 'topic read', 'topic write'],
    );
  });

  it('lists what the options find, with and without the word', async () => {
    await json('allow', '--user', 'alice', '--topic', 'orders', '--operation', 'read', '--operation', 'write');
    await json('allow', '--user', 'bob', '--topic', '*', '--topic-prefix', 'ord', '--operation', 'read');
    await json('deny', '--user', 'bob', '--topic', 'orders', '--operation', 'read', '--host', '10.0.0.1');
    await json('allow', '--user', 'bob', '--group', 'orders', '--operation', 'all');
    const all = await json('list');
    assert.equal(all.length, 6);
    assert.deepEqual(await json(), all);
    const found: readonly (readonly [string[], string[]])[] = [
      [
        ['--topic', 'orders'],
        ['alice read', 'alice write', 'bob read deny'],
      ],
      [['--topic-prefix', 'ord'], ['bob read ord']],
      [['--topic', '*'], ['bob read *']],
      [
        ['--topic', 'orders', '--match'],
        ['bob read *', 'bob read ord', 'alice read', 'alice write', 'bob read deny'],
      ],
      [
        ['--topic', 'orders', '--topic', '*'],
        ['bob read *', 'alice read', 'alice write', 'bob read deny'],
      ],
      [
        ['--topic', 'orders', '--topic', 'ordinary', '--match', '--user', 'bob'],
        ['bob read *', 'bob read ord', 'bob read deny'],
      ],
      [['--user', 'bob', '--permission', 'deny'], ['bob read deny']],
      [['--principal', 'User:bob', '--permission', 'allow', '--group', 'orders'], ['bob all group']],
      [
        ['--operation', 'write', '--operation', 'all'],
        ['bob all group', 'alice write'],
      ],
      [['--host', '10.0.0.1'], ['bob read deny']],
      [['--user', 'carol'], []],
      [['--cluster'], []],
    ];
    for (const [args, expected] of found) {
      const acls = await json('list', ...args);
      const told = acls.map(({ principal, operation, resourceType, resourceName, permissionType }) =>
        [
          ...[principal.replace('User:', ''), operation],
          ...(resourceType === 'group' ? ['group'] : resourceName === 'orders' ? [] : [resourceName]),
          ...(permissionType === 'deny' ? ['deny'] : []),
        ].join(' '),
      );
      assert.deepEqual(told, expected, args.join(' '));
    }
  });

  it('shows a table to people, without what a terminal would obey', async () => {
    assert.equal((await kavka(['acls'], interactive)).printed, 'There are no rules\n');
    const created = await kavka(
      ['acls', 'allow', '--user', 'al', '--group', 'g\u001b[2J', '--operation', 'read'],
      interactive,
    );
    const shown =
      'resource  name        pattern  principal  permission  operation  host\n' +
      'group     g\\u001b[2J  literal  User:al    allow       read       *\n';
    assert.deepEqual(created, { code: 0, said: '', printed: shown });
    assert.equal((await kavka(['acls'], interactive)).printed, shown);
    const none = await kavka(['acls', '--topic', 'x'], interactive);
    assert.match(none.printed, /^There are no such rules; --match finds those that apply/);
    for (const args of [
      ['--topic', 'x', '--match'],
      ['--user', 'x'],
    ])
      assert.equal((await kavka(['acls', ...args], interactive)).printed, 'There are no such rules\n');
  });

  it('deletes what was shown, once it was told to', async () => {
    await json('allow', '--user', 'alice', '--user', 'bob', '--topic', 'orders', '--operation', 'read');
    const long = 'a-topic-whose-name-must-be-seen-whole-before-its-rules-are-deleted';
    await json('allow', '--user', 'alice', '--topic-prefix', long, '--operation', 'read');
    const args = ['acls', 'delete', '--user', 'alice'];
    const unasked = await kavka(args);
    assert.equal(unasked.code, 2);
    assert.match(unasked.said, /Cannot ask whether to delete.*give --yes/);
    // Also where there is nothing to ask about, so that a script fails before it matters.
    assert.equal((await kavka(['acls', 'delete', '--user', 'nobody'])).code, 2);
    const refused = await kavka(args, { ...interactive, answers: ['n'], width: 40 });
    assert.deepEqual([refused.code, refused.printed], [1, '']);
    assert.match(refused.said, new RegExp(`^topic +${long} +prefixed +User:alice +allow +read +\\*$`, 'm'));
    assert.match(refused.said, /Delete these 2 rules\? Type y: kavka: Nothing was deleted\n$/);
    assert.equal((await there()).length, 3);
    const deleted = await kavka(args, { ...interactive, answers: ['y'] });
    assert.deepEqual([deleted.code, deleted.printed], [0, '2 rules deleted\n']);
    assert.deepEqual(await there(), ['allow User:bob read topic:orders']);
    assert.deepEqual(await kavka(args, { ...interactive, answers: [] }), {
      code: 0,
      said: '',
      printed: '0 rules deleted\n',
    });
    const last = await kavka(['acls', 'delete', '--topic', 'orders', '--yes'], interactive);
    assert.match(last.printed, /^topic +orders +literal +User:bob .*\n1 rule deleted\n$/m);
    assert.deepEqual(await there(), []);
  });

  it('does not delete a rule that came after the question', async () => {
    await json('allow', '--user', 'alice', '--topic', 'orders', '--operation', 'read');
    const terminal = new FakeTerminal({
      ...interactive,
      isInputInteractive: true,
      environment: { KAFKA_BOOTSTRAP: cluster.bootstrapServers.join() },
    });
    terminal.ask = async () => {
      await json('allow', '--user', 'alice', '--topic', 'payments', '--operation', 'read');
      return 'y';
    };
    assert.equal(await runCli(['acls', 'delete', '--user', 'alice'], terminal), 0);
    assert.equal(terminal.printed, '1 rule deleted\n');
    assert.deepEqual(await there(), ['allow User:alice read topic:payments']);
  });

  it('deletes nothing when it is interrupted at the question', async () => {
    await json('allow', '--user', 'alice', '--topic', 'orders', '--operation', 'read');
    const terminal = new FakeTerminal({
      ...interactive,
      isInputInteractive: true,
      environment: { KAFKA_BOOTSTRAP: cluster.bootstrapServers.join() },
    });
    const ended = runCli(['acls', 'delete', '--user', 'alice'], terminal);
    await eventually(() => terminal.said.endsWith('Delete this rule? Type y: '));
    terminal.interrupt();
    assert.equal(await ended, 1);
    assert.match(terminal.said, /kavka: Nothing was deleted\n$/);
    assert.equal((await there()).length, 1);
  });

  it('deletes without a question if told so, each rule once, by name and by what applies', async () => {
    await json('allow', '--user', 'alice', '--topic', 'orders', '--topic-prefix', 'ord', '--operation', 'read');
    assert.deepEqual(brief(await json('delete', '--topic', 'orders', '--yes')), ['allow User:alice read topic:orders']);
    const gone = await json('delete', '--topic', 'orders', '--topic', 'ordinary', '--match', '--yes');
    assert.deepEqual(brief(gone), ['allow User:alice read topic:ord…']);
    assert.deepEqual(await json('delete', '--user', 'alice', '--yes'), []);
  });

  it('never deletes by what could be about anything', async () => {
    await json('allow', '--user', 'alice', '--topic', 'orders', '--operation', 'read');
    for (const args of [[], ['--operation', 'read'], ['--permission', 'allow'], ['--host', '*']])
      for (const looks of [{}, { answers: ['y', 'y'] }]) {
        const { code, said, printed } = await kavka(['acls', 'delete', ...args, '--yes'], looks);
        assert.deepEqual([code, said, printed], [2, narrowing, ''], args.join(' '));
        assert.equal((await kavka(['acls', 'delete', ...args], looks)).code, 2);
      }
    assert.equal((await there()).length, 1);
  });

  it('tells of each rule that was not created, and shows the others', async () => {
    const fault = cluster.intercept(
      { api: 'CreateAcls' },
      {
        answer: async (_request, proceed) => {
          const answer = await proceed();
          answer.results = answer.results.map((result, index) =>
            index === 0 ? { errorCode: 42, errorMessage: 'not this one' } : result,
          );
          return answer;
        },
      },
    );
    const args = ['allow', '--user', 'alice', '--topic', 'a', '--topic', 'b', '--operation', 'read'];
    const { code, said, printed } = await kavka(['acls', ...args]);
    assert.equal(fault.requests.length, 1);
    assert.equal(code, 1);
    assert.match(said, /^kavka: Cannot create an ACL \(allow User:alice read of topic "a"\).*not this one.*\n$/);
    assert.deepEqual(brief(JSON.parse(printed) as Acl[]), ['allow User:alice read topic:b']);
  });

  it('says what is missing where there is no authorizer', async () => {
    const open = await TestCluster.start();
    after(() => open.close());
    for (const args of [
      ['list'],
      ['delete', '--user', 'a', '--yes'],
      ['deny', '--user', 'a', '--cluster', '--operation', 'all'],
    ]) {
      const { code, said } = await kavkaAt(open.bootstrapServers)(['acls', ...args]);
      assert.equal(code, 1);
      assert.match(said, /^kavka: Cannot .*set authorizer\.class\.name .*\(SECURITY_DISABLED\)\n$/);
    }
  });

  it('ends with 2 for a command line that is wrong, and creates nothing', async () => {
    const rule = ['--user', 'alice', '--topic', 'orders', '--operation', 'read'];
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [['alow'], /did you mean allow\?/],
      [['list', 'orders'], /Cannot use "orders": kavka acls list takes options only/],
      [['allow', 'orders', ...rule], /Cannot use "orders"/],
      [['delete', 'orders', '--user', 'a', '--yes'], /Cannot use "orders"/],
      [['allow', '--topic', 'orders', '--operation', 'read'], /for nobody: give --user NAME/],
      [['deny', '--user', 'alice', '--operation', 'read'], /Cannot run kavka acls deny on nothing: give --topic/],
      [['allow', '--user', 'alice', '--topic', 'orders'], /without an operation/],
      [['allow', ...rule, '--operation', 'Read'], /Cannot use --operation "Read": give all, read, write/],
      [
        ['allow', ...rule, '--group', 'g', '--operation', 'write'],
        /--operation write with --group g: brokers ask for read,/,
      ],
      [['allow', ...rule, '--transactional-id-prefix', 't'], /--operation read with --transactional-id-prefix t/],
      [['allow', ...rule, '--cluster'], /--operation read with --cluster: brokers ask for create,/],
      [
        ['allow', ...rule, '--delegation-token', 't'],
        /--operation read with --delegation-token t: brokers ask for desc/,
      ],
      [
        ['allow', '--user', 'a', '--user-principal', 'b', '--operation', 'all'],
        /--user-principal "b": give a type and/,
      ],
      [['allow', ...rule, '--operation', 'clusterAction'], /clusterAction with --topic orders/],
      [
        ['allow', ...rule, '--producer'],
        /Cannot use --operation with --producer or --consumer, which stand for operations/,
      ],
      [['allow', '--producer', '--user', 'a'], /--producer without a topic: give --topic or --topic-prefix/],
      [['allow', '--consumer', '--user', 'a', '--topic', 't'], /--consumer without a group/],
      [['allow', '--consumer', '--user', 'a', '--group', 't'], /--consumer without a topic/],
      [['allow', '--producer', '--user', 'a', '--topic', 't', '--group', 'g'], /--group g with --producer/],
      [['allow', '--producer', '--user', 'a', '--topic', 't', '--cluster'], /--cluster with --producer/],
      [['allow', ...rule, '--idempotent'], /--idempotent without --producer/],
      [
        ['allow', '--consumer', '--idempotent', '--user', 'a', '--topic', 't', '--group', 'g'],
        /--idempotent without --producer/,
      ],
      [['allow', ...rule, '--user', 'User:bob'], /--user "User:bob": give the name alone, or --principal User:bob/],
      [['allow', ...rule, '--principal', 'bob'], /--principal "bob": give a type and a name/],
      [['deny', ...rule, '--producer'], /--producer: there is no such option/],
      [['allow', ...rule, '--permission', 'deny'], /--permission: there is no such option/],
      [['list', '--permission', 'maybe'], /Cannot use --permission "maybe": give allow, deny/],
      [['list', '--match'], /--match without a name/],
      [['list', '--match', '--group-prefix', 'g'], /--group-prefix g with --match/],
      [['delete', '--user', ''], /--user without a value/],
      [['list', '--timeout', 'soon'], /Cannot use --timeout "soon"/],
    ];
    for (const [args, message] of wrong) {
      const { code, said, printed } = await kavka(['acls', ...args]);
      assert.match(said, message);
      assert.deepEqual([code, printed], [2, ''], args.join(' '));
    }
    assert.deepEqual(await there(), []);
  });

  it('has help for itself and for each command', async () => {
    const { printed } = await kavka(['acls', '--help']);
    const words = [...printed.matchAll(/^ {2}([a-z]+) {2,}\w/gm)].map(([, word]) => word ?? '');
    assert.deepEqual(words, ['list', 'allow', 'deny', 'delete']);
    for (const word of words) {
      const help = await kavka(['acls', word, '--help']);
      assert.ok(help.printed.startsWith(`Usage: kavka acls ${word} `), help.printed);
      assert.match(help.printed, /--transactional-id-prefix TEXT/);
    }
  });
});
