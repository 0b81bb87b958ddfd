import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { apis } from '../../../../src/protocol/index.ts';
import { brokerErrorCodes } from '../../../../src/errors/broker-error-codes.ts';
import { TestClock, TestCluster } from '../../../../src/testing/index.ts';
import { RawKafka } from '../../../support/answers/raw-kafka.ts';
import { ShareDesk, type ShareReader } from '../../../support/answers/share-requests.ts';

const ACCEPT = 1;
const RELEASE = 2;
const long = { maxWaitMs: 60_000, minBytes: 1 } as const;

interface Waiting {
  readonly done: Promise<unknown>;
  readonly isAnswered: () => boolean;
}

/** How the recorded answers cannot show it: what share fetches wait for, on the clock of the cluster. */
describe('ShareFetch of the cluster inside the process', () => {
  const clock = new TestClock();
  let cluster: TestCluster;
  let kafka: RawKafka;
  let desk: ShareDesk;
  let one: ShareReader;
  let two: ShareReader;

  before(async () => {
    cluster = await TestCluster.start({ clock, configs: { 'group.share.max.share.sessions': '3' } });
  });
  after(async () => {
    kafka.close();
    await cluster.close();
  });
  beforeEach(async () => {
    kafka?.close();
    kafka = new RawKafka(cluster.bootstrapServers);
    desk = await ShareDesk.open(kafka);
    one = desk.member('one');
    two = desk.member('two', await kafka.connect());
  });

  /** A fetch of the second member that waits. */
  async function fetchInVain(): Promise<Waiting> {
    let isAnswered = false;
    const done = two.fetch(long).then(() => {
      isAnswered = true;
    });
    await clock.advance(10);
    assert.ok(!isAnswered, 'it was answered at once');
    return { done, isAnswered: () => isAnswered };
  }

  it('waits for records until they are appended', async () => {
    const answer = await fetchInVain();
    await desk.produce(['a']);
    await answer.done;
    assert.match(desk.log.at(-1) ?? '', /\{0-0x1\}/);
  });

  it('waits for records until another member releases them', async () => {
    await desk.produce(['a', 'b']);
    await one.fetchSome();
    const answer = await fetchInVain();
    await one.acknowledge([[1, 1, RELEASE]]);
    await answer.done;
    assert.match(desk.log.at(-1) ?? '', /\{1-1x2\}/);
  });

  it('waits for records until the lock of another member ends', async () => {
    await desk.produce(['a']);
    await one.fetchSome();
    const answer = await fetchInVain();
    await clock.advance(29_000);
    assert.ok(!answer.isAnswered());
    await clock.advance(1000);
    await answer.done;
    assert.match(desk.log.at(-1) ?? '', /\{0-0x2\}/);
  });

  it('waits for records until the connection of their member ends', async () => {
    await desk.produce(['a']);
    const connection = await kafka.connect();
    await desk.member('three', connection).fetchSome();
    const answer = await fetchInVain();
    connection.close();
    await answer.done;
    assert.match(desk.log.at(-1) ?? '', /\{0-0x2\}/);
  });

  it('gives no record to two members that wait for it', async () => {
    const answers = [two, desk.member('three', await kafka.connect())].map((reader) => reader.fetch(long));
    await clock.advance(10);
    await desk.produce(['a']);
    const first = await Promise.race(answers);
    assert.equal(first.responses[0]?.partitions[0]?.acquiredRecords.length, 1);
    await clock.advance(1000);
    assert.equal(desk.log.filter((line) => line.includes('{0-0x1}')).length, 1);
    await clock.advance(long.maxWaitMs);
    await Promise.all(answers);
  });

  it('renews a lock for its whole time', async () => {
    await desk.produce(['a']);
    await one.fetchSome();
    await clock.advance(20_000);
    await one.acknowledge([[0, 0, 4]], { isRenewAck: true });
    const answer = await fetchInVain();
    await clock.advance(29_000);
    assert.ok(!answer.isAnswered());
    await one.acknowledge([[0, 0, ACCEPT]]);
    assert.match(desk.log.at(-1) ?? '', /0 NONE/);
    await clock.advance(long.maxWaitMs);
    await answer.done;
  });

  it('has only so many sessions, and makes who gets none wait', async () => {
    const readers = await Promise.all(['a', 'b', 'c', 'd'].map(async (id) => desk.member(id, await kafka.connect())));
    const last = readers.pop();
    for (const reader of readers) await reader.fetch();
    const answer = last?.fetch(long);
    await clock.advance(long.maxWaitMs - 1);
    assert.ok(!desk.log.some((line) => line.includes('SHARE_SESSION_LIMIT_REACHED')));
    await clock.advance(1);
    assert.equal((await answer)?.errorCode, brokerErrorCodes.SHARE_SESSION_LIMIT_REACHED);
  });

  it('begins anew where the offsets of a group were set', async () => {
    await desk.produce(['a', 'b', 'c']);
    await one.fetchSome();
    await one.acknowledge([[0, 1, ACCEPT]], { shareSessionEpoch: -1 });
    await clock.advance(60_000);
    const topics = [{ topicName: desk.topic.name, partitions: [{ partitionIndex: 0, startOffset: 1n }] }];
    const answer = await desk.connection.send(apis.AlterShareGroupOffsets, 0, { groupId: desk.groupId, topics });
    assert.equal(answer.responses[0]?.partitions[0]?.errorCode, 0);
    await one.fetchSome();
    assert.match(desk.log.at(-1) ?? '', /\{1-2x1\}/);
  });
});
