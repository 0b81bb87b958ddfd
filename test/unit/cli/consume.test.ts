import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runCli, type ExitCode } from '../../../src/cli/run-cli.ts';
import { Kafka } from '../../../src/index.ts';
import { TestCluster, type TestRecordInput } from '../../../src/testing/index.ts';
import { FakeTerminal, type FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { silentServer } from '../../support/cli/silent-server.ts';
import { eventually } from '../../support/eventually.ts';

let cluster: TestCluster;
let number = 0;
before(async () => {
  cluster = await TestCluster.start({
    configs: { 'group.initial.rebalance.delay.ms': '0', 'log.message.timestamp.after.max.ms': String(2n ** 63n - 1n) },
  });
});
after(() => cluster.close());

async function topicOf(records: readonly TestRecordInput[], partitions = 1): Promise<string> {
  const topic = `consumed-${++number}`;
  cluster.createTopic(topic, partitions);
  await cluster.append(topic, records);
  return topic;
}

function values(...texts: string[]): TestRecordInput[] {
  return texts.map((value) => ({ value }));
}

function start(terminal: FakeTerminal, ...args: string[]): Promise<ExitCode> {
  return runCli(['consume', '--bootstrap-servers', cluster.bootstrapServers.join(), ...args], terminal);
}

interface Consumed {
  readonly code: ExitCode;
  readonly said: string;
  readonly written: Buffer;
  readonly text: string;
}

/** Consumes up to the end. */
async function consume(looks: FakeTerminalLooks, ...args: string[]): Promise<Consumed> {
  const terminal = new FakeTerminal(looks);
  const code = await start(terminal, '--until-end', ...args);
  const { said, written } = terminal;
  return { code, said, written, text: written.toString() };
}

async function consumedValues(...args: string[]): Promise<string> {
  const { code, text, said } = await consume({}, '--format', 'value', ...args);
  assert.equal(code, 0, said);
  return text.trimEnd().replaceAll('\n', ' ');
}

describe('kavka consume', () => {
  it('prints JSON where nobody reads, and what is no UTF-8 as base64', async () => {
    const headers = [
      ['a', '1'],
      ['b', Buffer.from([0xff])],
      ['a', null],
    ] as const;
    const topic = await topicOf([
      { key: 'k', value: 'ö\n\u0085', headers, timestamp: 1234 },
      { value: Buffer.from([0xff, 0xfe]), timestamp: 5 },
      { value: null, timestamp: 6 },
    ]);
    const { code, text, said } = await consume({}, topic);
    assert.equal(code, 0);
    assert.equal(said, '');
    const place = { topic, partition: 0 };
    assert.deepEqual(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      [
        {
          ...place,
          offset: '0',
          timestamp: 1234,
          key: 'k',
          value: 'ö\n\u0085',
          headers: { a: ['1', null], b: { base64: '/w==' } },
        },
        { ...place, offset: '1', timestamp: 5, key: null, value: { base64: '//4=' }, headers: {} },
        { ...place, offset: '2', timestamp: 6, key: null, value: null, headers: {} },
      ],
    );
    assert.doesNotMatch(text, /\u0085/);
  });

  it('gives what kavka produce --json makes the same records of', async () => {
    const from = await topicOf([
      { key: Buffer.from([0, 0xff]), value: '{"a":1}', headers: { h: ['1', Buffer.from([0x80])] }, timestamp: 77 },
      { key: '', value: null, timestamp: 78 },
    ]);
    const to = await topicOf([]);
    for (const valueAs of ['string', 'json']) {
      const { written } = await consume({}, from, '--value-as', valueAs);
      const terminal = new FakeTerminal();
      terminal.stdin.end(written);
      assert.equal(
        await runCli(['produce', to, '--json', '--bootstrap-servers', cluster.bootstrapServers.join()], terminal),
        0,
      );
    }
    const plain = (records: Awaited<ReturnType<TestCluster['records']>>): unknown[] =>
      records.map(({ key, value, headers, timestamp }) => [key, value, [...headers], timestamp]);
    const original = plain(await cluster.records(from));
    assert.deepEqual(plain(await cluster.records(to)), [...original, ...original]);
  });

  it('prints nothing but values, byte for byte', async () => {
    const topic = await topicOf([{ value: Buffer.from([0xff, 0, 0x1b]) }, { value: null }, { value: 'b' }]);
    const { written } = await consume({}, topic, '--format', 'value');
    assert.deepEqual(written, Buffer.from([0xff, 0, 0x1b, 0x0a, 0x0a, 0x62, 0x0a]));
  });

  it('prints a line for people on a terminal, cut to its width unless told otherwise', async () => {
    const topic = await topicOf([
      { key: 'k', value: 'short', timestamp: Date.UTC(2026, 0, 2) },
      { value: 'x'.repeat(200), timestamp: 8.64e15 + 1 },
      { value: '漢字'.repeat(100), timestamp: 0 },
      { value: Buffer.from([0xff]), timestamp: 0 },
      { value: 'two\nlines', timestamp: 0 },
    ]);
    const { text } = await consume({ isInteractive: true, width: 60 }, topic);
    const lines = text.split('\n');
    assert.equal(lines[0], `${topic}-0@0  2026-01-02T00:00:00.000Z  k  short`);
    assert.equal(lines[1]?.length, 60);
    assert.match(lines[1], /@1 {2}8640000000000001 {2}null {2}x+…$/);
    // Each of these takes two columns.
    const [, han = ''] = /null {2}(.*)…$/.exec(lines[2] ?? '') ?? [];
    assert.ok(/^[漢字]+$/.test(han));
    assert.ok([58, 59].includes((lines[2]?.length ?? 0) - 1 + han.length), lines[2]);
    assert.match(lines[3] ?? '', / {2}0xff$/);
    assert.match(lines[4] ?? '', / {2}two\\nlines$/);
    assert.match((await consume({ isInteractive: true, width: 60 }, topic, '--full')).text, /x{200}\n/);
    assert.match((await consume({}, topic, '--format', 'text')).text, /x{200}\n/);
    assert.doesNotMatch(text, /\u001b/);
    const coloured = await consume({ isInteractive: true, hasColors: true, width: 60 }, topic);
    assert.ok(coloured.text.includes('\u001b[36m'));
    assert.equal(coloured.text.replaceAll(/\u001b\[\d+m/g, ''), text);
  });

  it('lets no control character of a record reach a terminal', async () => {
    const evil = '\u001b[2J\u009b31m\u0007\u202e\r';
    const topic = await topicOf([{ key: evil, value: `{"a":"${evil}"}`, headers: { [evil]: evil } }]);
    for (const format of ['text', 'json', 'value']) {
      const { text } = await consume({ isInteractive: true }, topic, '--format', format, '--full');
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, format);
      assert.match(text, /\\u001b\[2J\\u009b31m\\u0007\\u202e\\r|u001b\[2J\\u009b31m\\u0007\\u202e\\r/, format);
    }
    const { code, said } = await consume({ isInteractive: true }, topic, '--value-as', 'json');
    assert.equal(code, 1);
    assert.doesNotMatch(said, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it('begins where it is told', async () => {
    const now = Date.now();
    const ago = (ms: number, value: string): TestRecordInput => ({ value, timestamp: now - ms });
    const topic = await topicOf([ago(7_200_000, 'a'), ago(3_000_000, 'b'), ago(1000, 'c')]);
    assert.equal(await consumedValues(topic), 'a b c');
    assert.equal(await consumedValues(topic, '--from', 'beginning'), 'a b c');
    assert.equal(await consumedValues(topic, '--from', 'end'), '');
    assert.equal(await consumedValues(topic, '--from', '1'), 'b c');
    assert.equal(await consumedValues(topic, '--from', '99'), '');
    assert.equal(await consumedValues(topic, '--from', '-PT1H'), 'b c');
    assert.equal(await consumedValues(topic, '--from', new Date(now - 1000).toISOString()), 'c');
    assert.equal(await consumedValues(topic, '--from', '2020-01-01'), 'a b c');
    assert.equal(await consumedValues(topic, '--from', '2020-01-01 10:00'), 'a b c');
  });

  it('begins at the end if not told, and goes on until it is interrupted', async () => {
    const topic = await topicOf(values('old'));
    const terminal = new FakeTerminal({ isInteractive: true });
    const ended = start(terminal, topic, '--format', 'value');
    await eventually(() => terminal.said.includes('Waiting for new records; Ctrl-C ends.'));
    await cluster.append(topic, values('new'));
    await eventually(() => terminal.written.length > 0);
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.equal(terminal.written.toString(), 'new\n');
  });

  it('reads several topics, or only some partitions, or only so many records', async () => {
    const one = await topicOf(
      ['a', 'b', 'c'].map((value, partition) => ({ value, partition })),
      3,
    );
    const two = await topicOf(values('d'));
    assert.deepEqual((await consumedValues(one, two)).split(' ').sort(), ['a', 'b', 'c', 'd']);
    assert.deepEqual((await consumedValues(one, '--partition', '0', '--partition', '2')).split(' ').sort(), ['a', 'c']);
    assert.equal((await consumedValues(one, '--limit', '2')).split(' ').length, 2);
    const { code, said } = await consume({}, one, '--partition', '3');
    assert.equal(code, 1);
    assert.match(said, new RegExp(`Cannot consume ${one}-3: the topic has partitions 0 to 2`));
  });

  it('says so when a topic does not exist, and does not make it', async () => {
    const topic = await topicOf([]);
    const { code, said } = await consume({}, `${topic}s`);
    assert.equal(code, 1);
    assert.equal(said, `kavka: Cannot consume "${topic}s": there is no such topic; did you mean ${topic}?\n`);
    const inGroup = await consume({}, 'something-else-entirely', '--group', 'g');
    assert.equal(inGroup.said, 'kavka: Cannot consume "something-else-entirely": there is no such topic\n');
    assert.ok(!cluster.topics.includes(`${topic}s`));
  });

  it('joins a group, commits what was written, and goes on there the next time', async () => {
    const topic = await topicOf(values('a', 'b', 'c'));
    const args = [topic, '--group', `group-${topic}`];
    assert.equal(await consumedValues(...args, '--limit', '2'), 'a b');
    assert.equal(await consumedValues(...args), 'c');
    assert.equal(await consumedValues(...args), '');
    // Without a group nothing is kept.
    assert.equal(await consumedValues(topic), 'a b c');
    assert.equal(await consumedValues(topic, '--group', `${topic}-end`, '--from', 'end'), '');
  });

  it('commits at Ctrl-C, and leaves the group', async () => {
    const topic = await topicOf(values('a', 'b'));
    const terminal = new FakeTerminal();
    const group = ['--group', `group-${topic}`];
    const ended = start(terminal, topic, ...group, '--from', '-P1D', '--format', 'value');
    await eventually(() => terminal.written.toString() === 'a\nb\n');
    terminal.interrupt();
    assert.equal(await ended, 0);
    await cluster.append(topic, values('c'));
    assert.equal(await consumedValues(topic, ...group), 'c');
  });

  it('reads with --read-committed only what was committed', async (test) => {
    const topic = await topicOf([]);
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    test.after(() => kafka.close());
    const producer = kafka.producer({ transactionalId: topic });
    await producer.transaction((transaction) => transaction.send({ topic, value: 'committed' }));
    const aborted = await producer.beginTransaction();
    await aborted.send({ topic, value: 'aborted' });
    await aborted.abort();
    assert.equal(await consumedValues(topic), 'committed aborted');
    assert.equal(await consumedValues(topic, '--read-committed'), 'committed');
  });

  it('decodes keys and values', async () => {
    const int64 = Buffer.alloc(8);
    int64.writeBigInt64BE(-(2n ** 60n));
    const nan = Buffer.alloc(8);
    nan.writeDoubleBE(NaN);
    const id = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
    const rows: readonly (readonly [string, Buffer, text: string, json: unknown])[] = [
      ['hex', Buffer.from([0xab, 1]), 'ab01', 'ab01'],
      ['base64', Buffer.from([0xff]), '/w==', '/w=='],
      ['boolean', Buffer.from([1]), 'true', true],
      ['int8', Buffer.from([0xff]), '-1', -1],
      ['int16', Buffer.from([1, 0]), '256', 256],
      ['int32', Buffer.from([0, 1, 0, 0]), '65536', 65536],
      ['int64', int64, '-1152921504606846976', '-1152921504606846976'],
      ['float32', Buffer.from([0x3f, 0xc0, 0, 0]), '1.5', 1.5],
      ['float64', nan, 'NaN', 'NaN'],
      ['uuid', Buffer.from(id), id, id],
      ['string', Buffer.from('ö'), 'ö', 'ö'],
      ['json', Buffer.from('{ "a b":\n[1, 2.50] }'), '{"a b":[1,2.50]}', { 'a b': [1, 2.5] }],
    ];
    for (const [format, data, text, json] of rows) {
      const topic = await topicOf([{ key: data, value: data }]);
      const printed = await consume({}, topic, '--key-as', format, '--value-as', format);
      const { key, value } = JSON.parse(printed.text) as { key: unknown; value: unknown };
      assert.deepEqual([key, value], [json, json], format);
      assert.equal(await consumedValues(topic, '--value-as', format), text);
      const line = await consume({}, topic, '--format', 'text', '--key-as', format);
      assert.ok(line.text.includes(`Z  ${text}  `), line.text);
    }
    const large = await topicOf(values('{"n":12345678901234567890}'));
    assert.match((await consume({}, large, '--value-as', 'json')).text, /"value":\{"n":12345678901234567890\}/);
  });

  it('ends with 1 at what cannot be decoded, after all that came before it', async () => {
    const topic = await topicOf([{ value: 'one!' }, { value: 'three' }, { value: 'four' }]);
    const { code, text, said } = await consume({}, topic, '--value-as', 'int32', '--format', 'value', '--group', topic);
    assert.equal(code, 1);
    assert.equal(text, '1869505825\n');
    assert.equal(said, `kavka: Cannot read the value of ${topic}-0@1 as int32: 5 bytes where 4 were expected\n`);
    const key = await topicOf([{ key: 'x', value: 'y' }]);
    assert.match((await consume({}, key, '--key-as', 'json')).said, /Cannot read the key of .*-0@0 as json/);
    // It is the next for the group.
    assert.equal(await consumedValues(topic, '--group', topic), 'three four');
  });

  it('ends with 0 when nobody reads what it writes, and does not commit it', async () => {
    const topic = await topicOf(values('a', 'b'));
    const terminal = new FakeTerminal();
    terminal.take = () => Promise.resolve(false);
    assert.equal(await start(terminal, topic, '--from', 'beginning', '--group', topic), 0);
    assert.equal(terminal.said, '');
    assert.equal(await consumedValues(topic, '--group', topic), 'a b');
  });

  it('reads no faster than its output is taken', async () => {
    const topic = await topicOf([]);
    const batch = values(...Array.from({ length: 15 }, () => 'x'.repeat(64 * 1024)));
    // More than a consumer holds that waits for its reader.
    const batches = 110;
    for (let index = 0; index < batches; index++) await cluster.append(topic, batch);
    const terminal = new FakeTerminal();
    let waiting: (() => void) | undefined;
    terminal.take = () =>
      new Promise((resolve) => {
        waiting = () => resolve(true);
      });
    cluster.clearRequests();
    const fetchedTo = (): number =>
      Math.max(
        ...cluster
          .requests({ api: 'Fetch' })
          .flatMap(({ message }) => message.topics.flatMap((each) => each.partitions))
          .map(({ fetchOffset }) => Number(fetchOffset)),
      );
    const ended = start(terminal, topic, '--until-end', '--format', 'value');
    await eventually(() => waiting);
    let before = -1;
    await eventually(async () => {
      before = fetchedTo();
      await new Promise((resolve) => setTimeout(resolve, 500));
      return before === fetchedTo();
    });
    assert.ok(before > 0 && before < batches * 15, `fetched up to ${before} of ${batches * 15}`);
    // One chunk is being written, and the reader of records waits with another.
    assert.ok(terminal.written.length < 256 * 1024, `${terminal.written.length} bytes written`);
    let written = terminal.written.length;
    terminal.write = (bytes) => {
      written += bytes.length;
      return Promise.resolve(true);
    };
    waiting?.();
    assert.equal(await ended, 0);
    assert.equal(written, batches * 15 * (64 * 1024 + 1));
  });

  it('ends at Ctrl-C although its output is not taken, and does not commit that', async () => {
    const topic = await topicOf(values('a'));
    const terminal = new FakeTerminal();
    terminal.take = () => new Promise(() => undefined);
    const ended = start(terminal, topic, '--from', 'beginning', '--group', topic);
    await eventually(() => terminal.written.length > 0);
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.equal(await consumedValues(topic, '--group', topic), 'a');
  });

  it('ends at Ctrl-C while no broker answers', async () => {
    const server = await silentServer();
    const terminal = new FakeTerminal();
    const ended = runCli(['consume', 'orders', '--bootstrap-servers', server.address], terminal);
    await eventually(() => server.connections() > 0);
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.equal(terminal.said, '');
    server.close();
  });

  it('refuses what does not fit together', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [['consume'], /which topic\?/],
      [['consume', 'a', '--from', 'yesterday'], /Cannot begin at "yesterday": give beginning, end, an offset/],
      [['consume', 'a', '--from', '-PT'], /Cannot begin at "-PT"/],
      [['consume', 'a', '--from', '2026-13-01'], /Cannot begin at "2026-13-01"/],
      [['consume', 'a', '--limit', '0'], /Cannot use --limit "0": give a whole number from 1 on/],
      [['consume', 'a', '--partition', 'x'], /Cannot use --partition "x"/],
      [['consume', 'a', '--group', 'g', '--partition', '0'], /Cannot use --partition with --group/],
      [['consume', 'a', '--group', 'g', '--from', '5'], /Cannot use --from 5 with --group/],
      [['consume', 'a', '--group', 'g', '--from', '2026-01-01'], /Cannot use --from 2026-01-01 with --group/],
      [['consume', 'a', '--format', 'xml'], /Cannot use --format "xml": give json, value, text/],
      [['consume', 'a', '--key-as', 'avro'], /Cannot use --key-as "avro": give string, json/],
      [['consume', 'a', '--value-as', 'avro'], /Cannot use --value-as "avro"/],
    ];
    for (const [args, message] of wrong) {
      const terminal = new FakeTerminal();
      assert.equal(await runCli(args, terminal), 2, args.join(' '));
      assert.match(terminal.said, message);
    }
  });
});
