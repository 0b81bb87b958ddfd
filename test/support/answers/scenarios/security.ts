import type { Api, Input } from '../../../../src/protocol/api.ts';
import { AlterClientQuotas } from '../../../../src/protocol/generated/alter-client-quotas.ts';
import { AlterUserScramCredentials } from '../../../../src/protocol/generated/alter-user-scram-credentials.ts';
import { CreateAcls } from '../../../../src/protocol/generated/create-acls.ts';
import { CreatePartitions } from '../../../../src/protocol/generated/create-partitions.ts';
import { CreateTopics } from '../../../../src/protocol/generated/create-topics.ts';
import { DeleteAcls } from '../../../../src/protocol/generated/delete-acls.ts';
import { DeleteGroups } from '../../../../src/protocol/generated/delete-groups.ts';
import { DeleteTopics } from '../../../../src/protocol/generated/delete-topics.ts';
import { DescribeAcls } from '../../../../src/protocol/generated/describe-acls.ts';
import { DescribeClientQuotas } from '../../../../src/protocol/generated/describe-client-quotas.ts';
import { DescribeCluster } from '../../../../src/protocol/generated/describe-cluster.ts';
import { DescribeConfigs } from '../../../../src/protocol/generated/describe-configs.ts';
import { DescribeGroups } from '../../../../src/protocol/generated/describe-groups.ts';
import { DescribeTopicPartitions } from '../../../../src/protocol/generated/describe-topic-partitions.ts';
import { DescribeUserScramCredentials } from '../../../../src/protocol/generated/describe-user-scram-credentials.ts';
import { Fetch } from '../../../../src/protocol/generated/fetch.ts';
import { FindCoordinator } from '../../../../src/protocol/generated/find-coordinator.ts';
import { IncrementalAlterConfigs } from '../../../../src/protocol/generated/incremental-alter-configs.ts';
import { InitProducerId } from '../../../../src/protocol/generated/init-producer-id.ts';
import { JoinGroup } from '../../../../src/protocol/generated/join-group.ts';
import { ListOffsets } from '../../../../src/protocol/generated/list-offsets.ts';
import { Metadata } from '../../../../src/protocol/generated/metadata.ts';
import { OffsetCommit } from '../../../../src/protocol/generated/offset-commit.ts';
import { OffsetFetch } from '../../../../src/protocol/generated/offset-fetch.ts';
import { SaslAuthenticate } from '../../../../src/protocol/generated/sasl-authenticate.ts';
import { SaslHandshake } from '../../../../src/protocol/generated/sasl-handshake.ts';
import { eventually } from '../../eventually.ts';
import type { RawConnection, RawKafka, RawTopic } from '../raw-kafka.ts';
import { errorName, normalise, type Scenario } from '../scenario.ts';

const topicResource = 2;
const groupResource = 3;
const clusterResource = 4;
const literal = 3;
const prefixed = 4;
const readOperation = 3;
const describeOperation = 8;
const deny = 2;
const allow = 3;
const timeoutMs = 30_000;

interface Rule {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly resourcePatternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** What somebody is told who asks for one thing of each kind. */
async function everything(user: RawConnection, topic: RawTopic, group: string): Promise<unknown> {
  const { name, topicId } = topic;
  const ask = async <Req, Res>(api: Api<Req, Res>, version: number, message: Input<Req>): Promise<unknown> =>
    normalise(await user.send(api, version, message), {
      topic: name,
      topicId,
      group,
      'other group': `${group}-x`,
      'other topic': `${name}-y`,
    });
  const plain = { timeoutMs, replicaId: -1 };
  const metadata = await user.send(Metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false });
  const all = await user.send(Metadata, 12, { topics: null });
  return {
    metadata: metadata.topics.map((each) => [errorName(each.errorCode), each.partitions.length]),
    'metadata of all': all.topics.some((each) => each.name === name),
    list: await ask(ListOffsets, 7, {
      replicaId: plain.replicaId,
      topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    }),
    fetch: await ask(Fetch, 12, {
      maxWaitMs: 100,
      minBytes: 0,
      maxBytes: 1000,
      topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }] }],
    }),
    coordinator: normalise(
      (await user.send(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [group] })).coordinators.map((found) => ({
        errorCode: found.errorCode,
      })),
    ),
    join: await ask(JoinGroup, 7, {
      groupId: group,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      protocolType: 'consumer',
      memberId: 'nobody',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    }),
    commit: await ask(OffsetCommit, 8, {
      groupId: group,
      generationIdOrMemberEpoch: -1,
      topics: [{ name, partitions: [{ partitionIndex: 0, committedOffset: 0n, committedMetadata: '' }] }],
    }),
    committed: await ask(OffsetFetch, 7, { groupId: group, topics: [{ name, partitionIndexes: [0] }] }),
    'committed, newer': await ask(OffsetFetch, 8, {
      groups: [{ groupId: group, topics: [{ name, partitionIndexes: [0] }] }],
    }),
    describe: normalise(
      (await user.send(DescribeGroups, 5, { groups: [group] })).groups.map(({ errorCode, groupState }) => ({
        errorCode,
        groupState,
      })),
    ),
    'delete group': await ask(DeleteGroups, 2, { groupsNames: [`${group}-x`] }),
    'producer id': normalise(
      (await user.send(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 })).errorCode > 0,
    ),
    'transactional id': errorName(
      (await user.send(InitProducerId, 4, { transactionalId: group, transactionTimeoutMs: 1000 })).errorCode,
    ),
    create: errorName(
      (
        await user.send(CreateTopics, 7, {
          topics: [{ name: `${name}-x`, numPartitions: 1, replicationFactor: 1 }],
          timeoutMs,
        })
      ).topics[0]?.errorCode ?? -1,
    ),
    partitions: await ask(CreatePartitions, 3, { topics: [{ name, count: 1, assignments: null }], timeoutMs }),
    delete: await ask(DeleteTopics, 5, { topicNames: [`${name}-y`], timeoutMs }),
    configs: errorName(
      (
        await user.send(DescribeConfigs, 4, {
          resources: [{ resourceType: topicResource, resourceName: name, configurationKeys: ['retention.ms'] }],
        })
      ).results[0]?.errorCode ?? -1,
    ),
    alter: await ask(IncrementalAlterConfigs, 1, {
      resources: [
        {
          resourceType: topicResource,
          resourceName: name,
          configs: [{ name: 'retention.ms', configOperation: 0, value: '5' }],
        },
      ],
    }),
    rules: await ask(DescribeAcls, 3, {
      resourceTypeFilter: 1,
      patternTypeFilter: 1,
      operation: 1,
      permissionType: 1,
      resourceNameFilter: null,
      principalFilter: null,
      hostFilter: null,
    }),
    // Kafka 4.3.1 never answers DescribeUserScramCredentials to whom it denies it.
    quotas: errorName((await user.send(DescribeClientQuotas, 1, { components: [], strict: false })).errorCode),
  };
}

function ruleFor(kafka: RawKafka, given: Partial<Rule>): Rule {
  return {
    resourceType: topicResource,
    resourceName: '*',
    resourcePatternType: literal,
    principal: `User:${kafka.login.username}`,
    host: '*',
    operation: readOperation,
    permissionType: allow,
    ...given,
  };
}

async function allowIt(kafka: RawKafka, ...creations: Rule[]): Promise<void> {
  const admin = await kafka.connect();
  const { results } = await admin.send(CreateAcls, 3, { creations });
  if (results.some(({ errorCode }) => errorCode !== 0)) throw new Error('cannot create the rules');
}

/** Logging in, rules of access, users and quotas. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'A login is refused step by step',
    async run(kafka) {
      const { address, username } = kafka.login;
      const told: Record<string, unknown> = {};
      const strange = await kafka.connectTo(address);
      told['strange mechanism'] = errorName(
        (await strange.send(SaslHandshake, 1, { mechanism: 'KERBEROS-2' })).errorCode,
      );
      const hasty = await kafka.connectTo(address);
      told['no handshake'] = await hasty.send(SaslAuthenticate, 2, { authBytes: Buffer.alloc(0) }).then(
        (answer) => normalise(answer),
        () => 'the broker hung up',
      );
      const early = await kafka.connectTo(address);
      told['no login'] = await early.send(Metadata, 12, { topics: [] }).then(
        () => 'answered',
        () => 'the broker hung up',
      );
      for (const [what, text] of [
        ['wrong password', `\0${username}\0wrong`],
        ['stranger', '\0nobody\0wrong'],
        ['half', `\0${username}`],
        ['empty', '\0\0'],
        ['for somebody else', `admin\0${username}\0wrong`],
      ] as const) {
        const connection = await kafka.connectTo(address);
        await connection.send(SaslHandshake, 1, { mechanism: 'PLAIN' });
        const answer = await connection.send(SaslAuthenticate, 2, { authBytes: Buffer.from(text) });
        const after = await connection.send(Metadata, 12, { topics: [] }).then(
          () => 'answered',
          () => 'the broker hung up',
        );
        told[what] = [normalise(answer), after];
      }
      const open = await kafka.connect();
      told['where no login is'] = normalise(await open.send(SaslHandshake, 1, { mechanism: 'PLAIN' }));
      return told;
    },
  },
  {
    name: 'Without an authorizer there are no rules',
    async run(kafka) {
      const broker = await kafka.connect();
      const any = { resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1 };
      const filter = { ...any, resourceNameFilter: null, principalFilter: null, hostFilter: null };
      const rule = ruleFor({ login: { username: 'x' } } as RawKafka, {});
      return [
        normalise(await broker.send(DescribeAcls, 3, filter)),
        normalise(await broker.send(CreateAcls, 3, { creations: [rule] })),
        normalise(await broker.send(DeleteAcls, 3, { filters: [filter] })),
      ];
    },
  },
  {
    name: 'Whom no rule allows anything is denied everything',
    authorizer: true,
    async run(kafka) {
      return everything(await kafka.connectAsUser(), await kafka.topic(), kafka.name('group'));
    },
  },
  {
    name: 'Whoever may read a topic and a group may do what that implies',
    authorizer: true,
    async run(kafka) {
      const topic = await kafka.topic();
      const group = kafka.name('group');
      await allowIt(
        kafka,
        ruleFor(kafka, { resourceName: topic.name }),
        ruleFor(kafka, {
          resourceType: groupResource,
          resourceName: group.slice(0, -3),
          resourcePatternType: prefixed,
        }),
      );
      const user = await kafka.connectAsUser();
      await eventually(async () => {
        const answer = await user.send(Metadata, 12, { topics: [{ name: topic.name }], allowAutoTopicCreation: false });
        return answer.topics[0]?.errorCode === 0;
      });
      await eventually(async () => {
        const { coordinators } = await user.send(FindCoordinator, 4, { keyType: 0, coordinatorKeys: [group] });
        const committed = await user.send(OffsetFetch, 7, { groupId: group, topics: null });
        return coordinators[0]?.errorCode === 0 && committed.errorCode === 0;
      });
      return everything(user, topic, group);
    },
  },
  {
    name: 'Whoever asks is told what may be done',
    authorizer: true,
    async run(kafka) {
      const topic = await kafka.topic();
      const group = kafka.name('group');
      await allowIt(
        kafka,
        ruleFor(kafka, { resourceName: topic.name }),
        ruleFor(kafka, { resourceType: groupResource, resourceName: group }),
        ruleFor(kafka, { resourceType: clusterResource, resourceName: 'kafka-cluster', operation: describeOperation }),
      );
      const told: unknown[] = [];
      for (const connection of [await kafka.connectAsUser(), await kafka.connect()]) {
        const flags = { includeTopicAuthorizedOperations: true, includeClusterAuthorizedOperations: true };
        const asked = { topics: [{ name: topic.name }], allowAutoTopicCreation: false, ...flags };
        const metadata = await eventually(async () => {
          const answer = await connection.send(Metadata, 10, asked);
          return answer.topics[0]?.errorCode === 0 && answer.clusterAuthorizedOperations > 0 && answer;
        });
        const cluster = await connection.send(DescribeCluster, 1, { includeClusterAuthorizedOperations: true });
        const pages = await connection.send(DescribeTopicPartitions, 0, { topics: [{ name: topic.name }] });
        const described = await eventually(async () => {
          const answer = await connection.send(DescribeGroups, 5, {
            groups: [group],
            includeAuthorizedOperations: true,
          });
          return answer.groups[0]?.errorCode === 0 && answer.groups[0];
        });
        told.push([
          metadata.clusterAuthorizedOperations,
          metadata.topics[0]?.topicAuthorizedOperations,
          cluster.clusterAuthorizedOperations,
          pages.topics[0]?.topicAuthorizedOperations,
          described.authorizedOperations,
        ]);
      }
      return told;
    },
  },
  {
    name: 'A denial wins over a permission',
    authorizer: true,
    async run(kafka) {
      const topic = await kafka.topic();
      await allowIt(
        kafka,
        ruleFor(kafka, { resourceName: topic.name, operation: 2 }),
        ruleFor(kafka, { resourceName: topic.name, operation: readOperation, permissionType: deny }),
      );
      const user = await kafka.connectAsUser();
      const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }];
      const fetch = { maxWaitMs: 100, minBytes: 0, maxBytes: 1000, topics: [{ topic: topic.name, partitions }] };
      const list = {
        replicaId: -1,
        topics: [{ name: topic.name, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
      };
      const listed = await eventually(async () => {
        const answer = await user.send(ListOffsets, 7, list);
        return answer.topics[0]?.partitions[0]?.errorCode === 0 && answer;
      });
      const names = { topic: topic.name };
      return [normalise(listed, names), normalise(await user.send(Fetch, 12, fetch), names)];
    },
  },
  {
    name: 'Rules are refused that could never match',
    authorizer: true,
    async run(kafka) {
      const admin = await kafka.connect();
      const told: Record<string, string> = {};
      const ask = async (what: string, given: Partial<Rule>): Promise<void> => {
        const { results } = await admin.send(CreateAcls, 3, {
          creations: [ruleFor(kafka, { resourceName: 'x', ...given })],
        });
        told[what] = errorName(results[0]?.errorCode ?? -1);
      };
      await ask('any resource', { resourceType: 1 });
      await ask('any pattern', { resourcePatternType: 1 });
      await ask('matching pattern', { resourcePatternType: 2 });
      await ask('no name', { resourceName: '' });
      await ask('another cluster', { resourceType: clusterResource, resourceName: 'mine' });
      await ask('any operation', { operation: 1 });
      await ask('any permission', { permissionType: 1 });
      await ask('nobody', { principal: '' });
      await ask('no type of principal', { principal: 'anna' });
      await ask('no host', { host: '' });
      await ask('fine', {});
      return told;
    },
  },
  {
    name: 'Rules are found and removed by filters',
    authorizer: true,
    async run(kafka) {
      const admin = await kafka.connect();
      const name = kafka.name('rules');
      await allowIt(
        kafka,
        ruleFor(kafka, { resourceName: name, operation: describeOperation }),
        ruleFor(kafka, { resourceName: name.slice(0, 20), resourcePatternType: prefixed }),
        ruleFor(kafka, { resourceName: name, resourceType: groupResource, permissionType: deny }),
      );
      const names = { name, beginning: name.slice(0, 20) };
      const filter = {
        resourceTypeFilter: 1,
        resourceNameFilter: name,
        patternTypeFilter: 3,
        operation: 1,
        permissionType: 1,
        principalFilter: `User:${kafka.login.username}`,
        hostFilter: null,
      };
      const find = async (changed: object): Promise<unknown> => {
        const answer = await admin.send(DescribeAcls, 3, { ...filter, ...changed });
        const sorted = [...answer.resources].sort(
          (a, b) => a.resourceType - b.resourceType || a.patternType - b.patternType,
        );
        return normalise({ ...answer, resources: sorted }, { ...names, user: `User:${kafka.login.username}` });
      };
      const told = [
        await find({}),
        await find({ patternTypeFilter: 2, resourceTypeFilter: topicResource }),
        await find({ permissionType: deny }),
        await find({ resourceNameFilter: 'there-is-none' }),
        await find({ operation: readOperation, patternTypeFilter: 1, resourceNameFilter: name.slice(0, 20) }),
      ];
      const removed = await admin.send(DeleteAcls, 3, { filters: [{ ...filter, patternTypeFilter: 2 }] });
      const matching = [...(removed.filterResults[0]?.matchingAcls ?? [])].sort(
        (a, b) => a.resourceType - b.resourceType || a.patternType - b.patternType,
      );
      told.push(normalise(matching, { ...names, user: `User:${kafka.login.username}` }), await find({}));
      return told;
    },
  },
  {
    name: 'Users of SCRAM are set, told and removed',
    async run(kafka) {
      const broker = await kafka.connect();
      const user = kafka.name('user');
      const credential = {
        name: user,
        mechanism: 1,
        iterations: 4096,
        salt: Buffer.from('salt'),
        saltedPassword: Buffer.alloc(32, 1),
      };
      const alter = async (upsertions: object[], deletions: object[] = []): Promise<unknown> =>
        normalise((await broker.send(AlterUserScramCredentials, 0, { upsertions, deletions })).results, { user });
      const describeUser = async (users: { name: string }[]): Promise<unknown> =>
        normalise((await broker.send(DescribeUserScramCredentials, 0, { users })).results, { user });
      const told = [
        await alter([credential]),
        await eventually(async () => {
          const { results } = await broker.send(DescribeUserScramCredentials, 0, { users: [{ name: user }] });
          return results[0]?.errorCode === 0 && normalise(results, { user });
        }),
        await alter([{ ...credential, iterations: 100 }]),
        await alter([{ ...credential, iterations: 100_000 }]),
        await alter([{ ...credential, mechanism: 9 }]),
        await alter([{ ...credential, name: '' }]),
        await alter([credential, credential]),
        await alter([credential, { ...credential, mechanism: 2 }]),
        await alter([{ ...credential, mechanism: 2 }], [{ name: user, mechanism: 1 }]),
        await alter([credential], [{ name: user, mechanism: 2 }]),
        await alter([{ ...credential, iterations: 100 }, credential]),
        await alter([], [{ name: user, mechanism: 2 }]),
        await alter([], [{ name: user, mechanism: 1 }]),
      ];
      await eventually(async () => {
        const { results } = await broker.send(DescribeUserScramCredentials, 0, { users: [{ name: user }] });
        return results[0]?.errorCode !== 0;
      });
      return [...told, await describeUser([{ name: user }]), await describeUser([{ name: user }, { name: user }])];
    },
  },
  {
    name: 'Quotas are set, told and refused',
    async run(kafka) {
      const broker = await kafka.connect();
      const user = kafka.name('user');
      const entity = [{ entityType: 'user', entityName: user }];
      const alter = async (given: object[], ops: object[]): Promise<unknown> =>
        normalise((await broker.send(AlterClientQuotas, 1, { entries: [{ entity: given, ops }] })).entries, { user });
      const rate = (value: number): object => ({ key: 'producer_byte_rate', value });
      const find = async (components: object[], strict = false): Promise<unknown> =>
        normalise(await broker.send(DescribeClientQuotas, 1, { components, strict }), { user });
      const exact = { entityType: 'user', matchType: 0, match: user };
      const told = [
        await alter(entity, [rate(1024)]),
        await eventually(async () => {
          const answer = await broker.send(DescribeClientQuotas, 1, { components: [exact] });
          return answer.entries?.length === 1 && normalise(answer, { user });
        }),
        await find([exact], true),
        await find([{ entityType: 'client-id', matchType: 0, match: user }]),
        await find([exact, exact]),
        await find([{ ...exact, matchType: 7 }]),
        await find([{ ...exact, match: null }]),
        await alter(entity, [rate(0)]),
        await alter(entity, [rate(-1)]),
        await alter(entity, [rate(0.5)]),
        await alter(entity, [{ key: 'no_such_quota', value: 1 }]),
        await alter([{ entityType: 'planet', entityName: user }], [rate(1)]),
        await alter([], [rate(1)]),
        await alter([...entity, ...entity], [rate(1)]),
        await alter([{ entityType: 'user', entityName: '' }], [rate(1)]),
        await alter([{ entityType: 'ip', entityName: '127.0.0.9' }], [rate(1)]),
        await alter(entity, [{ key: 'producer_byte_rate', value: 0, remove: true }]),
      ];
      await eventually(async () => {
        const answer = await broker.send(DescribeClientQuotas, 1, { components: [exact] });
        return answer.entries?.length === 0;
      });
      return told;
    },
  },
];
