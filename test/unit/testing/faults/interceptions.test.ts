import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brokerErrorCodes } from '../../../../src/errors/broker-error-codes.ts';
import { ApiVersions } from '../../../../src/protocol/generated/api-versions.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { Produce } from '../../../../src/protocol/generated/produce.ts';
import { TestClock, type Fault } from '../../../../src/testing/index.ts';
import { connectTo, errorOf, isPending, produce, produceRequest, startCluster } from '../under-test.ts';

describe('TestCluster.intercept', () => {
  it('fails every item of a request, and the broker does nothing', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    const fault = cluster.intercept({ api: 'Produce', times: 1 }, { fail: 'NOT_LEADER_OR_FOLLOWER' });
    assert.equal(errorOf(await produce(connection, 'orders', 'a')), brokerErrorCodes.NOT_LEADER_OR_FOLLOWER);
    assert.equal(errorOf(await produce(connection, 'orders', 'b')), 0);
    assert.equal((await cluster.records('orders')).length, 1);
    assert.equal(fault.isActive, false);
    assert.equal(fault.requests[0]?.message.topicData[0]?.name, 'orders');
  });

  it('keeps the brokers in failed metadata, as a client has to ask somebody again', async (test) => {
    const cluster = await startCluster(test, { brokers: 2, topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    cluster.intercept({ api: 'Metadata' }, { fail: 'LEADER_NOT_AVAILABLE' });
    const answer = await connection.send(Metadata, 12, { topics: null });
    assert.equal(answer.brokers.length, 2);
    assert.deepEqual(
      answer.topics.map(({ name, errorCode, partitions }) => [name, errorCode, partitions]),
      [['orders', brokerErrorCodes.LEADER_NOT_AVAILABLE, []]],
    );
  });

  it('catches by API, broker, client and a look at the request', async (test) => {
    const cluster = await startCluster(test, { brokers: 2, topics: { orders: { replicationFactor: 1 } } });
    const one = await connectTo(test, cluster, 1);
    const two = await connectTo(test, cluster, 2);
    const fail: Fault<'Metadata'> = { fail: 'INVALID_TOPIC_EXCEPTION' };
    const ask = async (connection: typeof one, name: string, client: string): Promise<number | undefined> => {
      const request = { topics: [{ name }], allowAutoTopicCreation: false };
      return (await connection.send(Metadata, 12, request, client)).topics[0]?.errorCode;
    };
    const invalid = brokerErrorCodes.INVALID_TOPIC_EXCEPTION;
    const unknown = brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;

    const byBroker = cluster.intercept({ api: 'Metadata', broker: 2 }, fail);
    assert.deepEqual([await ask(one, 'x', 'c'), await ask(two, 'x', 'c')], [unknown, invalid]);
    byBroker.release();
    const byClient = cluster.intercept({ api: Metadata, clientId: 'd' }, fail);
    assert.deepEqual([await ask(one, 'x', 'c'), await ask(one, 'x', 'd')], [unknown, invalid]);
    byClient.release();
    cluster.intercept({ api: 'Metadata', when: ({ message }) => message.topics?.[0]?.name === 'y' }, fail);
    assert.deepEqual([await ask(one, 'x', 'c'), await ask(one, 'y', 'c')], [unknown, invalid]);
    await one.send(ApiVersions, 0, {}, 'c');
  });

  it('answers with what the test makes, of the real answer too', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    cluster.intercept(
      { api: 'Produce', times: 1 },
      {
        answer: async ({ message }, proceed) => {
          assert.equal(message.acks, -1);
          const answer = await proceed();
          assert.equal(answer.responses[0]?.partitionResponses[0]?.errorCode, 0);
          return { ...answer, throttleTimeMs: 1 };
        },
      },
    );
    const answer = await produce(connection, 'orders', 'a');
    assert.deepEqual([answer.throttleTimeMs, errorOf(answer)], [1, 0]);
    assert.equal((await cluster.records('orders')).length, 1);
    cluster.intercept({ api: 'Produce', times: 1 }, { answer: () => ({ responses: [] }) });
    assert.deepEqual((await produce(connection, 'orders', 'b')).responses, []);
    assert.equal((await cluster.records('orders')).length, 1);
  });

  it('delays on the cluster clock, before the broker handles the request or after', async (test) => {
    const clock = new TestClock();
    const cluster = await startCluster(test, { topics: { orders: 1 }, clock });
    const connection = await connectTo(test, cluster);
    for (const [moment, written] of [
      ['before', 0],
      ['after', 2],
    ] as const) {
      const fault = cluster.intercept({ api: 'Produce', times: 1 }, { delayMs: 500, moment });
      const answer = produce(connection, 'orders', moment);
      await fault.caught();
      assert.ok(await isPending(answer));
      assert.equal((await cluster.records('orders')).length, written);
      await clock.advance(499);
      assert.ok(await isPending(answer), 'half a millisecond early');
      await clock.advance(1);
      assert.equal(errorOf(await answer), 0);
    }
  });

  it('holds requests until it is released, those behind them on the connection too', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    const fault = cluster.intercept({ api: 'Produce', times: 1 }, { hold: 'before' });
    const held = produce(connection, 'orders', 'a');
    const behind = connection.send(ApiVersions, 0, {});
    await fault.caught();
    assert.ok(await isPending(held));
    assert.ok(await isPending(behind));
    assert.equal(cluster.requests({ api: 'ApiVersions' }).length, 0);
    const other = await connectTo(test, cluster);
    assert.equal(errorOf(await produce(other, 'orders', 'b')), 0);
    fault.release();
    assert.equal(errorOf(await held), 0);
    await behind;
    const values = (await cluster.records('orders')).map(({ value }) => value?.toString());
    assert.deepEqual(values, ['b', 'a']);
  });

  for (const [moment, written] of [
    ['before', 0],
    ['after', 1],
  ] as const) {
    it(`drops the answer ${moment} the broker has handled the request; the connection stays open`, async (test) => {
      const cluster = await startCluster(test, { topics: { orders: 1 } });
      const connection = await connectTo(test, cluster);
      const fault = cluster.intercept({ api: 'Produce', times: 1 }, { drop: moment });
      const lost = produce(connection, 'orders', 'a');
      const behind = connection.send(ApiVersions, 0, {});
      await fault.caught();
      assert.ok(await isPending(lost));
      assert.ok(await isPending(behind));
      assert.equal((await cluster.records('orders')).length, written);
      assert.equal(cluster.requests({ api: 'Produce' })[0]?.outcome, 'silent');
      connection.close();
      await assert.rejects(lost);
      await assert.rejects(behind);
    });

    it(`disconnects ${moment} the broker has handled the request`, async (test) => {
      const cluster = await startCluster(test, { topics: { orders: 1 } });
      const connection = await connectTo(test, cluster);
      cluster.intercept({ api: 'Produce', times: 1 }, { disconnect: moment });
      await assert.rejects(produce(connection, 'orders', 'a'), /closed the connection/);
      assert.equal((await cluster.records('orders')).length, written);
      assert.equal(cluster.requests({ api: 'Produce' })[0]?.outcome, 'disconnected');
      assert.equal(errorOf(await produce(await connectTo(test, cluster), 'orders', 'b')), 0);
    });
  }

  it('lets the first fault in force have a request, and the next one once that is spent', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    cluster.intercept({ api: 'Produce', times: 2 }, { fail: 'REQUEST_TIMED_OUT' });
    const second = cluster.intercept({ api: 'Produce' }, { fail: 'NOT_ENOUGH_REPLICAS' });
    const errors: (number | undefined)[] = [];
    for (let count = 0; count < 4; count++) errors.push(errorOf(await produce(connection, 'orders', 'a')));
    const { REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS } = brokerErrorCodes;
    assert.deepEqual(errors, [REQUEST_TIMED_OUT, REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS]);
    second.release();
    assert.equal(errorOf(await produce(connection, 'orders', 'a')), 0);
  });

  it('lets a client wait that is gone', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    const fault = cluster.intercept({ api: 'Produce' }, { hold: 'before' });
    const lost = produce(connection, 'orders', 'a');
    await fault.caught();
    connection.close();
    await assert.rejects(lost);
    await cluster.close(); // would hang if the request were still waited for
  });

  it('sends no answer where none is due', async (test) => {
    const cluster = await startCluster(test, { topics: { orders: 1 } });
    const connection = await connectTo(test, cluster);
    const fault = cluster.intercept({ api: 'Produce' }, { delayMs: 1 });
    void connection.send(Produce, 9, produceRequest('orders', 'a', 0)).catch(() => undefined);
    await fault.caught();
    await cluster.waitForRecords('orders', { count: 1 });
    assert.equal(cluster.requests({ api: 'Produce' })[0]?.outcome, 'unanswered');
  });

  it('says when its fault did not happen', async (test) => {
    const cluster = await startCluster(test);
    const fault = cluster.intercept({ api: 'Produce', broker: 1 }, { drop: 'before' });
    await assert.rejects(fault.caught(2, { timeoutMs: 10 }), {
      code: 'OPERATION_TIMEOUT',
      message:
        'Cannot wait for 2 intercepted Produce requests to broker 1: it did not happen within 10 ms; seen last: 0 were caught',
    });
  });

  it('refuses what is no fault', async (test) => {
    const cluster = await startCluster(test);
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{}, /of no kind: give one of fail, answer/],
      [{ fail: 'REQUEST_TIMED_OUT', drop: 'before' }, /of fail and drop/],
      [{ fail: 'NO_SUCH_ERROR' }, /fail "NO_SUCH_ERROR": it must be Kafka's name/],
      [{ delayMs: -1 }, /delayMs -1/],
      [{ drop: true }, /drop true: it must be "before" or "after"/],
      [{ delayMs: 1, moment: 'never' }, /moment "never"/],
    ];
    for (const [fault, message] of wrong)
      assert.throws(() => cluster.intercept({}, fault as Fault), { code: 'INVALID_ARGUMENT', message });
    assert.throws(() => cluster.intercept({ times: 0 }, { drop: 'before' }), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => cluster.intercept({ api: 'Produc' as 'Produce' }, { drop: 'before' }), {
      code: 'INVALID_ARGUMENT',
      message: /no API "Produc"; did you mean Produce\?/,
    });
    assert.throws(() => cluster.intercept({ broker: 7 }, { drop: 'before' }), { code: 'INVALID_ARGUMENT' });
  });
});
