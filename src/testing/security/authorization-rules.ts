import type { BrokerErrorName } from '../../errors/broker-error-codes.ts';
import type { Api } from '../../protocol/api.ts';
import { AddOffsetsToTxn } from '../../protocol/generated/add-offsets-to-txn.ts';
import { AddPartitionsToTxn } from '../../protocol/generated/add-partitions-to-txn.ts';
import { AlterClientQuotas } from '../../protocol/generated/alter-client-quotas.ts';
import { AlterConfigs } from '../../protocol/generated/alter-configs.ts';
import { AlterPartitionReassignments } from '../../protocol/generated/alter-partition-reassignments.ts';
import { AlterUserScramCredentials } from '../../protocol/generated/alter-user-scram-credentials.ts';
import { AlterShareGroupOffsets } from '../../protocol/generated/alter-share-group-offsets.ts';
import { ConsumerGroupDescribe } from '../../protocol/generated/consumer-group-describe.ts';
import { ConsumerGroupHeartbeat } from '../../protocol/generated/consumer-group-heartbeat.ts';
import { CreateAcls } from '../../protocol/generated/create-acls.ts';
import { CreatePartitions } from '../../protocol/generated/create-partitions.ts';
import { CreateTopics } from '../../protocol/generated/create-topics.ts';
import { DeleteAcls } from '../../protocol/generated/delete-acls.ts';
import { DeleteGroups } from '../../protocol/generated/delete-groups.ts';
import { DeleteRecords } from '../../protocol/generated/delete-records.ts';
import { DeleteShareGroupOffsets } from '../../protocol/generated/delete-share-group-offsets.ts';
import { DeleteTopics } from '../../protocol/generated/delete-topics.ts';
import { DescribeAcls } from '../../protocol/generated/describe-acls.ts';
import { DescribeClientQuotas } from '../../protocol/generated/describe-client-quotas.ts';
import { DescribeConfigs } from '../../protocol/generated/describe-configs.ts';
import { DescribeGroups } from '../../protocol/generated/describe-groups.ts';
import { DescribeLogDirs } from '../../protocol/generated/describe-log-dirs.ts';
import { DescribeProducers } from '../../protocol/generated/describe-producers.ts';
import { DescribeShareGroupOffsets } from '../../protocol/generated/describe-share-group-offsets.ts';
import { DescribeTopicPartitions } from '../../protocol/generated/describe-topic-partitions.ts';
import { DescribeTransactions } from '../../protocol/generated/describe-transactions.ts';
import { DescribeUserScramCredentials } from '../../protocol/generated/describe-user-scram-credentials.ts';
import { ElectLeaders } from '../../protocol/generated/elect-leaders.ts';
import { EndTxn } from '../../protocol/generated/end-txn.ts';
import { FindCoordinator } from '../../protocol/generated/find-coordinator.ts';
import { Heartbeat } from '../../protocol/generated/heartbeat.ts';
import { IncrementalAlterConfigs } from '../../protocol/generated/incremental-alter-configs.ts';
import { InitProducerId } from '../../protocol/generated/init-producer-id.ts';
import { JoinGroup } from '../../protocol/generated/join-group.ts';
import { LeaveGroup } from '../../protocol/generated/leave-group.ts';
import { ListConfigResources } from '../../protocol/generated/list-config-resources.ts';
import { ListOffsets } from '../../protocol/generated/list-offsets.ts';
import { ListPartitionReassignments } from '../../protocol/generated/list-partition-reassignments.ts';
import { OffsetCommit } from '../../protocol/generated/offset-commit.ts';
import { OffsetDelete } from '../../protocol/generated/offset-delete.ts';
import { OffsetFetch } from '../../protocol/generated/offset-fetch.ts';
import { OffsetForLeaderEpoch } from '../../protocol/generated/offset-for-leader-epoch.ts';
import { Produce } from '../../protocol/generated/produce.ts';
import { ShareGroupDescribe } from '../../protocol/generated/share-group-describe.ts';
import { ShareGroupHeartbeat } from '../../protocol/generated/share-group-heartbeat.ts';
import { SyncGroup } from '../../protocol/generated/sync-group.ts';
import { TxnOffsetCommit } from '../../protocol/generated/txn-offset-commit.ts';
import { WriteTxnMarkers } from '../../protocol/generated/write-txn-markers.ts';
import { ZERO_UUID } from '../../protocol/wire/uuid.ts';
import type { RequestContext } from '../handler.ts';
import { resourceTypes } from '../configs/config-resource.ts';
import { Authorizer } from './authorizer.ts';
import { clusterName, operation, resourceType } from './resources.ts';

/** A resource and what is wanted of it. */
export interface Access {
  readonly operation: number;
  readonly type: number;
  readonly name: string;
  /** What a denial is answered with. */
  readonly error: BrokerErrorName;
}

/** What an API may do for whoever called it; undefined if all that was asked for. */
export type Verdict =
  | undefined
  /** Nothing is done, and the whole answer says so. */
  | { readonly error: BrokerErrorName }
  /** The request falls into two; the answer to the denied one is this error in the list of that name. */
  | { readonly allowed: object; readonly denied: object; readonly error: BrokerErrorName; readonly answeredIn: string };

/** Looks at a request, item by item where the API answers so. */
export type AuthorizationRule = (request: never, asker: Asker) => Verdict;

/** Asks the authorizer for the caller of one request. */
export class Asker {
  readonly context: RequestContext;
  readonly #authorizer: Authorizer;

  constructor(context: RequestContext) {
    this.context = context;
    this.#authorizer = context.cluster.service(Authorizer);
  }

  allows({ operation: wanted, type, name }: Access): boolean {
    return this.#authorizer.allows(this.context.connection, wanted, type, name);
  }

  allowsSomewhere(wanted: number, type: number): boolean {
    return this.#authorizer.allowsSomewhere(this.context.connection, wanted, type);
  }

  /** The first of these that is denied decides. */
  needs(...accesses: readonly Access[]): Verdict {
    const denied = accesses.find((access) => !this.allows(access));
    return denied === undefined ? undefined : { error: denied.error };
  }

  /** Parts the list `key` of a request into what is allowed and what is not; the answer tells of it in its list `answeredIn`. */
  split<Req extends object, Key extends keyof Req>(
    request: Req,
    key: Key,
    answeredIn: string,
    access: (item: ItemOf<Req[Key]>) => Access,
  ): Verdict {
    const list = request[key];
    if (!Array.isArray(list)) return undefined;
    const items = list as ItemOf<Req[Key]>[];
    const isDenied = (item: ItemOf<Req[Key]>): boolean => !this.allows(access(item));
    const denied = items.filter(isDenied);
    const [first] = denied;
    if (first === undefined) return undefined;
    const allowed = { ...request, [key]: items.filter((item) => !denied.includes(item)) };
    return { allowed, denied: { ...request, [key]: denied }, error: access(first).error, answeredIn };
  }

  /** Newer versions name topics by their ids. */
  topicName(item: { readonly name?: string | null; readonly topicId?: string }): string {
    if (item.topicId === undefined || item.topicId === ZERO_UUID) return item.name ?? '';
    return this.context.cluster.topicsById.get(item.topicId)?.name ?? item.name ?? '';
  }
}

type ItemOf<List> = NonNullable<List> extends readonly (infer Item)[] ? Item : never;

const rules = new Map<number, AuthorizationRule>();

/** What an API asks of who calls it; undefined if nothing, or if the gate looks at its answer instead. */
export function authorizationRule(apiKey: number): AuthorizationRule | undefined {
  return rules.get(apiKey);
}

function rule<Req>(api: Api<Req, unknown>, decide: (request: Req, asker: Asker) => Verdict): void {
  rules.set(api.key, decide);
}

function access(type: number, error: BrokerErrorName): (wanted: number, name: string) => Access {
  return (wanted, name) => ({ operation: wanted, type, name, error });
}

const topic = access(resourceType.topic, 'TOPIC_AUTHORIZATION_FAILED');
const group = access(resourceType.group, 'GROUP_AUTHORIZATION_FAILED');
const transaction = access(resourceType.transactionalId, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
const toCluster = (wanted: number): Access =>
  access(resourceType.cluster, 'CLUSTER_AUTHORIZATION_FAILED')(wanted, clusterName);

const { read, write, create, alter, describe, clusterAction, describeConfigs, alterConfigs, idempotentWrite } =
  operation;

// Records and offsets.

rule(Produce, (request, asker) => {
  const { transactionalId } = request;
  const whole = transactionalId === null ? undefined : asker.needs(transaction(write, transactionalId));
  return whole ?? asker.split(request, 'topicData', 'responses', (item) => topic(write, asker.topicName(item)));
});
rule(ListOffsets, (request, asker) => asker.split(request, 'topics', 'topics', ({ name }) => topic(describe, name)));
rule(OffsetForLeaderEpoch, (request, asker) =>
  asker.split(request, 'topics', 'topics', ({ topic: name }) => topic(describe, name)),
);
rule(DeleteRecords, (request, asker) =>
  asker.split(request, 'topics', 'topics', ({ name }) => topic(operation.delete, name)),
);
rule(DescribeProducers, (request, asker) => asker.split(request, 'topics', 'topics', ({ name }) => topic(read, name)));

// Groups.

rule(JoinGroup, ({ groupId }, asker) => asker.needs(group(read, groupId)));
rule(SyncGroup, ({ groupId }, asker) => asker.needs(group(read, groupId)));
rule(Heartbeat, ({ groupId }, asker) => asker.needs(group(read, groupId)));
rule(LeaveGroup, ({ groupId }, asker) => asker.needs(group(read, groupId)));
rule(ConsumerGroupHeartbeat, ({ groupId, subscribedTopicNames }, asker) =>
  asker.needs(group(read, groupId), ...(subscribedTopicNames ?? []).map((name) => topic(describe, name))),
);
rule(OffsetCommit, (request, asker) => {
  const whole = asker.needs(group(read, request.groupId));
  return whole ?? asker.split(request, 'topics', 'topics', (item) => topic(read, asker.topicName(item)));
});
rule(TxnOffsetCommit, (request, asker) => {
  const { groupId, transactionalId } = request;
  const whole = asker.needs(transaction(write, transactionalId), group(read, groupId));
  return whole ?? asker.split(request, 'topics', 'topics', (item) => topic(read, asker.topicName(item)));
});
rule(OffsetFetch, (request, asker) => {
  if (asker.context.version >= 8) {
    return asker.split(request, 'groups', 'groups', ({ groupId }) => group(describe, groupId));
  }
  const whole = asker.needs(group(describe, request.groupId));
  return whole ?? asker.split(request, 'topics', 'topics', ({ name }) => topic(describe, name));
});
rule(OffsetDelete, (request, asker) => {
  const whole = asker.needs(group(operation.delete, request.groupId));
  return whole ?? asker.split(request, 'topics', 'topics', ({ name }) => topic(read, name));
});
rule(DescribeGroups, (request, asker) =>
  asker.split(request, 'groups', 'groups', (groupId) => group(describe, groupId)),
);
rule(ConsumerGroupDescribe, (request, asker) =>
  asker.split(request, 'groupIds', 'groups', (groupId) => group(describe, groupId)),
);
rule(ShareGroupHeartbeat, ({ groupId, subscribedTopicNames }, asker) =>
  asker.needs(group(read, groupId), ...(subscribedTopicNames ?? []).map((name) => topic(describe, name))),
);
rule(ShareGroupDescribe, (request, asker) =>
  asker.split(request, 'groupIds', 'groups', (groupId) => group(describe, groupId)),
);
rule(DescribeShareGroupOffsets, (request, asker) =>
  asker.split(request, 'groups', 'groups', ({ groupId }) => group(describe, groupId)),
);
rule(AlterShareGroupOffsets, ({ groupId }, asker) => asker.needs(group(read, groupId)));
rule(DeleteShareGroupOffsets, ({ groupId }, asker) => asker.needs(group(operation.delete, groupId)));
rule(DeleteGroups, (request, asker) =>
  asker.split(request, 'groupsNames', 'results', (groupId) => group(operation.delete, groupId)),
);
rule(FindCoordinator, (request, asker) => {
  const of = (key: string): Access => (request.keyType === 1 ? transaction(describe, key) : group(describe, key));
  if (asker.context.version >= 4) return asker.split(request, 'coordinatorKeys', 'coordinators', of);
  return asker.needs(of(request.key));
});

// Transactions.

rule(InitProducerId, ({ transactionalId }, asker) => {
  if (transactionalId !== null) return asker.needs(transaction(write, transactionalId));
  if (asker.allowsSomewhere(write, resourceType.topic)) return undefined;
  return asker.needs(toCluster(idempotentWrite));
});
rule(AddPartitionsToTxn, (request, asker) => {
  if (asker.context.version >= 4) return asker.needs(toCluster(clusterAction));
  const whole = asker.needs(transaction(write, request.v3AndBelowTransactionalId));
  const byTopic = ({ name }: { readonly name: string }): Access => topic(write, name);
  return whole ?? asker.split(request, 'v3AndBelowTopics', 'resultsByTopicV3AndBelow', byTopic);
});
rule(AddOffsetsToTxn, ({ transactionalId, groupId }, asker) =>
  asker.needs(transaction(write, transactionalId), group(read, groupId)),
);
rule(EndTxn, ({ transactionalId }, asker) => asker.needs(transaction(write, transactionalId)));
rule(WriteTxnMarkers, (_, asker) => asker.needs(toCluster(clusterAction)));
rule(DescribeTransactions, (request, asker) =>
  asker.split(request, 'transactionalIds', 'transactionStates', (id) => transaction(describe, id)),
);

// Topics and partitions.

rule(CreateTopics, (request, asker) =>
  asker.allows(toCluster(create))
    ? undefined
    : asker.split(request, 'topics', 'topics', ({ name }) => topic(create, name)),
);
rule(CreatePartitions, (request, asker) => asker.split(request, 'topics', 'results', ({ name }) => topic(alter, name)));
rule(DeleteTopics, (request, asker) => {
  if (asker.context.version < 6) {
    return asker.split(request, 'topicNames', 'responses', (name) => topic(operation.delete, name));
  }
  return asker.split(request, 'topics', 'responses', (item) => topic(operation.delete, asker.topicName(item)));
});
rule(DescribeTopicPartitions, (request, asker) =>
  asker.split(request, 'topics', 'topics', ({ name }) => topic(describe, name)),
);
rule(ElectLeaders, (_, asker) => asker.needs(toCluster(alter)));
rule(AlterPartitionReassignments, (_, asker) => asker.needs(toCluster(alter)));
rule(ListPartitionReassignments, (_, asker) => asker.needs(toCluster(describe)));
rule(DescribeLogDirs, (_, asker) => asker.needs(toCluster(describe)));

// Settings, quotas, users, rules of access.

/** Settings belong to what they are of; all that is no topic and no group belongs to the cluster. */
function settings(wanted: number, resource: { readonly resourceType: number; readonly resourceName: string }): Access {
  if (resource.resourceType === resourceTypes.topic) return topic(wanted, resource.resourceName);
  if (resource.resourceType === resourceTypes.group) return group(wanted, resource.resourceName);
  return toCluster(wanted);
}
rule(DescribeConfigs, (request, asker) =>
  asker.split(request, 'resources', 'results', (resource) => settings(describeConfigs, resource)),
);
rule(AlterConfigs, (request, asker) =>
  asker.split(request, 'resources', 'responses', (resource) => settings(alterConfigs, resource)),
);
rule(IncrementalAlterConfigs, (request, asker) =>
  asker.split(request, 'resources', 'responses', (resource) => settings(alterConfigs, resource)),
);
rule(ListConfigResources, (_, asker) => asker.needs(toCluster(describeConfigs)));
rule(DescribeClientQuotas, (_, asker) => asker.needs(toCluster(describeConfigs)));
rule(AlterClientQuotas, (_, asker) => asker.needs(toCluster(alterConfigs)));
rule(DescribeUserScramCredentials, (_, asker) => asker.needs(toCluster(describe)));
rule(AlterUserScramCredentials, (_, asker) => asker.needs(toCluster(alter)));
rule(DescribeAcls, (_, asker) => asker.needs(toCluster(describe)));
rule(CreateAcls, (_, asker) => asker.needs(toCluster(alter)));
rule(DeleteAcls, (_, asker) => asker.needs(toCluster(alter)));
