export type {
  Acl,
  AclFilter,
  AclOperation,
  AclPatternType,
  AclPermissionType,
  AclResourceType,
  NewAcl,
} from './acls.ts';
export { Admin, type ListTopicsOptions } from './admin.ts';
export type {
  AlterClientQuotasOptions,
  ClientQuotaAlteration,
  ClientQuotaEntity,
  ClientQuotaFilter,
  ClientQuotaKey,
  ClientQuotas,
} from './client-quotas.ts';
export type { ClusterDescription } from './cluster-description.ts';
export type {
  AlterConfigsOptions,
  ConfigChanges,
  ConfigDescription,
  ConfigEntry,
  ConfigResource,
  ConfigResourceType,
  ConfigSource,
  ConfigValueType,
  DescribeConfigsOptions,
  ListConfigResourcesOptions,
} from './configs.ts';
export {
  DelegationToken,
  type CreateDelegationTokenOptions,
  type DelegationTokenFields,
  type DescribeDelegationTokensOptions,
  type ExpireDelegationTokenOptions,
  type RenewDelegationTokenOptions,
} from './delegation-tokens.ts';
export type { ElectedLeader, ElectionType } from './elections.ts';
export type {
  ClusterFeatures,
  DescribeFeaturesOptions,
  FeatureDescription,
  FeatureUpdate,
  FeatureUpgradeType,
  UpdateFeaturesOptions,
} from './features.ts';
export type { GroupOffset, ListGroupOffsetsOptions, NewGroupOffset } from './group-offsets.ts';
export type { MemberToRemove, RemoveMembersOptions } from './group-members.ts';
export type { GroupDescription, GroupListing, GroupMember, ListGroupsOptions } from './groups.ts';
export type { AdminOptions, ItemsAnswer, Settled } from './items.ts';
export type {
  AlterReplicaLogDirsOptions,
  BrokerLogDirs,
  BrokerReplica,
  LogDir,
  LogDirReplica,
  NewReplicaLogDir,
  ReplicaLogDir,
  ReplicaLogDirs,
} from './log-dirs.ts';
export type {
  DeletedRecords,
  ListedOffset,
  ListOffsetsOptions,
  OffsetQuery,
  OffsetSpec,
  RecordsToDelete,
} from './partitions.ts';
export type { ActiveProducer, HangingTransaction, PartitionProducers } from './producers.ts';
export type { MetadataQuorum, QuorumNode, QuorumReplica } from './quorum.ts';
export type {
  AlterPartitionReassignmentsOptions,
  NewPartitionReassignment,
  PartitionReassignment,
} from './reassignments.ts';
export type {
  ScramCredentialInfo,
  ScramMechanism,
  UserScramCredentialAlteration,
  UserScramCredentialDeletion,
  UserScramCredentialsDescription,
  UserScramCredentialUpsertion,
} from './scram-credentials.ts';
export type { ListShareGroupOffsetsOptions, NewShareGroupOffset, ShareGroupOffset } from './share-group-offsets.ts';
export type { ShareGroupDescription, ShareGroupMember } from './share-groups.ts';
export type {
  FencedProducer,
  ListTransactionsOptions,
  TransactionDescription,
  TransactionListing,
} from './transactions.ts';
export type {
  CreatedTopic,
  CreatePartitionsOptions,
  CreateTopicsOptions,
  DeletedTopic,
  DeleteTopicsOptions,
  NewPartitions,
  NewTopic,
  TopicDescription,
  TopicListing,
} from './topics.ts';
