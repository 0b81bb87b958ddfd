export { Admin, type ListTopicsOptions } from './admin.ts';
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
} from './configs.ts';
export type { GroupOffset, ListGroupOffsetsOptions, NewGroupOffset } from './group-offsets.ts';
export type { GroupDescription, GroupListing, GroupMember, ListGroupsOptions } from './groups.ts';
export type { AdminOptions, ItemsAnswer, Settled } from './items.ts';
export type {
  DeletedRecords,
  ListedOffset,
  ListOffsetsOptions,
  OffsetQuery,
  OffsetSpec,
  RecordsToDelete,
} from './partitions.ts';
export type { ActiveProducer, HangingTransaction, PartitionProducers } from './producers.ts';
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
