import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ShareGroupMember } from '../../../../src/consumer/share/share-group-member.ts';
import type { SharePartition } from '../../../../src/consumer/share/share-group-membership.ts';
import { brokerErrorCodes as codes } from '../../../../src/errors/broker-error-codes.ts';
import type { EventPublisher } from '../../../../src/instrumentation/event-publisher.ts';
import { deferred, type Deferred } from '../../../../src/util/deferred.ts';
import { settle } from '../../../support/fake-clock.ts';
import {
  clusterOver,
  FakeBrokers,
  metadataAnswer,
  type FakeAnswer,
  type FakeTopic,
  type SeenRequest,
} from '../../cluster/fake-brokers.ts';

const jobsId = 'AAAAAAAAAAAAAAAAAAAAAQ';

/** A member, and a coordinator that says what a test wants. */
class Scene {
  readonly brokers = new FakeBrokers();
  readonly topics: Record<string, FakeTopic> = {
    jobs: {
      topicId: jobsId,
      leaders: [
        [1, 0],
        [2, 0],
      ],
    },
  };
  wanted: readonly string[] = ['jobs'];
  coordinatorId = 1;
  /** How the next heartbeats are answered, the last one for good. */
  answers: FakeAnswer[] = [heartbeatAnswer()];
  /** Holds back the answer to who the coordinator is. */
  lookup: Deferred<void> | undefined;
  /** Holds back the answer to a farewell. */
  farewell: Deferred<void> | undefined;
  readonly assigned: (readonly SharePartition[])[] = [];
  readonly failures: Error[] = [];
  lost = 0;
  readonly events: EventPublisher;
  readonly member: ShareGroupMember;

  constructor() {
    const { cluster, events } = clusterOver(this.brokers);
    this.events = events;
    this.brokers.answer = (request) => this.#answer(request);
    this.member = new ShareGroupMember({
      cluster,
      groupId: 'g',
      lane: 'group-1',
      topics: () => this.wanted,
      onAssignment: (partitions) => this.assigned.push(partitions),
      onLost: () => this.lost++,
      onFatal: (error) => this.failures.push(error),
    });
    this.knowTopics = () => cluster.topics(this.wanted.filter((topic) => this.topics[topic] !== undefined));
  }

  readonly knowTopics: () => Promise<unknown>;

  get heartbeats(): readonly SeenRequest[] {
    return this.brokers.requests.filter(({ api }) => api === 'ShareGroupHeartbeat');
  }

  get last(): Readonly<Record<string, unknown>> {
    return this.heartbeats.at(-1)?.message ?? {};
  }

  async pass(ms: number): Promise<void> {
    await this.brokers.clock.advance(ms);
    await settle();
  }

  #answer(request: SeenRequest): FakeAnswer | Promise<FakeAnswer> {
    if (request.api === 'Metadata') return metadataAnswer(request, this.topics);
    if (request.api === 'FindCoordinator') {
      const { coordinatorId: nodeId } = this;
      const coordinator = { key: 'g', nodeId, host: 'kafka', port: 9000 + nodeId, errorCode: 0 };
      return held(this.lookup, { coordinators: [coordinator] });
    }
    if (request.api !== 'ShareGroupHeartbeat') return {};
    if (request.message['memberEpoch'] === -1) return held(this.farewell, heartbeatAnswer({ memberEpoch: -1 }));
    return (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? {};
  }
}

async function held(until: Deferred<void> | undefined, answer: FakeAnswer): Promise<FakeAnswer> {
  await until?.promise;
  return answer;
}

function heartbeatAnswer(change: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { errorCode: 0, memberEpoch: 1, heartbeatIntervalMs: 5000, ...change };
}

function given(topicId: string, partitions: readonly number[]): { assignment: unknown } {
  return { assignment: { topicPartitions: [{ topicId, partitions }] } };
}

describe('ShareGroupMember', () => {
  it('joins at the coordinator under an id of its own, and reads what it is given', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    scene.answers = [heartbeatAnswer(given(jobsId, [0, 1]))];
    scene.member.subscribed();
    await settle();
    const [join] = scene.heartbeats;
    assert.deepEqual([join?.nodeId, join?.lane], [1, 'group-1']);
    const { memberId, memberEpoch, groupId, subscribedTopicNames } = scene.last;
    assert.deepEqual([groupId, memberEpoch, subscribedTopicNames], ['g', 0, ['jobs']]);
    assert.equal(memberId, scene.member.memberId);
    assert.match(scene.member.memberId, /^[A-Za-z0-9_][\w-]{21}$/);
    const parts = [0, 1].map((partition) => ({ topic: 'jobs', topicId: jobsId, partition }));
    assert.deepEqual(scene.assigned, [parts]);
    assert.equal(scene.member.isSettled, true);
    await scene.pass(5000);
    assert.equal(scene.heartbeats.length, 2);
    assert.deepEqual([scene.last['memberEpoch'], scene.last['subscribedTopicNames'] ?? null], [1, null]);
  });

  it('reads a topic whose id it does not know once the metadata has its name', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    const createdAgain = 'AAAAAAAAAAAAAAAAAAAAAg';
    scene.topics['jobs'] = { ...scene.topics['jobs'], topicId: createdAgain };
    scene.answers = [heartbeatAnswer(given(createdAgain, [0])), heartbeatAnswer()];
    scene.member.subscribed();
    await settle();
    await scene.pass(1000);
    assert.deepEqual(scene.assigned.at(-1), [{ topic: 'jobs', topicId: createdAgain, partition: 0 }]);
    assert.equal(scene.member.isSettled, true);
  });

  it('is settled with nothing only where no topic exists', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    scene.answers = [heartbeatAnswer({ assignment: { topicPartitions: [] } })];
    scene.member.subscribed();
    await settle();
    assert.equal(scene.member.isSettled, false);
    const other = new Scene();
    other.wanted = ['missing'];
    other.answers = scene.answers;
    other.member.subscribed();
    await settle();
    assert.equal(other.heartbeats.length, 1);
    assert.equal(other.member.isSettled, true);
  });

  it('never joins after it has left, however late it learns where', async () => {
    const scene = new Scene();
    scene.lookup = deferred();
    scene.member.subscribed();
    await settle();
    const leaving = scene.member.leave();
    scene.lookup.resolve();
    await leaving;
    await scene.pass(60_000);
    assert.deepEqual(scene.heartbeats, []);
  });

  it('leaves with epoch -1, and waits no longer for the answer than it may', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    scene.member.subscribed();
    await settle();
    const reasons: string[] = [];
    scene.events.on('group.left', ({ reason }) => reasons.push(reason));
    await scene.member.leave();
    assert.equal(scene.last['memberEpoch'], -1);
    assert.deepEqual(reasons, ['the consumer left']);

    const silent = new Scene();
    await silent.knowTopics();
    silent.member.subscribed();
    await settle();
    silent.farewell = deferred();
    let isOver = false;
    void silent.member.leave(2000).then(() => (isOver = true));
    await silent.pass(1999);
    assert.equal(isOver, false);
    await silent.pass(1);
    assert.equal(isOver, true);
  });

  it('joins again only after the farewell before, or that one would end the new membership', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    scene.member.subscribed();
    await settle();
    scene.farewell = deferred();
    scene.wanted = [];
    scene.member.subscribed();
    await settle();
    assert.equal(scene.last['memberEpoch'], -1);
    scene.wanted = ['jobs'];
    scene.member.subscribed();
    await settle();
    assert.equal(scene.heartbeats.length, 2);
    scene.farewell.resolve();
    await settle();
    assert.deepEqual([scene.heartbeats.length, scene.last['memberEpoch']], [3, 0]);
  });

  it('finds a coordinator that has moved, and tells it everything', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    scene.answers = [
      heartbeatAnswer(given(jobsId, [0])),
      heartbeatAnswer({ errorCode: codes.NOT_COORDINATOR }),
      heartbeatAnswer(),
    ];
    scene.member.subscribed();
    await settle();
    scene.coordinatorId = 2;
    await scene.pass(5000);
    assert.match(String(scene.member.lastFailure), /NOT_COORDINATOR/);
    await scene.pass(100);
    assert.equal(scene.heartbeats.at(-1)?.nodeId, 2);
    assert.deepEqual([scene.last['memberEpoch'], scene.last['subscribedTopicNames']], [1, ['jobs']]);
    assert.equal(scene.assigned.length, 1, 'it reads on meanwhile');
    assert.equal(scene.member.lastFailure, undefined);
  });

  it('tells that it was dropped, and comes back', async () => {
    const scene = new Scene();
    await scene.knowTopics();
    scene.answers = [
      heartbeatAnswer(given(jobsId, [0])),
      heartbeatAnswer({ errorCode: codes.UNKNOWN_MEMBER_ID }),
      heartbeatAnswer({ memberEpoch: 7, ...given(jobsId, [0]) }),
    ];
    scene.member.subscribed();
    await settle();
    await scene.pass(5000);
    assert.equal(scene.lost, 1);
    assert.equal(scene.last['memberEpoch'], 0);
    assert.equal(scene.assigned.length, 2);
  });

  it('says what brokers without share groups need', async () => {
    const scene = new Scene();
    scene.brokers.maxVersions.set('76', 0);
    scene.member.subscribed();
    await settle();
    assert.equal(scene.failures.length, 1);
    assert.match(
      String(scene.failures[0]),
      /Cannot join share group "g": the coordinator has none; .*Kafka 4\.2 or later with the feature share\.version/,
    );
    assert.equal((scene.failures[0] as { code?: string }).code, 'UNSUPPORTED_VERSION');
  });
});
