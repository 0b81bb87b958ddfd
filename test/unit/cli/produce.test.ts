import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCli, type ExitCode } from '../../../src/cli/run-cli.ts';
import { TestCluster, type TestRecord } from '../../../src/testing/index.ts';
import { FakeTerminal } from '../../support/cli/fake-terminal.ts';
import { eventually } from '../../support/eventually.ts';

let cluster: TestCluster;
let number = 0;
before(async () => {
  cluster = await TestCluster.start({ configs: { 'auto.create.topics.enable': 'false' } });
});
after(() => cluster.close());

function newTopic(partitions = 1): string {
  const topic = `produced-${++number}`;
  cluster.createTopic(topic, partitions);
  return topic;
}

function start(terminal: FakeTerminal, topic: string, ...args: string[]): Promise<ExitCode> {
  return runCli(['produce', topic, '--bootstrap-servers', cluster.bootstrapServers.join(), ...args], terminal);
}

interface Produced {
  readonly code: ExitCode;
  readonly said: string;
  readonly records: readonly TestRecord[];
}

/** Produces input that has an end. */
async function produce(topic: string, input: string | Uint8Array, ...args: string[]): Promise<Produced> {
  const terminal = new FakeTerminal();
  terminal.stdin.end(input);
  const code = await start(terminal, topic, ...args);
  return { code, said: terminal.said, records: await cluster.records(topic) };
}

function rows(records: readonly TestRecord[]): (string | null)[][] {
  return records.map(({ key, value }) => [key?.toString() ?? null, value?.toString() ?? null]);
}

describe('kavka produce', () => {
  it('sends each line, byte for byte, also the last one without an end and empty ones', async () => {
    const lines = [Buffer.from('one'), Buffer.from([0xff, 0x00, 0x0d]), Buffer.alloc(0), Buffer.from('öl')];
    const input = Buffer.concat(lines.flatMap((line, index) => (index === 3 ? [line] : [line, Buffer.from('\n')])));
    const { code, said, records } = await produce(newTopic(), input);
    assert.equal(code, 0);
    assert.deepEqual(
      records.map(({ value }) => value),
      lines,
    );
    assert.ok(records.every(({ key, headers }) => key === null && headers.size === 0));
    assert.match(said, /^4 records acknowledged, 9 bytes in \d+\.\d s\n$/);
  });

  it('puts lines together that come in pieces', async () => {
    const topic = newTopic();
    const terminal = new FakeTerminal();
    const ended = start(terminal, topic);
    for (const piece of ['a', 'b\nc', '\n', 'd']) {
      terminal.stdin.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    terminal.stdin.end();
    assert.equal(await ended, 0);
    assert.deepEqual(rows(await cluster.records(topic)), [
      [null, 'ab'],
      [null, 'c'],
      [null, 'd'],
    ]);
  });

  it('takes what stands before the first separator as the key, and counts a line without one as failed', async () => {
    const { code, said, records } = await produce(newTopic(), 'a::1\nnone\n::2\nb::3::4\n', '--key-separator', '::');
    assert.deepEqual(rows(records), [
      ['a', '1'],
      ['', '2'],
      ['b', '3::4'],
    ]);
    assert.equal(code, 1);
    assert.match(said, /^kavka: Cannot send line 2: it has no "::" behind a key$/m);
    assert.match(said, /^3 records acknowledged, 1 failed, /m);
    assert.match(said, /^kavka: Cannot send 1 of 4 lines$/m);
    assert.deepEqual(rows((await produce(newTopic(), 'a\t1\n', '--key-separator', '\\t')).records), [['a', '1']]);
  });

  it('makes tombstones of empty values if told so', async () => {
    const args = ['--key-separator', '=', '--empty-as-null'];
    assert.deepEqual(rows((await produce(newTopic(), 'a=\n=1\n', ...args)).records), [
      ['a', null],
      [null, '1'],
    ]);
    assert.deepEqual(rows((await produce(newTopic(), '\n', '--empty-as-null')).records), [[null, null]]);
  });

  it('takes JSON: texts, bytes, other values, headers, partition and time', async () => {
    const lines = [
      { key: 'a', value: 'text', headers: { one: '1', two: ['2', null, { base64: '/w==' }] } },
      { value: { total: 1 }, partition: 1, timestamp: 1234 },
      { key: 7, value: [1, 'x'], partition: 1 },
      { key: { base64: 'AAE=' }, value: null, partition: 1, headers: null, timestamp: null },
      { topic: 'other', offset: '3', value: '', partition: 1 },
    ];
    const { code, records } = await produce(
      newTopic(2),
      lines.map((line) => JSON.stringify(line)).join('\n'),
      '--json',
    );
    assert.equal(code, 0);
    const [first, ...others] = [...records].sort(
      (a, b) => Number(a.value?.toString() !== 'text') - Number(b.value?.toString() !== 'text'),
    );
    assert.equal(first?.key?.toString(), 'a');
    assert.deepEqual(
      [...(first?.headers ?? [])].map(([name, value]) => [name, value?.toString('hex')]),
      [
        ['one', '31'],
        ['two', '32'],
        ['two', undefined],
        ['two', 'ff'],
      ],
    );
    assert.deepEqual(rows(others), [
      [null, '{"total":1}'],
      ['7', '[1,"x"]'],
      ['\u0000\u0001', null],
      [null, ''],
    ]);
    assert.ok(others.every(({ partition }) => partition === 1));
    assert.equal(others[0]?.timestamp, 1234);
  });

  it('tells what is wrong with a line of JSON, with its number, and sends the others', async () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['{"value":', /line 1: it is no JSON/],
      ['[1]', /line 1: it is no JSON object/],
      ['', /line 1: it is no JSON/],
      ['{"key":"a"}', /line 1: it has no "value"; null makes a tombstone/],
      ['{"valeu":1}', /line 1: there is no field "valeu"; did you mean "value"\?/],
      ['{"value":{"base64":"?"}}', /line 1: the base64 of "value" is none/],
      ['{"value":1,"headers":[]}', /line 1: "headers" is no object/],
      ['{"value":1,"partition":"0"}', /line 1: "partition" is no whole number/],
      ['{"value":1,"timestamp":-5}', /line 1: "timestamp" is no whole number/],
      ['{"value":"\u001b[2J"x', /line 1: it is no JSON: [^\u001b]*$/m],
    ];
    for (const [line, message] of wrong) {
      const { code, said, records } = await produce(newTopic(), `${line}\n{"value":"fine"}\n`, '--json');
      assert.match(said, message);
      assert.equal(code, 1);
      assert.deepEqual(rows(records), [[null, 'fine']]);
    }
  });

  it('only counts failures beyond the tenth', async () => {
    const { said } = await produce(newTopic(), 'x\n'.repeat(30), '--json');
    assert.equal(said.match(/Cannot send line/g)?.length, 10);
    assert.match(said, /only counted/);
    assert.match(said, /^0 records acknowledged, 30 failed/m);
  });

  it('writes to a partition, with headers; what a line says goes first', async () => {
    const args = ['--partition', '2', '--header', 'source=web=1', '--header', 'empty='];
    const { records } = await produce(newTopic(3), 'a\n', ...args);
    assert.equal(records[0]?.partition, 2);
    assert.deepEqual(
      [...records[0].headers].map(([name, value]) => [name, value?.toString()]),
      [
        ['source', 'web=1'],
        ['empty', ''],
      ],
    );
    const json = await produce(newTopic(3), '{"value":1,"partition":1,"headers":{"a":"b"}}', '--json', ...args);
    assert.equal(json.records[0]?.partition, 1);
    assert.deepEqual(
      [...json.records[0].headers].map(([name]) => name),
      ['source', 'empty', 'a'],
    );
  });

  it('tells the number of a line that cannot be a record, and sends the others', async () => {
    const lines = ['a', 'x'.repeat(2_000_000), 'b', 'y'.repeat(17 * 1024 * 1024), 'c'].join('\n');
    const { code, said, records } = await produce(newTopic(), lines);
    assert.equal(code, 1);
    assert.match(said, /line 2: .*above maxRequestBytes/);
    assert.match(said, /line 4: it has more than 16777216 bytes/);
    assert.deepEqual(rows(records), [
      [null, 'a'],
      [null, 'b'],
      [null, 'c'],
    ]);
    assert.match((await produce(newTopic(), 'a\n', '--partition', '9')).said, /line 1: .*the record names partition 9/);
  });

  it('compresses, and waits for as many replicas as it is told', async () => {
    for (const [args, acks] of [
      [['--compression', 'gzip'], -1],
      [['--acks', '1'], 1],
      [['--acks', '0'], 0],
    ] as const) {
      cluster.clearRequests();
      const { code, said } = await produce(newTopic(), 'a'.repeat(1000), ...args);
      assert.equal(code, 0);
      assert.match(said, acks === 0 ? /^1 records sent/ : /^1 records acknowledged/);
      const request = await cluster.waitForRequest({ api: 'Produce' });
      assert.equal(request.message.acks, acks);
      const bytes = request.message.topicData[0]?.partitionData[0]?.records?.length ?? 0;
      assert.equal(bytes < 500, acks === -1);
    }
  });

  it('reads a file instead', async (test) => {
    const folder = mkdtempSync(join(tmpdir(), 'kavka-cli-'));
    test.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'lines');
    writeFileSync(file, 'a\nb\n');
    const topic = newTopic();
    assert.equal(await start(new FakeTerminal(), topic, '--file', file), 0);
    assert.deepEqual(rows(await cluster.records(topic)), [
      [null, 'a'],
      [null, 'b'],
    ]);
    const terminal = new FakeTerminal();
    assert.equal(await start(terminal, topic, '--file', join(folder, 'none')), 1);
    assert.match(terminal.said, /^kavka: Cannot read --file .*none: ENOENT$/m);
  });

  it('says how to end what is typed, and sends each line at once', async () => {
    const topic = newTopic();
    const terminal = new FakeTerminal({ isInputInteractive: true });
    const ended = start(terminal, topic);
    await eventually(() => terminal.said.includes('Ctrl-D ends'));
    terminal.stdin.write('one\n');
    await cluster.waitForRecords(topic, { count: 1 });
    terminal.stdin.end();
    assert.equal(await ended, 0);
    assert.doesNotMatch((await produce(topic, 'a')).said, /Ctrl-D/);
  });

  it('sends what was read when it is interrupted, but no half line, and says how many were acknowledged', async () => {
    const topic = newTopic();
    const terminal = new FakeTerminal();
    const ended = start(terminal, topic);
    terminal.stdin.write('one\ntwo\nhal');
    await cluster.waitForRecords(topic, { count: 2 });
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.match(terminal.said, /^Interrupted\. 2 records acknowledged, 6 bytes/);
    assert.deepEqual(rows(await cluster.records(topic)), [
      [null, 'one'],
      [null, 'two'],
    ]);
  });

  for (const { lines, limitBytes } of [
    { lines: 'long', limitBytes: 64 * 1024 * 1024 },
    // Small ones take little of the producer's memory, and much of everything else's.
    { lines: 'short', limitBytes: 1024 * 1024 },
  ]) {
    it(`reads ${lines} lines no faster than they are acknowledged`, async () => {
      const terminal = new FakeTerminal();
      const length = lines === 'long' ? 1023 : 1;
      const chunk = Buffer.from(`${'x'.repeat(length)}\n`.repeat(65_536 / (length + 1)));
      const whole = limitBytes * 3;
      let given = 0;
      terminal.input = async function* () {
        for (; given < whole; given += chunk.length) yield chunk;
      };
      using held = cluster.intercept({ api: 'Produce' }, { hold: 'before' });
      const ended = start(terminal, newTopic());
      await eventually(() => given > 0);
      let before = -1;
      await eventually(async () => {
        before = given;
        await new Promise((resolve) => setTimeout(resolve, 300));
        return before === given;
      });
      assert.ok(given < limitBytes, `${given} bytes were read while nothing was acknowledged`);
      held.release();
      assert.equal(await ended, 0);
      assert.equal(given, whole);
      assert.match(terminal.progress.at(-1) ?? '', /^\d+ records acknowledged, \d+ per second$/);
      assert.match(terminal.said, new RegExp(`^${whole / (length + 1)} records acknowledged`));
    });
  }

  it('does not read on when the next lines would fail as well', async () => {
    const terminal = new FakeTerminal();
    terminal.stdin.write('one\n');
    const code = await start(terminal, 'not-there');
    assert.equal(code, 1);
    assert.match(terminal.said, /line 1: .*not-there/);
    assert.match(terminal.said, /Cannot send 1 of 1 lines; the rest was not read/);
  });

  it('refuses what does not fit together', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [['produce'], /which topic\?/],
      [['produce', 'a', 'b'], /Cannot use "b": kavka produce takes one topic/],
      [['produce', 'a', '--json', '--key-separator', ':'], /Cannot use --key-separator with --json/],
      [['produce', 'a', '--json', '--empty-as-null'], /Cannot use --empty-as-null with --json/],
      [['produce', 'a', '--partition', '-1'], /Cannot use --partition "-1"/],
      [['produce', 'a', '--header', 'x'], /Cannot use header "x"/],
      [['produce', 'a', '--compression', 'zip'], /Cannot use --compression "zip": give none, gzip/],
      [['produce', 'a', '--acks', '2'], /Cannot use --acks "2": give all, 1, 0/],
    ];
    for (const [args, message] of wrong) {
      const terminal = new FakeTerminal();
      assert.equal(await runCli(args, terminal), 2, args.join(' '));
      assert.match(terminal.said, message);
    }
  });
});
