/** Main classes of Kafka's programs by the name of their script; where releases differ, per first major version. */
const mainClasses: Readonly<Record<string, string | Readonly<Record<3 | 4, string>>>> = {
  'console-producer': { 3: 'kafka.tools.ConsoleProducer', 4: 'org.apache.kafka.tools.ConsoleProducer' },
  'console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'console-share-consumer': 'org.apache.kafka.tools.consumer.ConsoleShareConsumer',
  topics: 'org.apache.kafka.tools.TopicCommand',
  'consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'share-groups': 'org.apache.kafka.tools.consumer.group.ShareGroupCommand',
  'get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  transactions: 'org.apache.kafka.tools.TransactionsCommand',
  features: 'org.apache.kafka.tools.FeatureCommand',
  configs: 'kafka.admin.ConfigCommand',
  acls: { 3: 'kafka.admin.AclCommand', 4: 'org.apache.kafka.tools.AclCommand' },
  'dump-log': { 3: 'kafka.tools.DumpLogSegments', 4: 'org.apache.kafka.tools.DumpLogSegments' },
  'broker-api-versions': {
    3: 'kafka.admin.BrokerApiVersionsCommand',
    4: 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  },
};

/** A name with a dot is a class already. */
export function mainClass(name: string, version: string): string {
  if (name.includes('.')) return name;
  const known = mainClasses[name];
  if (known === undefined)
    throw new Error(`Cannot run the tool "${name}": known are ${Object.keys(mainClasses).join(', ')}, or give a class`);
  return typeof known === 'string' ? known : known[version.startsWith('3.') ? 3 : 4];
}

export function withBootstrap(args: readonly string[], bootstrapServers: readonly string[]): string[] {
  return args.map((arg) => arg.replaceAll('{bootstrap}', bootstrapServers.join(',')));
}
