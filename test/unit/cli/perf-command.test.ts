import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { runCli, type ExitCode } from '../../../src/cli/run-cli.ts';
import { Kafka } from '../../../src/index.ts';
import { TestCluster } from '../../../src/testing/index.ts';
import { FakeTerminal, type FakeTerminalLooks } from '../../support/cli/fake-terminal.ts';
import { kavkaAt, type CommandRun } from '../../support/cli/kavka-at.ts';
import { eventually } from '../../support/eventually.ts';

interface Latencies {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

interface Measured {
  readonly records: number;
  readonly failed: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly recordsPerSecond: number | null;
  readonly megabytesPerSecond: number | null;
  readonly cpuMicrosecondsPerRecord: number | null;
  readonly residentMegabytes: number;
  readonly joinSeconds?: number;
  readonly groupId?: string;
  readonly latencyMs: Latencies | null;
  readonly acknowledgedLatencyMs: Latencies;
  readonly consumedLatencyMs: Latencies;
  readonly isInterrupted: boolean;
}

let cluster: TestCluster;
let kavka: (args: readonly string[], looks?: FakeTerminalLooks) => Promise<CommandRun>;
let number = 0;
before(async () => {
  cluster = await TestCluster.start({ configs: { 'group.initial.rebalance.delay.ms': '0' } });
  kavka = kavkaAt(cluster.bootstrapServers);
});
afterEach(() => cluster.restore());
after(() => cluster.close());

function newTopic(partitions = 2): string {
  const topic = `measured-${++number}`;
  cluster.createTopic(topic, partitions);
  return topic;
}

/** What was measured, of a command that must succeed. */
async function json(...args: string[]): Promise<Measured> {
  const { code, said, printed } = await kavka(['perf', ...args]);
  assert.deepEqual([code, said], [0, ''], args.join(' '));
  return JSON.parse(printed) as Measured;
}

interface Started {
  readonly terminal: FakeTerminal;
  readonly ended: Promise<ExitCode>;
}

function start(args: readonly string[], looks: FakeTerminalLooks = {}): Started {
  const terminal = new FakeTerminal({ ...looks, environment: { KAFKA_BOOTSTRAP: cluster.bootstrapServers.join() } });
  return { terminal, ended: runCli(['perf', ...args], terminal) };
}

function checkOrder({ p50, p95, p99, p999, max }: Latencies): void {
  const all = [p50, p95, p99, p999, max];
  assert.deepEqual(
    all,
    [...all].sort((a, b) => a - b),
  );
  assert.ok(p50 > 0);
}

describe('kavka perf produce', () => {
  it('sends as many records as it is told, and tells what it measured with the units', async () => {
    const topic = newTopic();
    const measured = await json('produce', topic, '--records', '2500', '--size', '120');
    const records = await cluster.records(topic);
    assert.equal(records.length, 2500);
    assert.ok(records.every(({ key, value }) => key === null && value?.length === 120));
    assert.equal(new Set(records.map(({ value }) => value?.toString())).size, 2500);
    assert.deepEqual(Object.keys(measured), [
      ...['topic', 'records', 'failed', 'bytes', 'seconds', 'recordsPerSecond', 'megabytesPerSecond'],
      ...['cpuMicrosecondsPerRecord', 'residentMegabytes', 'latencyMs', 'isInterrupted'],
    ]);
    assert.deepEqual([measured.records, measured.failed, measured.bytes], [2500, 0, 300_000]);
    assert.equal(measured.isInterrupted, false);
    const { seconds, recordsPerSecond, megabytesPerSecond, latencyMs } = measured;
    assert.ok(Math.abs((recordsPerSecond ?? 0) * seconds - 2500) < 2500 * 0.05);
    assert.ok(Math.abs((megabytesPerSecond ?? 0) * seconds - 0.3) < 0.3 * 0.05);
    assert.ok((measured.cpuMicrosecondsPerRecord ?? 0) > 0 && measured.residentMegabytes > 20);
    assert.ok(latencyMs !== null && latencyMs.max <= seconds * 1000 + 1);
    checkOrder(latencyMs);
  });

  it('gives each record one of so many keys, whose bytes count', async () => {
    const topic = newTopic();
    const measured = await json('produce', topic, '--records', '300', '--keys', '7', '--size', '10');
    const keys = (await cluster.records(topic)).map(({ key }) => key?.toString());
    assert.deepEqual(
      [...new Set(keys)].sort(),
      Array.from({ length: 7 }, (_, key) => `key-${key}`),
    );
    assert.equal(measured.bytes, 300 * (10 + 5));
  });

  it('sends so many records in a call, and has so many calls under way', async () => {
    for (const [args, inFlight, batch] of [
      [[], 16, 1000],
      [['--size', '10000'], 16, 100],
      [['--batch', '3', '--in-flight', '2'], 2, 3],
      [['--rate', '1000000', '--in-flight', '1'], 1, 1000],
      [['--rate', '2000', '--in-flight', '1'], 1, 20],
      [['--rate', '10', '--in-flight', '1'], 1, 1],
    ] as const) {
      const topic = newTopic(1);
      using held = cluster.intercept({ api: 'Produce' }, { hold: 'before' });
      const { terminal, ended } = start(['produce', topic, ...args]);
      await eventually(() => held.requests.length > 0);
      terminal.interrupt();
      await new Promise((resolve) => setImmediate(resolve));
      held.release();
      assert.equal(await ended, 0);
      const { records } = JSON.parse(terminal.printed) as Measured;
      assert.equal(records, inFlight * batch, args.join(' '));
    }
  });

  it('compresses, and waits for as many replicas as it is told', async () => {
    for (const [args, acks] of [
      [['--compression', 'gzip'], -1],
      [['--acks', '1'], 1],
      [['--acks', '0'], 0],
    ] as const) {
      cluster.clearRequests();
      await json('produce', newTopic(1), '--records', '100', ...args);
      const request = await cluster.waitForRequest({ api: 'Produce' });
      assert.equal(request.message.acks, acks);
      const bytes = request.message.topicData[0]?.partitionData[0]?.records?.length ?? 0;
      assert.equal(bytes < 6000, acks === -1);
    }
  });

  it('keeps a rate, until its time is over, and shows how it goes', async () => {
    const { terminal, ended } = start(['produce', newTopic(), '--seconds', '2', '--rate', '500'], {
      isInteractive: true,
    });
    assert.equal(await ended, 0);
    const [, records = ''] =
      /^measured-\d+: values of 100 bytes, acks all\n {2}records {4}([\d,]+) in [12]\.\d\d s\n {2}rate {7}\d{3} records\/s, 0\.[01] MB\/s\n {2}latency {4}p50 \d/.exec(
        terminal.printed,
      ) ?? [];
    const sent = Number(records.replace(',', ''));
    // What is due at the very end may find its time over.
    assert.ok(sent > 900 && sent <= 1000, terminal.printed);
    assert.match(terminal.progress[0] ?? '', /^\d s: \d{3} records; now \d{3} records\/s, 0\.\d MB\/s; p99 [\d.]+ ms$/);
    assert.equal(terminal.said, '');
  });

  it('does not wait for what is due after its time', async () => {
    // Without that the last of them, two seconds after the beginning, would be waited for, and not sent.
    const { records, seconds } = await json(
      'produce',
      newTopic(),
      '--seconds',
      '1',
      '--rate',
      '8',
      '--in-flight',
      '16',
    );
    assert.equal(records, 8);
    assert.ok(seconds < 1.5, String(seconds));
  });

  it('counts what had to wait for late answers from when it was due, where it keeps a rate', async () => {
    // One call at a time, and the first answer is late: without counting from when they were due, only one would be slow.
    const args = ['produce', newTopic(1), '--records', '100', '--rate', '200', '--batch', '1', '--in-flight', '1'];
    const fault = cluster.intercept({ api: 'Produce', times: 1 }, { delayMs: 500 });
    const { latencyMs } = await json(...args);
    assert.equal(fault.requests.length, 1);
    assert.ok(latencyMs !== null && latencyMs.p50 > 150, JSON.stringify(latencyMs));
  });

  it('ends with what was done when it is interrupted', async () => {
    for (const isInteractive of [false, true]) {
      const topic = newTopic();
      const { terminal, ended } = start(['produce', topic], { isInteractive });
      await cluster.waitForRecords(topic, { count: 1 });
      terminal.interrupt();
      assert.equal(await ended, 0);
      const { length } = await cluster.records(topic);
      if (isInteractive) {
        const count = length.toLocaleString('en-US');
        assert.match(terminal.printed, /^measured-\d+: values of 100 bytes, acks all \(interrupted\)\n/);
        assert.ok(terminal.printed.includes(`\n  records    ${count} in `), terminal.printed);
      } else {
        const { records, isInterrupted } = JSON.parse(terminal.printed) as Measured;
        assert.deepEqual([records, isInterrupted], [length, true]);
      }
    }
  });

  it('ends with what was done, and why, when a record is refused', async () => {
    const topic = newTopic(1);
    const { terminal, ended } = start(['produce', topic, '--batch', '10', '--in-flight', '1', '--seconds', '60']);
    await cluster.waitForRecords(topic, { count: 1 });
    cluster.intercept({ api: 'Produce' }, { fail: 'TOPIC_AUTHORIZATION_FAILED' });
    assert.equal(await ended, 1);
    const { records, failed, isInterrupted } = JSON.parse(terminal.printed) as Measured;
    assert.deepEqual([records, failed, isInterrupted], [(await cluster.records(topic)).length, 10, false]);
    assert.match(terminal.said, /^kavka: Cannot .*TOPIC_AUTHORIZATION_FAILED.*\n$/);
  });

  it('has no rates of nothing', async () => {
    cluster.intercept({ api: 'Produce' }, { fail: 'TOPIC_AUTHORIZATION_FAILED' });
    const { terminal, ended } = start(['produce', newTopic(1)], { isInteractive: true });
    assert.equal(await ended, 1);
    assert.match(
      terminal.printed,
      /^.*\n {2}records {4}0 in .* s\n {2}rate {7}0 records\/s, 0\.0 MB\/s\n {2}process {4}\d+ MB resident\n$/,
    );
  });

  it('makes no topic', async () => {
    const topic = newTopic();
    const { code, said } = await kavka(['perf', 'produce', `${topic}x`]);
    assert.equal(code, 1);
    assert.equal(said, `kavka: Cannot produce to "${topic}x": there is no such topic; did you mean ${topic}?\n`);
    assert.throws(() => cluster.partition(`${topic}x`, 0));
  });
});

describe('kavka perf consume', () => {
  let topic: string;
  before(async () => {
    topic = newTopic(3);
    await cluster.append(
      topic,
      Array.from({ length: 3000 }, (_, index) => ({ partition: index % 2, key: 'key', value: 'seven b' })),
    );
  });

  it('reads everything that is there, of several topics, and leaves no trace', async () => {
    const other = newTopic(1);
    await cluster.append(other, [{ value: null }, { value: 'x' }]);
    const measured = await json('consume', topic, other);
    assert.deepEqual(Object.keys(measured), [
      ...['topics', 'records', 'bytes', 'seconds', 'recordsPerSecond', 'megabytesPerSecond'],
      ...['cpuMicrosecondsPerRecord', 'residentMegabytes', 'isInterrupted'],
    ]);
    assert.deepEqual([measured.records, measured.bytes], [3002, 30_001]);
    assert.ok(Math.abs((measured.recordsPerSecond ?? 0) * measured.seconds - 3002) < 300);
    assert.ok(!cluster.requests({ api: 'OffsetCommit' }).length);
  });

  it('does not read what came after it began', async () => {
    const growing = newTopic(1);
    await cluster.append(growing, [{ value: 'a' }, { value: 'b' }]);
    const fault = cluster.intercept(
      { api: 'Fetch', times: 1 },
      {
        answer: async (_request, proceed) => {
          await cluster.append(growing, [{ value: 'c' }]);
          return proceed();
        },
      },
    );
    assert.equal((await json('consume', growing)).records, 2);
    assert.equal(fault.requests.length, 1);
  });

  it('ends where a partition ends with marks of transactions, and where topics are empty', async () => {
    const marked = newTopic(1);
    const kafka = new Kafka({ bootstrapServers: cluster.bootstrapServers });
    await kafka.producer({ transactionalId: 'marks' }).transaction((tx) => tx.send({ topic: marked, value: 'a' }));
    await kafka.close();
    assert.equal((await json('consume', marked)).records, 1);
    const empty = await json('consume', newTopic());
    assert.deepEqual([empty.records, empty.bytes, empty.recordsPerSecond], [0, 0, null]);
  });

  it('ends after so many records, or so long', async () => {
    assert.equal((await json('consume', topic, '--records', '1234')).records, 1234);
    const begun = performance.now();
    const measured = await json('consume', topic, '--follow', '--seconds', '1');
    assert.ok(performance.now() - begun > 950);
    assert.equal(measured.records, 3000);
    assert.ok(measured.seconds >= 0.95);
  });

  it('goes on with what comes, if told so, until it is interrupted, and shows how it goes', async () => {
    const { terminal, ended } = start(['consume', topic, '--follow'], { isInteractive: true });
    await eventually(() => terminal.progress.length > 0);
    assert.match(terminal.progress[0] ?? '', /^1 s: 3,000 records; now (2,9|3,0)\d\d records\/s, 0\.0 MB\/s$/);
    await cluster.append(topic, [{ partition: 2, value: 'new' }]);
    await eventually(() => terminal.progress.some((line) => line.includes(': 3,001 records;')));
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.match(terminal.printed, /^measured-\d+ \(interrupted\)\n {2}records {4}3,001 in \d+\.\d\d s\n {2}rate {7}/);
  });

  it('reads as a member of a group, which goes on from there', async () => {
    const groupId = `group-${topic}`;
    const first = await json('consume', topic, '--group', groupId);
    assert.equal(first.groupId, groupId);
    assert.ok(first.records >= 3000 && (first.joinSeconds ?? -1) >= 0);
    assert.equal((await json('consume', topic, '--group', groupId)).records, 0);
    const shown = await kavka(['perf', 'consume', topic, '--group', groupId], { isInteractive: true });
    assert.match(shown.printed, /^measured-\d+\n {2}joining {4}\d\.\d\d s before that\n {2}records {4}0 in/);
  });

  it('says which topic there is not', async () => {
    const { code, said } = await kavka(['perf', 'consume', topic, 'nope']);
    assert.deepEqual([code, said], [1, 'kavka: Cannot consume "nope": there is no such topic\n']);
  });
});

describe('kavka perf latency', () => {
  it('sends one record at a time, and sees each of them come through', async () => {
    const topic = newTopic();
    await cluster.append(topic, [{ value: 'from before' }]);
    const measured = await json('latency', topic, '--records', '50', '--size', '30');
    // One more opens the connections.
    assert.equal((await cluster.records(topic)).length, 1 + 51);
    assert.deepEqual(Object.keys(measured), [
      ...['topic', 'records', 'bytes', 'seconds', 'recordsPerSecond', 'megabytesPerSecond', 'cpuMicrosecondsPerRecord'],
      ...['residentMegabytes', 'acknowledgedLatencyMs', 'consumedLatencyMs', 'isInterrupted'],
    ]);
    assert.equal(measured.records, 50);
    checkOrder(measured.acknowledgedLatencyMs);
    checkOrder(measured.consumedLatencyMs);
    const mostOnTheWay = cluster.requests({ api: 'Produce' }).slice(-51);
    assert.equal(mostOnTheWay.length, 51);
  });

  it('measures until the consumer has a record, not only until it is acknowledged', async () => {
    const topic = newTopic(1);
    const { terminal, ended } = start(['latency', topic, '--records', '10']);
    await cluster.waitForRecords(topic, { count: 1 });
    cluster.intercept({ api: 'Fetch' }, { delayMs: 100 });
    assert.equal(await ended, 0);
    const measured = JSON.parse(terminal.printed) as Measured;
    assert.ok(measured.consumedLatencyMs.max > measured.acknowledgedLatencyMs.max + 30, terminal.printed);
  });

  it('does not take the records of others for its own', async () => {
    const topic = newTopic(1);
    const fault = cluster.intercept(
      { api: 'Produce' },
      {
        answer: async (_request, proceed) => {
          await cluster.append(topic, [{ key: 'x', value: 'of somebody else' }, { value: null }]);
          await new Promise((resolve) => setTimeout(resolve, 100));
          return proceed();
        },
      },
    );
    const { records, consumedLatencyMs } = await json('latency', topic, '--records', '5');
    assert.equal(records, 5);
    assert.equal(fault.requests.length, 6);
    // They have been read for long when the own one is written.
    assert.ok(consumedLatencyMs.p50 > 90, JSON.stringify(consumedLatencyMs));
    assert.equal((await cluster.records(topic)).length, 6 + 12);
  });

  it('ends after so long, and with what was done when it is interrupted', async () => {
    const timed = await json('latency', newTopic(), '--seconds', '1');
    assert.ok(timed.records > 10 && timed.seconds >= 1 && timed.seconds < 10);
    const topic = newTopic();
    const { terminal, ended } = start(['latency', topic, '--seconds', '60'], { isInteractive: true });
    await cluster.waitForRecords(topic, { count: 10 });
    // Also while it waits for a record that does not come.
    cluster.intercept({ api: 'Fetch' }, { drop: 'before' });
    terminal.interrupt();
    assert.equal(await ended, 0);
    assert.match(terminal.printed, /^measured-\d+: values of 100 bytes, acks all, one at a time \(interrupted\)\n/);
    assert.match(terminal.printed, /^ {2}acked {6}p50 [\d.]+ ms, p95 .*\n {2}consumed {3}p50 /m);
  });

  it('says why a record was refused', async () => {
    const topic = newTopic(1);
    const { terminal, ended } = start(['latency', topic, '--seconds', '60']);
    await cluster.waitForRecords(topic, { count: 3 });
    cluster.intercept({ api: 'Produce' }, { fail: 'TOPIC_AUTHORIZATION_FAILED' });
    assert.equal(await ended, 1);
    assert.match(terminal.said, /^kavka: Cannot .*TOPIC_AUTHORIZATION_FAILED.*\n$/);
    const other = start(['latency', newTopic(1), '--seconds', '60']);
    await cluster.restore();
    await eventually(() => cluster.requests({ api: 'Fetch' }).length > 0);
    cluster.intercept({ api: 'Fetch' }, { fail: 'TOPIC_AUTHORIZATION_FAILED' });
    assert.equal(await other.ended, 1);
    assert.match(other.terminal.said, /^kavka: Cannot .*TOPIC_AUTHORIZATION_FAILED.*\n$/);
  });
});

describe('kavka perf', () => {
  it('ends with 2 for a command line that is wrong', async () => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [[], /Cannot run kavka perf by itself: which of its commands\?/],
      [['produc'], /did you mean produce\?/],
      [['produce'], /Cannot run kavka perf produce without a topic/],
      [['produce', 'a', 'b'], /Cannot use "b": kavka perf produce takes one name/],
      [['consume'], /Cannot run kavka perf consume without a topic/],
      [['latency', 'a', 'b'], /Cannot use "b": kavka perf latency takes one name/],
      [['produce', 'a', '--records', '0'], /Cannot use --records "0": give a whole number from 1 on/],
      [['consume', 'a', '--seconds', '1.5'], /Cannot use --seconds "1\.5"/],
      [['produce', 'a', '--size', '1000001'], /Cannot use --size "1000001": give a whole number from 1 to 1000000/],
      [['latency', 'a', '--size', '0'], /Cannot use --size "0"/],
      [['produce', 'a', '--keys', '-1'], /Cannot use --keys "-1"/],
      [['produce', 'a', '--rate', 'fast'], /Cannot use --rate "fast"/],
      [['produce', 'a', '--batch', '0'], /Cannot use --batch "0"/],
      [['produce', 'a', '--in-flight', '1001'], /Cannot use --in-flight "1001": give a whole number from 1 to 1000/],
      [['produce', 'a', '--compression', 'zip'], /Cannot use --compression "zip"/],
      [['latency', 'a', '--acks', '2'], /Cannot use --acks "2": give all, 1, 0/],
      [['consume', 'a', '--size', '5'], /--size: there is no such option/],
    ];
    for (const [args, message] of wrong) {
      const { code, said } = await kavka(['perf', ...args]);
      assert.match(said, message);
      assert.equal(code, 2, args.join(' '));
    }
  });
});
