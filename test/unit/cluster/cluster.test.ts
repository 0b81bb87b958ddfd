import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorCodes } from '../../../src/errors/broker-error-codes.ts';
import { AuthenticationError, isKafkaError, KafkaError, NetworkError } from '../../../src/errors/kafka-error.ts';
import type { CoordinatorType } from '../../../src/cluster/request.ts';
import { DescribeCluster } from '../../../src/protocol/generated/describe-cluster.ts';
import { DescribeGroups } from '../../../src/protocol/generated/describe-groups.ts';
import { ListGroups } from '../../../src/protocol/generated/list-groups.ts';
import { settle } from '../../support/fake-clock.ts';
import { allowedTries, clusterOver, FakeBrokers, metadataAnswer, refused } from './fake-brokers.ts';

const one = { orders: { leaders: [[1, 0]] } } as const;

function withTopics(topics: Parameters<typeof metadataAnswer>[1], brokers?: readonly number[]): FakeBrokers {
  const fake = new FakeBrokers();
  fake.answer = (request) => metadataAnswer(request, topics, brokers);
  return fake;
}

/** What became of a promise so far. */
function watch<T>(promise: Promise<T>): { value?: T; error?: unknown; done: boolean } {
  const state: { value?: T; error?: unknown; done: boolean } = { done: false };
  promise.then(
    (value) => Object.assign(state, { value, done: true }),
    (error: unknown) => Object.assign(state, { error, done: true }),
  );
  return state;
}

const hasCode = (code: string) => (error: unknown) => isKafkaError(error) && error.code === code;

describe('Cluster metadata', () => {
  it('asks the bootstrap servers once, then the brokers at the addresses they advertise', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    const snapshot = await cluster.topics(['orders']);
    assert.equal(snapshot.partition('orders', 0)?.leaderId, 1);
    assert.deepEqual(fake.connects, ['bootstrap@boot:9092/bootstrap']);
    assert.deepEqual(fake.closedLanes, ['bootstrap']);
    await fake.clock.advance(100);
    await cluster.refresh();
    assert.match(fake.connects[1] ?? '', /^[12]@kafka:900[12]\/control$/);
  });

  it('resolves topics that it knows without a request', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    await cluster.topics(['orders']);
    assert.equal(fake.count('Metadata'), 1);
  });

  it('joins callers that wait for the same topics', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await Promise.all(Array.from({ length: 50 }, () => cluster.topics(['orders'])));
    assert.equal(fake.count('Metadata'), 1);
  });

  it('asks for a new topic alone and at once, and for all topics of interest when they are old', async () => {
    const fake = withTopics({ ...one, payments: { leaders: [[2, 0]] } });
    const { cluster } = clusterOver(fake, { metadataMaxAgeMs: 60_000 });
    await cluster.topics(['orders']);
    await cluster.topics(['payments']);
    const names = (index: number): unknown =>
      (fake.requests[index]?.message['topics'] as { name: string }[]).map(({ name }) => name).sort();
    assert.deepEqual(names(1), ['payments']);
    await fake.clock.advance(59_000);
    assert.equal(fake.count('Metadata'), 2);
    await fake.clock.advance(2000);
    assert.equal(fake.count('Metadata'), 3);
    assert.deepEqual(names(2), ['orders', 'payments']);
  });

  it('does not remember topics that it was told not to', async () => {
    const fake = withTopics({ ...one, once: { leaders: [[2, 0]] } });
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    assert.ok((await cluster.topics(['once'], { remember: false })).topic('once') !== undefined);
    await fake.clock.advance(200);
    const snapshot = await cluster.refresh();
    assert.equal(snapshot.topic('once'), undefined);
    assert.ok(snapshot.topic('orders') !== undefined);
  });

  it('rejects an unknown topic after four denials within 5 s, and stops asking for it', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    const waiting = watch(cluster.topics(['orders', 'oders']));
    await fake.clock.advance(3000);
    assert.equal(waiting.done, false);
    await fake.clock.advance(2000);
    assert.ok(isKafkaError(waiting.error, 'UNKNOWN_TOPIC_OR_PARTITION'));
    assert.match(waiting.error.message, /^Cannot use topic "oders": the cluster has no such topic; create it first/);
    assert.ok(fake.count('Metadata') >= 4);
    await fake.clock.advance(2000);
    const before = fake.count('Metadata');
    await fake.clock.advance(60_000);
    assert.equal(fake.count('Metadata'), before);
  });

  it('waits for a topic that appears meanwhile', async () => {
    const fake = new FakeBrokers();
    fake.answer = (request) => metadataAnswer(request, fake.clock.nowMs() < 2000 ? {} : one);
    const { cluster } = clusterOver(fake);
    const waiting = watch(cluster.topics(['orders']));
    await fake.clock.advance(4000);
    assert.equal(waiting.value?.partition('orders', 0)?.leaderId, 1);
  });

  it('rejects a topic that we may not see at once', async () => {
    const fake = withTopics({ secret: { errorCode: brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED } });
    const { cluster } = clusterOver(fake);
    await assert.rejects(cluster.topics(['secret']), hasCode('TOPIC_AUTHORIZATION_FAILED'));
    assert.equal(fake.count('Metadata'), 1);
  });

  it('lets brokers create only the topics of callers that allow it, and asks for the others apart', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    const mine = watch(cluster.topics(['mine'], { allowAutoTopicCreation: true }));
    const theirs = watch(cluster.topics(['theirs']));
    await fake.clock.advance(10_000);
    const asked = fake.requests
      .filter(({ api }) => api === 'Metadata')
      .map(({ message }) => ({
        names: (message['topics'] as { name: string }[]).map(({ name }) => name),
        mayCreate: message['allowAutoTopicCreation'],
      }));
    const creating = asked.filter(({ mayCreate }) => mayCreate === true);
    assert.ok(creating.length > 0);
    for (const { names } of creating) assert.deepEqual(names, ['mine']);
    assert.ok(asked.some(({ names, mayCreate }) => names.includes('theirs') && mayCreate === false));
    for (const { error } of [mine, theirs]) assert.ok(hasCode('UNKNOWN_TOPIC_OR_PARTITION')(error));
  });

  it('lets brokers create topics only when told to', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    const call = watch(cluster.topics(['new'], { allowAutoTopicCreation: true }));
    await fake.clock.advance(6000);
    assert.ok(isKafkaError(call.error, 'UNKNOWN_TOPIC_OR_PARTITION'));
    assert.equal(fake.requests[0]?.message['allowAutoTopicCreation'], false);
    assert.equal(fake.requests[1]?.message['allowAutoTopicCreation'], true);
  });

  for (const [what, errorCode] of [
    ['a topic without a leader', brokerErrorCodes.LEADER_NOT_AVAILABLE],
    ['an unknown topic', brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION],
  ] as const) {
    it(`asks for ${what} no more often than the back-off allows, whoever waits`, async () => {
      const fake = withTopics({ orders: { errorCode } });
      const { cluster } = clusterOver(fake);
      const waits = Array.from({ length: 20 }, () => watch(cluster.topics(['orders'], { timeoutMs: 3000 })));
      for (let ms = 0; ms < 3000; ms += 10) {
        cluster.refreshSoon();
        await fake.clock.advance(10);
      }
      assert.ok(fake.count('Metadata') >= 4, `${fake.count('Metadata')} requests`);
      assert.ok(fake.count('Metadata') <= allowedTries(3000), `${fake.count('Metadata')} requests`);
      assert.ok(waits.every(({ error }) => isKafkaError(error, 'OPERATION_TIMEOUT')));
    });
  }

  it('asks no more often than the back-off allows for a topic that brokers leave out of their answers', async () => {
    const fake = new FakeBrokers();
    fake.answer = (request) => ({ ...metadataAnswer(request, one), topics: [] });
    const { cluster } = clusterOver(fake);
    const waiting = watch(cluster.topics(['orders'], { timeoutMs: 3000 }));
    await fake.clock.advance(3000);
    assert.ok(isKafkaError(waiting.error, 'OPERATION_TIMEOUT'));
    assert.match(waiting.error.message, /^Cannot find topic "orders": not possible within 3000 ms/);
    assert.ok(fake.count('Metadata') <= allowedTries(3000), `${fake.count('Metadata')} requests`);
  });

  it('asks no more often than the back-off allows while everything is well and somebody finds it stale all the time', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    for (let ms = 0; ms < 5000; ms += 10) {
      cluster.refreshSoon();
      await fake.clock.advance(10);
    }
    assert.ok(fake.count('Metadata') <= allowedTries(5000) + 1, `${fake.count('Metadata')} requests`);
  });

  it('never goes back to an older leader epoch, unless the topic is another one', async () => {
    const first = 'AAAAAAAAAAAAAAAAAAAAAQ';
    let topics: Parameters<typeof metadataAnswer>[1] = { orders: { topicId: first, leaders: [[1, 5]] } };
    const fake = new FakeBrokers();
    fake.answer = (request) => metadataAnswer(request, topics);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    cluster.learnLeaders(
      [{ topic: 'orders', partition: 0, leaderId: 3, leaderEpoch: 6 }],
      [{ nodeId: 3, host: 'k3', port: 9003 }],
    );
    assert.equal(cluster.metadata.leader('orders', 0)?.host, 'k3');
    await fake.clock.advance(100);
    await cluster.refresh();
    assert.deepEqual(pick(cluster.metadata.partition('orders', 0)), [3, 6]);
    topics = { orders: { topicId: 'AAAAAAAAAAAAAAAAAAAAAg', leaders: [[2, 0]] } };
    await fake.clock.advance(1000);
    await cluster.refresh();
    assert.deepEqual(pick(cluster.metadata.partition('orders', 0)), [2, 0]);
  });

  it('tells listeners of each new snapshot and of the one before', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    const seen: number[][] = [];
    const stop = cluster.onMetadata((next, previous) => seen.push([previous.topics.size, next.topics.size]));
    await cluster.topics(['orders']);
    cluster.learnLeaders([{ topic: 'orders', partition: 0, leaderId: 2, leaderEpoch: 1 }], []);
    // No newer epoch, so no news.
    cluster.learnLeaders([{ topic: 'orders', partition: 0, leaderId: 1, leaderEpoch: 1 }], []);
    stop();
    await fake.clock.advance(100);
    await cluster.refresh();
    assert.deepEqual(seen, [
      [0, 1],
      [1, 1],
    ]);
  });

  it('reads every topic for a pattern', async () => {
    const fake = withTopics({ ...one, other: { leaders: [[1, 0]] } });
    const { cluster } = clusterOver(fake);
    assert.deepEqual([...(await cluster.refresh({ topics: 'all' })).topics.keys()], ['orders', 'other']);
    assert.equal(fake.requests[0]?.message['topics'], null);
  });
});

describe('Cluster bootstrap', () => {
  it('passes over a bad bootstrap server', async () => {
    const fake = withTopics(one);
    fake.down.set('bad:9092', new NetworkError('Cannot resolve bad', { code: 'DNS_FAILED', retriable: true }));
    const { cluster } = clusterOver(fake, { bootstrapServers: 'bad, boot' });
    assert.equal((await cluster.refresh()).brokers.size, 2);
  });

  it('does not wait for a silent server before it asks the next one', async () => {
    const fake = new FakeBrokers();
    fake.answer = (request) => (request.server === 'silent:9092' ? 'silence' : metadataAnswer(request, one));
    const { cluster } = clusterOver(fake, { bootstrapServers: 'silent,boot' });
    const refresh = watch(cluster.refresh());
    await fake.clock.advance(2000);
    assert.equal(refresh.value?.brokers.size, 2);
  });

  it('rejects one refresh with every server and its reason, and advice', async () => {
    const fake = new FakeBrokers();
    fake.down.set('a:9092', refused('a:9092'));
    fake.down.set('b:1', new NetworkError('Cannot resolve b', { code: 'DNS_FAILED', retriable: true }));
    const { cluster } = clusterOver(fake, { bootstrapServers: 'a,b:1' });
    const error = await cluster.refresh().catch((caught: unknown) => caught);
    assert.ok(isKafkaError(error, 'BOOTSTRAP_FAILED'));
    assert.match(error.message, /^Cannot reach the cluster: none of 2 servers could be used \(/);
    assert.match(error.message, /a:9092: Cannot connect to a:9092: connection refused; b:1: Cannot resolve b\)/);
    assert.match(error.message, /; check bootstrapServers/);
    assert.equal(error.retriable, true);
    assert.ok(error.cause instanceof AggregateError && error.cause.errors.length === 2);
  });

  it('keeps callers waiting for their time-out, within the back-off, and rejects with the servers', async () => {
    const fake = new FakeBrokers();
    fake.down.set('boot:9092', refused('boot:9092'));
    const { cluster } = clusterOver(fake);
    const topics = watch(cluster.topics(['orders'], { timeoutMs: 5000 }));
    const request = watch(
      cluster.request(
        { api: DescribeCluster, to: { kind: 'any' }, message: {}, doing: 'Cannot ask' },
        { timeoutMs: 5000 },
      ),
    );
    const coordinator = watch(cluster.coordinator('group', 'g', { timeoutMs: 5000 }));
    await fake.clock.advance(4900);
    assert.equal(topics.done || request.done || coordinator.done, false);
    await fake.clock.advance(200);
    for (const { error } of [topics, request, coordinator]) {
      assert.ok(isKafkaError(error, 'BOOTSTRAP_FAILED'), String(error));
      assert.match(error.message, /boot:9092: Cannot connect/);
    }
    assert.ok(fake.connects.length <= allowedTries(5000), `${fake.connects.length} connections`);
    assert.ok(fake.connects.length >= 5);
    // Nobody waits any more, and no cluster was ever seen: nothing is tried behind the caller's back.
    const before = fake.connects.length;
    await fake.clock.advance(60_000);
    assert.ok(fake.connects.length <= before + 1);
  });

  it('rejects wrong credentials at once', async () => {
    const fake = new FakeBrokers();
    fake.down.set('boot:9092', new AuthenticationError('Wrong', { code: 'SASL_AUTHENTICATION_FAILED' }));
    const { cluster } = clusterOver(fake);
    await assert.rejects(cluster.topics(['orders']), hasCode('SASL_AUTHENTICATION_FAILED'));
    assert.equal(fake.connects.length, 1);
  });

  it('rejects a port that does not speak Kafka at once, with its own code', async () => {
    const fake = new FakeBrokers();
    fake.down.set('boot:9092', new NetworkError('This is HTTP', { code: 'NOT_KAFKA' }));
    const { cluster } = clusterOver(fake);
    await assert.rejects(cluster.topics(['orders']), hasCode('NOT_KAFKA'));
  });

  it('goes back to the bootstrap servers when no known broker can be reached, and says so', async () => {
    const fake = withTopics(one);
    const { cluster, events } = clusterOver(fake);
    const reasons: string[] = [];
    events.on('metadata.rebootstrapped', ({ reason }) => reasons.push(reason));
    await cluster.topics(['orders']);
    fake.down.set('kafka:9001', refused('kafka:9001'));
    fake.down.set('kafka:9002', refused('kafka:9002'));
    fake.answer = (request) => metadataAnswer(request, one, [1, 2], 'moved');
    await fake.clock.advance(100);
    await cluster.refresh();
    assert.equal(cluster.metadata.brokers.get(1)?.host, 'moved');
    assert.deepEqual(reasons, ['none of the 2 brokers known could be reached']);
  });

  it('connects to a broker that is back under its id at another address', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    fake.down.set('kafka:9001', refused('kafka:9001'));
    fake.answer = (request) => metadataAnswer(request, one, [1, 2], 'moved');
    await assert.rejects(cluster.connection(1, 'produce-1'), hasCode('CONNECTION_FAILED'));
    await fake.clock.advance(200);
    const connection = await cluster.connection(1, 'produce-1');
    assert.equal(connection.endpoint.host, 'moved');
  });

  it('begins again at the bootstrap servers when a broker requires it', async () => {
    const fake = withTopics(one);
    const { cluster, events } = clusterOver(fake);
    let rebootstraps = 0;
    events.on('metadata.rebootstrapped', () => rebootstraps++);
    await cluster.topics(['orders']);
    fake.answer = (request) => ({
      ...metadataAnswer(request, one),
      errorCode: request.nodeId === undefined ? 0 : brokerErrorCodes.REBOOTSTRAP_REQUIRED,
    });
    cluster.refreshSoon();
    await fake.clock.advance(1000);
    assert.equal(fake.requests.at(-1)?.nodeId, undefined);
    assert.equal(rebootstraps, 1);
  });

  it('gives up brokers that have not answered for five minutes (KIP-1102)', async () => {
    const fake = withTopics(one);
    const { cluster, events } = clusterOver(fake);
    const reasons: string[] = [];
    events.on('metadata.rebootstrapped', ({ reason }) => reasons.push(reason));
    await cluster.topics(['orders']);
    // Answers that are none, from the brokers and from the bootstrap server alike.
    fake.answer = () => ({ brokers: [], topics: [] });
    cluster.refreshSoon();
    await fake.clock.advance(299_000);
    assert.ok(!reasons.includes('the brokers known were given up'));
    await fake.clock.advance(3000);
    assert.ok(reasons.includes('the brokers known were given up'));
  });

  it('refuses a broker that the cluster does not name', async () => {
    const fake = withTopics(one);
    const { cluster } = clusterOver(fake);
    await cluster.topics(['orders']);
    await assert.rejects(cluster.connection(9, 'produce-1'), hasCode('BROKER_UNKNOWN'));
  });
});

describe('Cluster requests', () => {
  const describeCluster = { api: DescribeCluster, to: { kind: 'any' }, message: {}, doing: 'Cannot ask' } as const;

  function answering(answer: FakeBrokers['answer'], brokers?: readonly number[]): FakeBrokers {
    const fake = new FakeBrokers();
    fake.answer = (request) => (request.api === 'Metadata' ? metadataAnswer(request, one, brokers) : answer(request));
    return fake;
  }

  it('retries at another broker after a network error', async () => {
    let failedAt: number | undefined;
    const fake = answering(({ nodeId }) => {
      failedAt ??= nodeId;
      return nodeId === failedAt ? refused('x') : { clusterId: 'c' };
    });
    const { cluster } = clusterOver(fake);
    const call = watch(cluster.request(describeCluster));
    await fake.clock.advance(1000);
    assert.equal(call.value?.clusterId, 'c');
    const nodes = fake.requests.filter(({ api }) => api === 'DescribeCluster').map(({ nodeId }) => nodeId);
    assert.deepEqual(nodes.length, 2);
    assert.notEqual(nodes[0], nodes[1]);
  });

  it('pauses longer after each failure, and tells of each retry', async () => {
    const fake = answering(() => refused('x'));
    const { cluster, events } = clusterOver(fake);
    const delays: number[] = [];
    events.on('request.retried', ({ delayMs }) => delays.push(delayMs));
    const call = watch(cluster.request(describeCluster, { timeoutMs: 5000 }));
    await fake.clock.advance(5000);
    assert.ok(isKafkaError(call.error, 'OPERATION_TIMEOUT'), String(call.error));
    assert.match(call.error.message, /^Cannot ask: not done within 5000 ms; the last of \d+ tries: /);
    assert.ok(isKafkaError(call.error.cause, 'CONNECTION_FAILED'));
    assert.deepEqual(delays.slice(0, 5), [100, 200, 400, 800, 1000]);
    assert.ok(fake.count('DescribeCluster') <= allowedTries(5000));
  });

  it('stops after so many retries', async () => {
    const fake = answering(() => refused('x'));
    const { cluster } = clusterOver(fake, { retries: 2 });
    const call = watch(cluster.request(describeCluster));
    await fake.clock.advance(5000);
    assert.ok(isKafkaError(call.error, 'CONNECTION_FAILED'));
    assert.equal(fake.count('DescribeCluster'), 3);
  });

  it('takes no more than one try where a request may not be repeated', async () => {
    const sent = Object.assign(refused('x'), { sent: true });
    const fake = answering(() => sent);
    const { cluster } = clusterOver(fake);
    await assert.rejects(cluster.request({ ...describeCluster, retry: 'never' }), sent);
    await assert.rejects(cluster.request({ ...describeCluster, retry: 'not-after-sent' }), sent);
    assert.equal(fake.count('DescribeCluster'), 2);
  });

  it('repeats a request that was not sent even where it may not be sent twice', async () => {
    let tries = 0;
    const fake = answering(() => (tries++ === 0 ? Object.assign(refused('x'), { sent: false }) : { clusterId: 'c' }));
    const { cluster } = clusterOver(fake);
    const call = watch(cluster.request({ ...describeCluster, retry: 'not-after-sent' }));
    await fake.clock.advance(1000);
    assert.equal(call.value?.clusterId, 'c');
  });

  it('repeats a retriable answer and gives up at once on any other, with the words of the broker', async () => {
    const codes = [brokerErrorCodes.COORDINATOR_LOAD_IN_PROGRESS, brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED];
    const fake = answering(() => ({ errorCode: codes.shift() ?? 0, errorMessage: 'not for you' }));
    const { cluster } = clusterOver(fake);
    const call = watch(
      cluster.request({
        ...describeCluster,
        errorCode: (response) => response.errorCode,
        errorMessage: (response) => response.errorMessage,
      }),
    );
    await fake.clock.advance(1000);
    assert.ok(isKafkaError(call.error, 'CLUSTER_AUTHORIZATION_FAILED'));
    assert.equal(call.error.message, 'Cannot ask: not for you (CLUSTER_AUTHORIZATION_FAILED)');
    assert.equal(fake.count('DescribeCluster'), 2);
  });

  it('rejects with the reason of its signal, in a pause and under way', async () => {
    for (const answer of [refused('x'), 'silence'] as const) {
      const fake = answering(() => answer);
      const { cluster } = clusterOver(fake);
      const stop = new AbortController();
      const call = watch(cluster.request(describeCluster, { signal: stop.signal }));
      await fake.clock.advance(50);
      stop.abort(new Error('enough'));
      await settle();
      assert.equal((call.error as Error).message, 'enough');
      const before = fake.count('DescribeCluster');
      await fake.clock.advance(10_000);
      assert.equal(fake.count('DescribeCluster'), before);
    }
  });

  it('ends in time although a broker is silent', async () => {
    const fake = answering(() => 'silence');
    const { cluster } = clusterOver(fake);
    const call = watch(cluster.request(describeCluster, { timeoutMs: 7000 }));
    await fake.clock.advance(7000);
    assert.ok(isKafkaError(call.error, 'OPERATION_TIMEOUT'));
  });

  it('follows the leader, and renews the metadata when a broker is not', async () => {
    let leaders: (readonly [number, number])[] = [[1, 0]];
    const fake = new FakeBrokers();
    fake.answer = (request) => {
      if (request.api === 'Metadata') return metadataAnswer(request, { orders: { leaders } });
      leaders = [[2, 1]];
      return { errorCode: request.nodeId === 2 ? 0 : brokerErrorCodes.NOT_LEADER_OR_FOLLOWER };
    };
    const { cluster } = clusterOver(fake);
    const call = watch(
      cluster.request({
        api: ListGroups,
        to: { kind: 'leader', topic: 'orders', partition: 0 },
        message: {},
        doing: 'Cannot ask',
        errorCode: (response) => response.errorCode,
      }),
    );
    await fake.clock.advance(2000);
    assert.equal(call.error, undefined);
    const asked = fake.requests.filter(({ api }) => api === 'ListGroups').map(({ nodeId }) => nodeId);
    assert.deepEqual(asked, [1, 2]);
  });

  it('names a partition that the topic does not have', async () => {
    const fake = answering(() => ({}));
    const { cluster } = clusterOver(fake);
    const to = { kind: 'leader', topic: 'orders', partition: 3 } as const;
    await assert.rejects(cluster.request({ ...describeCluster, to }), hasCode('UNKNOWN_TOPIC_OR_PARTITION'));
  });

  it('waits for a partition that has no leader, within the back-off', async () => {
    const fake = new FakeBrokers();
    fake.answer = (request) =>
      request.api === 'Metadata' ? metadataAnswer(request, { orders: { leaders: [[-1, 0]] } }) : {};
    const { cluster } = clusterOver(fake);
    const to = { kind: 'leader', topic: 'orders', partition: 0 } as const;
    const call = watch(cluster.request({ ...describeCluster, to }, { timeoutMs: 4000 }));
    await fake.clock.advance(4000);
    assert.ok(isKafkaError(call.error, 'OPERATION_TIMEOUT'), String(call.error));
    assert.ok(isKafkaError(call.error.cause, 'LEADER_NOT_AVAILABLE'));
    assert.ok(fake.count('Metadata') <= allowedTries(4000) + 1, `${fake.count('Metadata')} requests`);
    assert.equal(fake.count('DescribeCluster'), 0);
  });

  it('goes to the controller, and to the new one when it has moved', async () => {
    let brokers = [1, 2];
    const fake = new FakeBrokers();
    fake.answer = (request) => {
      if (request.api === 'Metadata') return metadataAnswer(request, one, brokers);
      brokers = [2, 1];
      return { errorCode: request.nodeId === 1 ? brokerErrorCodes.NOT_CONTROLLER : 0 };
    };
    const { cluster } = clusterOver(fake);
    const to = { kind: 'controller' } as const;
    const call = watch(cluster.request({ ...describeCluster, to, errorCode: (response) => response.errorCode }));
    await fake.clock.advance(2000);
    assert.equal(call.error, undefined);
    assert.equal(fake.requests.at(-1)?.nodeId, 2);
  });

  it('looks for a broker that the cluster does not name four times', async () => {
    const fake = answering(() => ({}));
    const { cluster } = clusterOver(fake);
    const call = watch(cluster.request({ ...describeCluster, to: { kind: 'broker', nodeId: 9 } }));
    await fake.clock.advance(5000);
    assert.ok(isKafkaError(call.error, 'BROKER_UNKNOWN'));
    assert.ok(fake.count('Metadata') <= 5);
  });

  it('close ends what waits, and refuses what comes later', async () => {
    const fake = answering(() => 'silence');
    const { cluster } = clusterOver(fake);
    const waits = [
      watch(cluster.request(describeCluster)),
      watch(cluster.topics(['absent'])),
      watch(cluster.coordinator('group', 'g')),
    ];
    await fake.clock.advance(50);
    await cluster.close();
    await settle();
    for (const { error } of waits) assert.ok(isKafkaError(error, 'CLOSED'), String(error));
    await assert.rejects(cluster.topics(['orders']), hasCode('CLOSED'));
    await assert.rejects(cluster.request(describeCluster), hasCode('CLOSED'));
    await assert.rejects(cluster.coordinator('group', 'g'), hasCode('CLOSED'));
    await assert.rejects(cluster.refresh(), hasCode('CLOSED'));
    assert.ok(fake.closed);
  });
});

describe('Cluster coordinator', () => {
  function coordinating(
    answer: (keys: readonly string[], atMs: number) => Readonly<Record<string, unknown>>,
  ): FakeBrokers {
    const fake = new FakeBrokers();
    fake.answer = (request) => {
      if (request.api === 'Metadata') return metadataAnswer(request, one);
      if (request.api !== 'FindCoordinator') return {};
      const keys = (request.message['coordinatorKeys'] as readonly string[] | undefined) ?? [
        String(request.message['key']),
      ];
      return answer(keys, request.atMs);
    };
    return fake;
  }

  const found = (keys: readonly string[], nodeId = 2): Readonly<Record<string, unknown>> => ({
    coordinators: keys.map((key) => ({ key, nodeId, host: 'kafka', port: 9000 + nodeId, errorCode: 0 })),
  });
  const failing = (keys: readonly string[], errorCode: number): Readonly<Record<string, unknown>> => ({
    coordinators: keys.map((key) => ({ key, nodeId: -1, host: '', port: -1, errorCode })),
  });

  it('asks once for keys of the same moment, and remembers them', async () => {
    const fake = coordinating((keys) => found(keys));
    const { cluster } = clusterOver(fake);
    const groups = ['a', 'b', 'c', 'a'];
    assert.deepEqual(await Promise.all(groups.map((key) => cluster.coordinator('group', key))), [2, 2, 2, 2]);
    assert.equal(await cluster.coordinator('group', 'a'), 2);
    assert.equal(fake.count('FindCoordinator'), 1);
    assert.deepEqual(fake.requests.at(-1)?.message, { keyType: 0, coordinatorKeys: ['a', 'b', 'c'] });
  });

  it('asks one by one where the broker is old', async () => {
    const fake = coordinating(([key]) => ({ nodeId: key === 'a' ? 1 : 2, host: 'kafka', port: 9001 }));
    fake.maxVersions.set('10', 2);
    const { cluster } = clusterOver(fake);
    const nodes = await Promise.all(['a', 'b'].map((key) => cluster.coordinator('group', key)));
    assert.deepEqual(nodes, [1, 2]);
    assert.equal(fake.count('FindCoordinator'), 2);
  });

  it('tells groups, transactions and share partitions apart', async () => {
    const fake = coordinating((keys) => found(keys));
    const { cluster } = clusterOver(fake);
    const types: readonly CoordinatorType[] = ['group', 'transaction', 'share'];
    for (const type of types) await cluster.coordinator(type, 'same');
    assert.deepEqual(
      fake.requests.filter(({ api }) => api === 'FindCoordinator').map(({ message }) => message['keyType']),
      [0, 1, 2],
    );
  });

  it('connects to a coordinator that the metadata do not name', async () => {
    const fake = coordinating((keys) => found(keys, 7));
    const { cluster } = clusterOver(fake);
    assert.equal(await cluster.coordinator('group', 'a'), 7);
    assert.equal((await cluster.connection(7, 'group-1')).endpoint.port, 9007);
  });

  for (const code of ['COORDINATOR_NOT_AVAILABLE', 'COORDINATOR_LOAD_IN_PROGRESS'] as const) {
    it(`asks no more often than the back-off allows while the answer is ${code}, whoever waits`, async () => {
      const fake = coordinating((keys) => failing(keys, brokerErrorCodes[code]));
      const { cluster } = clusterOver(fake);
      const waits = Array.from({ length: 20 }, () => watch(cluster.coordinator('group', 'a', { timeoutMs: 5000 })));
      await fake.clock.advance(5000);
      for (const { error } of waits) {
        assert.ok(isKafkaError(error, 'OPERATION_TIMEOUT'), String(error));
        assert.ok(isKafkaError(error.cause, code));
      }
      assert.ok(fake.count('FindCoordinator') >= 5);
      assert.ok(fake.count('FindCoordinator') <= allowedTries(5000), `${fake.count('FindCoordinator')} requests`);
    });
  }

  it('asks no more often than the back-off allows although each coordinator found turns out to be none', async () => {
    const fake = coordinating((keys) => found(keys));
    const { cluster } = clusterOver(fake);
    const state = { stop: false };
    const spin = async (): Promise<void> => {
      while (!state.stop) {
        await cluster.coordinator('group', 'a');
        cluster.forgetCoordinator('group', 'a');
        // Without a pause of its own making, the cluster must not make this loop hang the test either.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const spinning = spin();
    await fake.clock.advance(5000);
    state.stop = true;
    await fake.clock.advance(2000);
    await spinning;
    assert.ok(fake.count('FindCoordinator') >= 5);
    assert.ok(fake.count('FindCoordinator') <= allowedTries(5000) + 2, `${fake.count('FindCoordinator')} requests`);
  });

  it('rejects what we may not know at once', async () => {
    const fake = coordinating((keys) => failing(keys, brokerErrorCodes.GROUP_AUTHORIZATION_FAILED));
    const { cluster } = clusterOver(fake);
    await assert.rejects(cluster.coordinator('group', 'a'), (error: unknown) => {
      assert.ok(error instanceof KafkaError);
      assert.match(error.message, /^Cannot find the coordinator of group "a": /);
      return error.code === 'GROUP_AUTHORIZATION_FAILED';
    });
    assert.equal(fake.count('FindCoordinator'), 1);
  });

  it('a request for a coordinator looks again when the broker is not it', async () => {
    let node = 1;
    const fake = new FakeBrokers();
    fake.answer = (request) => {
      if (request.api === 'Metadata') return metadataAnswer(request, one);
      if (request.api === 'FindCoordinator') return found(['a'], node);
      node = 2;
      const errorCode = request.nodeId === 2 ? 0 : brokerErrorCodes.NOT_COORDINATOR;
      return { groups: [{ groupId: 'a', errorCode }] };
    };
    const { cluster } = clusterOver(fake);
    const call = watch(
      cluster.request({
        api: DescribeGroups,
        to: { kind: 'coordinator', type: 'group', key: 'a' },
        message: { groups: ['a'] },
        doing: 'Cannot ask',
        errorCode: (response) => response.groups[0]?.errorCode ?? 0,
      }),
    );
    await fake.clock.advance(2000);
    assert.equal(call.error, undefined);
    assert.equal(fake.requests.at(-1)?.nodeId, 2);
    assert.equal(fake.count('FindCoordinator'), 2);
  });
});

function pick(partition: { leaderId: number; leaderEpoch: number } | undefined): unknown {
  return [partition?.leaderId, partition?.leaderEpoch];
}
