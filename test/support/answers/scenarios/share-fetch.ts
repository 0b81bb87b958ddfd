import { ZERO_UUID } from '../../../../src/protocol/wire/uuid.ts';
import { apis } from '../../../../src/protocol/index.ts';
import { RawProducer } from '../raw-producer.ts';
import type { RawKafka } from '../raw-kafka.ts';
import type { Scenario } from '../scenario.ts';
import { ShareDesk, type Acks } from '../share-requests.ts';

/** Of a topic that nobody has made. */
const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAAzw';
const accepted = { firstOffset: 0n, lastOffset: 0n, acknowledgeTypes: [1] };
const wait = { maxWaitMs: 300, minBytes: 1 } as const;
const ACCEPT = 1;
const RELEASE = 2;
const REJECT = 3;
const RENEW = 4;

/** A scenario whose result is the log of its desk. */
function story(name: string, tell: (kafka: RawKafka) => Promise<ShareDesk>): Scenario {
  return { name, run: async (kafka) => (await tell(kafka)).log };
}

export const scenarios: readonly Scenario[] = [
  story('records are acquired in whole batches, and acknowledged one by one or together', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.offsets();
    await desk.produce(['a', 'b', 'c']);
    await desk.produce(['d', 'e']);
    const one = desk.member('one');
    await one.fetchSome();
    await one.fetch();
    await one.fetch(wait, [
      [0, 0, ACCEPT],
      [1, 1, RELEASE],
      [2, 2, REJECT],
    ]);
    await desk.offsets();
    await one.acknowledge([[3, 4, ACCEPT]]);
    await desk.offsets();
    await one.acknowledge([[3, 4, ACCEPT]]);
    await one.acknowledge([[9, 9, ACCEPT]]);
    await one.acknowledge([[4, 5, ACCEPT]]);
    await one.acknowledge([[1, 1, ACCEPT]]);
    await one.acknowledge([[0, 0, ACCEPT]]);
    await desk.offsets();
    return desk;
  }),
  story(
    'acquired ranges begin anew with a batch of the log once they have as many records as the batch size',
    async (kafka) => {
      const desk = await ShareDesk.open(kafka);
      for (let batch = 0; batch < 6; batch++) await desk.produce(['a', 'b', 'c']);
      const one = desk.member('one');
      await one.fetchSome({ batchSize: 4 });
      await one.acknowledge([
        [0, 5, RELEASE],
        [6, 6, RELEASE],
        [9, 17, ACCEPT],
      ]);
      await one.fetch({ ...wait, batchSize: 4 });
      return desk;
    },
  ),
  story('more than the asked number is acquired where a batch of the log goes on', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    for (let batch = 0; batch < 3; batch++) await desk.produce(['a', 'b', 'c']);
    const one = desk.member('one');
    await one.fetchSome({ maxRecords: 2 });
    await one.fetchSome({ maxRecords: 4 });
    await one.fetch(wait);
    await one.fetch({ ...wait, maxRecords: 0 });
    return desk;
  }),
  story('no more than the asked number is acquired with the limit of records', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    for (let batch = 0; batch < 3; batch++) await desk.produce(['a', 'b', 'c', 'd']);
    const limited = { shareAcquireMode: 1, batchSize: 1 };
    const one = desk.member('one');
    await one.fetchSome({ ...limited, maxRecords: 2 });
    await one.fetchSome({ ...limited, maxRecords: 1 });
    await one.fetchSome({ ...limited, maxRecords: 3 });
    await one.fetchSome({ ...limited, maxRecords: 100 });
    await one.acknowledge([
      [0, 5, RELEASE],
      [8, 9, RELEASE],
    ]);
    await one.fetch({ ...wait, ...limited, maxRecords: 5 });
    await one.fetch({ ...wait, ...limited, maxRecords: 5 });
    await one.fetch({ ...wait, shareAcquireMode: 2, maxRecords: 5 });
    return desk;
  }),
  story('a record is archived when it was released as often as it may be delivered', async (kafka) => {
    const desk = await ShareDesk.open(kafka, { 'share.delivery.count.limit': '3' });
    await desk.produce(['poison']);
    const one = desk.member('one');
    await one.fetchSome();
    for (let round = 0; round < 3; round++) await one.fetch(wait, [[0, 0, RELEASE]]);
    await desk.offsets();
    await one.fetch(wait);
    return desk;
  }),
  story('records that failed often come in smaller numbers, at last alone', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
    await desk.produce(['i', 'j']);
    const one = desk.member('one');
    await one.fetchSome();
    for (let held: Acks = [[0, 9, RELEASE]]; held.length > 0;) {
      await one.acknowledge(held);
      const answer = await one.fetch(wait);
      const ranges = answer.responses[0]?.partitions[0]?.acquiredRecords ?? [];
      held = ranges.map(({ firstOffset, lastOffset }) => [Number(firstOffset), Number(lastOffset), RELEASE]);
    }
    await desk.offsets();
    return desk;
  }),
  story('a lock that times out makes its records available to others', async (kafka) => {
    const desk = await ShareDesk.open(kafka, { 'share.record.lock.duration.ms': '1000' });
    await desk.produce(['a', 'b']);
    const one = desk.member('one');
    const two = desk.member('two', await kafka.connect());
    await one.fetchSome();
    await one.acknowledge([[0, 0, ACCEPT]]);
    await two.fetchSome({ maxWaitMs: 5000 });
    await one.acknowledge([[1, 1, ACCEPT]]);
    await two.acknowledge([[1, 1, ACCEPT]]);
    return desk;
  }),
  story('locks are renewed where the request says so, and the group allows it', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b', 'c']);
    const one = desk.member('one');
    await one.fetchSome();
    await one.acknowledge([[0, 2, RENEW]], { isRenewAck: true });
    await one.acknowledge([[0, 2, RENEW]]);
    await one.acknowledge([[0, 2, RENEW, ACCEPT, RENEW]], { isRenewAck: true });
    await one.acknowledge([[0, 0, ACCEPT]], { isRenewAck: true });
    await one.acknowledge([[0, 0, RENEW]], { isRenewAck: true });
    await one.fetch({ isRenewAck: true }, [[2, 2, RENEW]]);
    await one.fetch({ isRenewAck: true, maxBytes: 0, maxRecords: 0 }, [[2, 2, RENEW]]);
    await one.fetch({ isRenewAck: true, maxBytes: 0, maxRecords: 0 });
    await one.fetch({}, [[2, 2, RENEW]]);
    await desk.configure({ 'share.renew.acknowledge.enable': 'false' });
    await one.acknowledge([[2, 2, RENEW]], { isRenewAck: true });
    await one.acknowledge([[9, 9, RENEW]], { isRenewAck: true });
    await one.fetch({ isRenewAck: true, maxBytes: 0, maxRecords: 0 }, [[2, 2, RENEW]]);
    await one.acknowledge([[2, 2, ACCEPT]]);
    return desk;
  }),
  story('acknowledgements that say nothing clear are refused', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b', 'c', 'd']);
    const one = desk.member('one');
    await one.fetchSome();
    await one.acknowledge([[1, 0, ACCEPT]]);
    await one.acknowledge([
      [0, 1, ACCEPT],
      [1, 2, ACCEPT],
    ]);
    await one.acknowledge([
      [2, 2, ACCEPT],
      [0, 0, ACCEPT],
    ]);
    await one.acknowledge([[0, 3]]);
    await one.acknowledge([[0, 3, ACCEPT, ACCEPT]]);
    await one.acknowledge([[0, 1, ACCEPT, ACCEPT, ACCEPT]]);
    await one.acknowledge([[0, 0, 5]]);
    await one.acknowledge([[0, 0, -1]]);
    await one.fetch({}, [[0, 0, 5]]);
    await one.acknowledge([[-1, -1, ACCEPT]]);
    await one.acknowledge([[0, 3, 0, ACCEPT, RELEASE, REJECT]]);
    return desk;
  }),
  story('acknowledgements of a partition are taken together or not at all', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b', 'c']);
    const one = desk.member('one');
    await one.fetchSome();
    await one.acknowledge([[2, 2, ACCEPT]]);
    await one.acknowledge([
      [0, 0, ACCEPT],
      [2, 2, ACCEPT],
    ]);
    await one.acknowledge([[0, 2, ACCEPT]]);
    await one.acknowledge([[0, 1, ACCEPT]]);
    return desk;
  }),
  story('records of one member are not acknowledged by another', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a']);
    await desk.produce(['b']);
    const one = desk.member('one');
    const two = desk.member('two', await kafka.connect());
    await one.fetchSome({ maxRecords: 1 });
    await two.fetchSome();
    await two.acknowledge([[0, 0, ACCEPT]]);
    await one.acknowledge([[0, 1, ACCEPT]]);
    await one.acknowledge([[0, 0, ACCEPT]]);
    await two.acknowledge([[1, 1, ACCEPT]]);
    return desk;
  }),
  story('sessions have their epochs', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b']);
    const one = desk.member('one');
    await one.acknowledge([[0, 0, ACCEPT]]);
    await one.acknowledge([[0, 0, ACCEPT]], { shareSessionEpoch: 1 });
    await one.acknowledge([], { shareSessionEpoch: -1 });
    await one.fetch({ shareSessionEpoch: 1 });
    await one.fetch({ shareSessionEpoch: -1 });
    await one.fetch({}, [[0, 0, ACCEPT]]);
    one.epoch = 0;
    await one.fetchSome();
    await one.fetch({ shareSessionEpoch: 7 });
    await one.acknowledge([[0, 0, ACCEPT]], { shareSessionEpoch: 7 });
    await one.acknowledge([[0, 0, ACCEPT]], { shareSessionEpoch: 0 });
    await one.acknowledge([[0, 0, ACCEPT]]);
    await one.acknowledge([]);
    one.epoch = 0;
    await one.fetch(wait);
    await one.acknowledge([[1, 1, ACCEPT]]);
    await one.fetch({ shareSessionEpoch: -1 });
    await one.fetch({ shareSessionEpoch: 2 });
    return desk;
  }),
  story('the end of a session gives back what its member holds, and the delivery counts', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b', 'c']);
    const one = desk.member('one');
    const two = desk.member('two', await kafka.connect());
    await one.fetchSome();
    await one.fetch({ shareSessionEpoch: -1, ...wait }, [[0, 0, ACCEPT]]);
    await two.fetchSome();
    await two.acknowledge([], { shareSessionEpoch: -1 });
    await one.fetchSome();
    await desk.offsets();
    await desk.configure({ 'share.delivery.count.limit': '3' });
    await one.acknowledge([], { shareSessionEpoch: -1 });
    await desk.offsets(0n);
    await one.fetch(wait);
    return desk;
  }),
  story('a session ends with its connection', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b']);
    const connection = await kafka.connect();
    const two = desk.member('two', connection);
    await two.fetchSome();
    connection.close();
    const one = desk.member('one');
    await one.fetchSome();
    const again = desk.member('two');
    await again.fetch({ shareSessionEpoch: 1 });
    return desk;
  }),
  story('requests without a clear sender are refused', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.member('').fetch();
    await desk.member('x'.repeat(37)).fetch();
    await desk.member('x'.repeat(36)).fetch(wait);
    await desk.member('one').fetch({ groupId: null });
    await desk.member('one').fetch({ memberId: null });
    await desk.member('one').fetch({ groupId: '' });
    await desk.member('').acknowledge([]);
    await desk.member('one').fetch(wait, [], 1);
    return desk;
  }),
  story('a group that no member has joined has nothing to read', async (kafka) => {
    const desk = await ShareDesk.open(kafka, {}, { joins: false });
    await desk.produce(['a']);
    const one = desk.member('one');
    await one.fetch(wait);
    await one.fetch(wait);
    await one.acknowledge([[0, 0, ACCEPT]]);
    return desk;
  }),
  story('topics and partitions that are not there are told as such', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a']);
    const { topicId } = desk.topic;
    const asked = { partitionIndex: 0, acknowledgementBatches: [] };
    await desk.member('one').fetch({ ...wait, topics: [{ topicId: UNKNOWN_ID, partitions: [asked] }] });
    await desk.member('one').fetch({ ...wait, topics: [{ topicId: ZERO_UUID, partitions: [asked] }] });
    await desk.member('one').fetch({ ...wait, topics: [{ topicId, partitions: [{ ...asked, partitionIndex: 9 }] }] });
    const one = desk.member('one');
    await one.fetchSome();
    const told = { partitionIndex: 0, acknowledgementBatches: [accepted] };
    await one.acknowledge([], { topics: [{ topicId: UNKNOWN_ID, partitions: [told] }] });
    await one.acknowledge([], { topics: [{ topicId, partitions: [{ ...told, partitionIndex: 9 }] }] });
    await one.fetch({ topics: [{ topicId, partitions: [{ ...told, partitionIndex: 9 }] }] });
    await one.fetch();
    await one.fetch({ topics: [{ topicId: UNKNOWN_ID, partitions: [asked] }] });
    await one.fetch();
    one.epoch++;
    await one.fetch();
    return desk;
  }),
  story('a group begins where its settings say', async (kafka) => {
    const desk = await ShareDesk.open(kafka, { 'share.auto.offset.reset': 'latest' });
    await desk.produce(['a', 'b']);
    const one = desk.member('one');
    await one.fetch(wait);
    await one.fetch(wait);
    await desk.offsets();
    await desk.produce(['c']);
    await one.fetchSome();
    await one.acknowledge([[2, 2, ACCEPT]]);
    await desk.offsets();
    const since = await ShareDesk.open(kafka, { 'share.auto.offset.reset': 'by_duration:PT1H' });
    await since.produce(['x']);
    await since.member('one').fetchSome();
    desk.log.push(...since.log);
    return desk;
  }),
  story('only so many records lie between the start and the end of what was delivered', async (kafka) => {
    const desk = await ShareDesk.open(kafka, { 'share.partition.max.record.locks': '100' });
    for (let batch = 0; batch < 15; batch++) await desk.produce(Array.from({ length: 9 }, () => 'v'));
    const one = desk.member('one');
    await one.fetchSome();
    await one.fetch(wait);
    await one.fetch(wait, [[9, 17, ACCEPT]]);
    await one.fetch(wait, [[27, 27, RELEASE]]);
    await one.fetch(wait, [[0, 4, ACCEPT]]);
    await one.fetch(wait, [[5, 8, ACCEPT]]);
    await desk.offsets();
    return desk;
  }),
  story('the start follows the start of the log', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b', 'c', 'd']);
    await desk.produce(['e', 'f']);
    const one = desk.member('one');
    await one.fetchSome({ maxRecords: 1 });
    await desk.deleteBefore(2);
    await one.acknowledge([[0, 0, ACCEPT]]);
    await one.fetch(wait);
    await one.acknowledge([[1, 1, ACCEPT]]);
    await one.acknowledge([[1, 3, ACCEPT]]);
    await desk.offsets();
    await desk.deleteBefore(5);
    await one.acknowledge([[4, 5, RELEASE]]);
    await one.fetch(wait);
    await desk.offsets();
    await desk.deleteBefore(6);
    await one.fetch(wait);
    await desk.produce(['g']);
    await one.fetchSome();
    await desk.offsets();
    return desk;
  }),
  story('what was deleted before the group has read it is passed over', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a', 'b']);
    const one = desk.member('one');
    await one.fetchSome();
    await one.acknowledge([[0, 1, ACCEPT]]);
    await desk.produce(['c', 'd']);
    await desk.produce(['e', 'f']);
    await desk.deleteBefore(4);
    await one.fetch(wait);
    await one.fetchSome();
    await desk.offsets();
    return desk;
  }),
  story('markers of transactions are acquired with their records, and acknowledged as gaps', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await transact(kafka, desk, true);
    await transact(kafka, desk, false);
    const one = desk.member('one');
    await one.fetchSome();
    await one.acknowledge([[0, 3, ACCEPT, 0, ACCEPT, 0]]);
    await desk.offsets();
    return desk;
  }),
  story('groups that read committed records only are not given what was aborted', async (kafka) => {
    const desk = await ShareDesk.open(kafka, { 'share.isolation.level': 'read_committed' });
    await transact(kafka, desk, false);
    await transact(kafka, desk, true);
    await transact(kafka, desk, false);
    const one = desk.member('one');
    await one.fetchSome();
    await one.acknowledge([
      [1, 1, 0],
      [2, 2, ACCEPT],
      [3, 3, 0],
      [5, 5, 0],
    ]);
    await desk.offsets();
    return desk;
  }),
  story('a continued session is told only what is new', async (kafka) => {
    const desk = await ShareDesk.open(kafka, {}, { partitions: 2 });
    const { topicId } = desk.topic;
    const both = [0, 1].map((partitionIndex) => ({ partitionIndex, acknowledgementBatches: [] }));
    const one = desk.member('one');
    await one.fetch({ ...wait, topics: [{ topicId, partitions: both }] });
    await desk.produce(['a'], 1);
    await one.fetchSome();
    await one.fetch({ forgottenTopicsData: [{ topicId, partitions: [1] }] });
    await desk.produce(['b'], 1);
    await one.fetch(wait);
    await one.fetch({ ...wait, topics: [{ topicId, partitions: both }] });
    return desk;
  }),
  story('a topic that is deleted is not known any more', async (kafka) => {
    const desk = await ShareDesk.open(kafka);
    await desk.produce(['a']);
    const one = desk.member('one');
    await one.fetchSome();
    await desk.connection.send(apis.DeleteTopics, 6, {
      topics: [{ name: desk.topic.name, topicId: ZERO_UUID }],
      timeoutMs: 10_000,
    });
    await one.fetch(wait);
    one.epoch++;
    await one.acknowledge([[0, 0, ACCEPT]]);
    return desk;
  }),
  {
    ...story('a new leader knows what was written down, and nothing of what is held', async (kafka) => {
      const desk = await ShareDesk.open(kafka, {}, { replicationFactor: 3 });
      await desk.produce(['a', 'b', 'c', 'd', 'e', 'f']);
      const one = desk.member('one');
      await one.fetchSome();
      await one.acknowledge([[0, 2, REJECT, RELEASE, ACCEPT]]);
      await one.fetchSome();
      await desk.moveLeader();
      await one.fetch();
      await one.acknowledge([[3, 3, ACCEPT]]);
      const two = desk.member('two');
      await two.fetchSome();
      const again = desk.member('one');
      await again.fetch(wait);
      await again.acknowledge([[3, 3, ACCEPT]]);
      await two.acknowledge([
        [1, 1, ACCEPT],
        [3, 5, ACCEPT],
      ]);
      await desk.offsets();
      return desk;
    }),
    brokers: 3,
  },
];

/** A transaction of one record, with its marker behind it. */
async function transact(kafka: RawKafka, desk: ShareDesk, committed: boolean): Promise<void> {
  const producer = await RawProducer.open(kafka);
  await producer.init();
  await producer.produce(desk.topic.name);
  await producer.end(committed);
  await producer.settled();
}
