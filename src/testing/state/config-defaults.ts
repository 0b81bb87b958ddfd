/** Settings by Kafka's names, with the values that Kafka takes where nothing is said. */
export const configDefaults = {
  broker: new Map<string, string>([
    ['auto.create.topics.enable', 'true'],
    ['num.partitions', '1'],
    ['default.replication.factor', '1'],
    ['offsets.topic.num.partitions', '50'],
    ['offsets.topic.replication.factor', '3'],
    ['transaction.state.log.num.partitions', '50'],
    ['transaction.state.log.replication.factor', '3'],
    ['share.coordinator.state.topic.num.partitions', '50'],
    ['share.coordinator.state.topic.replication.factor', '3'],
  ]),
  topic: new Map<string, string>([
    ['cleanup.policy', 'delete'],
    ['min.insync.replicas', '1'],
    ['message.timestamp.type', 'CreateTime'],
    ['max.message.bytes', '1048588'],
  ]),
  /** From which broker setting a topic setting inherits, where the names differ or not. */
  inheritance: new Map<string, string>([
    ['cleanup.policy', 'log.cleanup.policy'],
    ['min.insync.replicas', 'min.insync.replicas'],
    ['message.timestamp.type', 'log.message.timestamp.type'],
    ['max.message.bytes', 'message.max.bytes'],
  ]),
};
