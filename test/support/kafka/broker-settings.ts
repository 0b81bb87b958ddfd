import { listenerNames, testUsers } from './options.ts';
import type { ListenerName } from './options.ts';

/** One broker as the rest of the cluster and the settings see it. */
export interface BrokerPlan {
  readonly id: number;
  readonly rack: string | undefined;
  /** Name or address under which the other brokers reach it. */
  readonly internalHost: string;
  readonly internalPort: number;
  readonly controllerPort: number;
  /** Ports of the listeners for clients. */
  readonly ports: Readonly<Partial<Record<ListenerName, number>>>;
}

export interface ClusterPlan {
  /** Kafka's cluster id: 16 bytes as URL-safe base64. */
  readonly clusterId: string;
  readonly brokers: readonly BrokerPlan[];
  readonly bindHost: string;
  readonly dataDirectory: (brokerId: number) => string;
  readonly secretsDirectory: string;
  readonly config: Readonly<Record<string, string>>;
  /** What the brokers' JVMs are told beside their heap. */
  readonly javaOptions: readonly string[];
}

/** The files that {@link brokerProperties} refers to inside `secretsDirectory`: private key and certificate chain in one PEM. */
export const secretFiles = { server: 'server.pem', wrongHost: 'wrong-host.pem', ca: 'ca.pem' } as const;

const securityProtocols: Record<ListenerName, string> = {
  plaintext: 'PLAINTEXT',
  ssl: 'SSL',
  sslWrongHost: 'SSL',
  mutualTls: 'SSL',
  saslPlaintext: 'SASL_PLAINTEXT',
  saslSsl: 'SASL_SSL',
};

/** The address that clients are told: a name where a certificate is checked against it. */
function advertisedHost(listener: ListenerName): string {
  return securityProtocols[listener].endsWith('SSL') ? 'localhost' : '127.0.0.1';
}

export function clientAddress(listener: ListenerName, port: number): string {
  return `${advertisedHost(listener)}:${port}`;
}

/** The content of a broker's server.properties. */
export function brokerProperties(plan: ClusterPlan, broker: BrokerPlan): Record<string, string> {
  const listeners = listenerNames.filter((name) => broker.ports[name] !== undefined);
  return {
    'process.roles': 'broker,controller',
    'node.id': String(broker.id),
    'controller.quorum.voters': plan.brokers.map((b) => `${b.id}@${b.internalHost}:${b.controllerPort}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': plan.dataDirectory(broker.id),
    ...(broker.rack === undefined ? {} : { 'broker.rack': broker.rack }),
    ...listenerProperties(plan, broker, listeners),
    ...internalTopicProperties(plan.brokers.length),
    ...(plan.brokers.length === 1 ? {} : severalBrokersProperties),
    ...plan.config,
  };
}

function listenerProperties(
  plan: ClusterPlan,
  broker: BrokerPlan,
  listeners: readonly ListenerName[],
): Record<string, string> {
  const upper = (name: ListenerName): string => name.toUpperCase();
  const bound = listeners.map((name) => `${upper(name)}://${plan.bindHost}:${broker.ports[name] ?? 0}`);
  const told = listeners.map((name) => `${upper(name)}://${clientAddress(name, broker.ports[name] ?? 0)}`);
  const properties: Record<string, string> = {
    listeners: [
      `CONTROLLER://${plan.bindHost}:${broker.controllerPort}`,
      `INTERNAL://${plan.bindHost}:${broker.internalPort}`,
      ...bound,
    ].join(','),
    'advertised.listeners': [`INTERNAL://${broker.internalHost}:${broker.internalPort}`, ...told].join(','),
    'listener.security.protocol.map': [
      'CONTROLLER:PLAINTEXT',
      'INTERNAL:PLAINTEXT',
      ...listeners.map((name) => `${upper(name)}:${securityProtocols[name]}`),
    ].join(','),
  };
  for (const name of listeners) {
    if (securityProtocols[name].endsWith('SSL')) Object.assign(properties, tlsProperties(plan, name));
    if (securityProtocols[name].startsWith('SASL')) Object.assign(properties, saslProperties(name));
  }
  return properties;
}

function tlsProperties(plan: ClusterPlan, listener: ListenerName): Record<string, string> {
  const prefix = `listener.name.${listener.toLowerCase()}.`;
  const keystore = listener === 'sslWrongHost' ? secretFiles.wrongHost : secretFiles.server;
  return {
    [`${prefix}ssl.keystore.type`]: 'PEM',
    [`${prefix}ssl.keystore.location`]: `${plan.secretsDirectory}/${keystore}`,
    [`${prefix}ssl.truststore.type`]: 'PEM',
    [`${prefix}ssl.truststore.location`]: `${plan.secretsDirectory}/${secretFiles.ca}`,
    [`${prefix}ssl.client.auth`]: listener === 'mutualTls' ? 'required' : 'none',
  };
}

function saslProperties(listener: ListenerName): Record<string, string> {
  const prefix = `listener.name.${listener.toLowerCase()}.`;
  const { username, password } = testUsers.plain;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  return {
    [`${prefix}sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${prefix}plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
    [`${prefix}scram-sha-256.sasl.jaas.config`]: scram,
    [`${prefix}scram-sha-512.sasl.jaas.config`]: scram,
    // Without a callback handler Kafka takes tokens that nobody signed: what signs and checks them is no part of the client.
    [`${prefix}oauthbearer.sasl.jaas.config`]:
      'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
  };
}

/** Without these the first group, transaction or share test waits for replicas that never come. */
export function internalTopicProperties(brokers: number): Record<string, string> {
  const replicas = String(Math.min(brokers, 3));
  const inSync = String(Math.min(brokers, 2));
  return {
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '5',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '5',
    'group.initial.rebalance.delay.ms': '0',
    // Records of tests may be dated years ago: a broker that looks every 5 minutes for what is too old would delete them in mid-test.
    'log.retention.check.interval.ms': '86400000',
    // Members of the new protocol beat as often as the broker says: with its 5 s a test would wait that long for each step.
    'group.consumer.min.heartbeat.interval.ms': '300',
    'group.consumer.heartbeat.interval.ms': '300',
    'group.share.min.heartbeat.interval.ms': '300',
    'group.share.heartbeat.interval.ms': '300',
    // A group may ask for locks and sessions of a second: with the least that brokers usually allow, a test of either would take 15 or 45 s.
    'group.share.min.record.lock.duration.ms': '1000',
    'group.share.min.session.timeout.ms': '1000',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
  };
}

/** Several brokers are in a rack each: whoever has no `clientRack` sees nothing of it. */
export function racksOf(brokers: number): readonly string[] {
  return brokers === 1 ? [] : ['a', 'b', 'c'].slice(0, brokers);
}

export const severalBrokersProperties: Record<string, string> = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'unclean.leader.election.enable': 'false',
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
};

export function propertiesFile(properties: Readonly<Record<string, string>>): string {
  const escape = (value: string): string => value.replaceAll('\\', '\\\\');
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${escape(value)}\n`)
    .join('');
}

/** The arguments of Kafka's storage formatter: SCRAM users can only be there from the first start if they are added here. */
export function formatArguments(plan: ClusterPlan, propertiesPath: string): string[] {
  const scram = (['scram-sha-256', 'scram-sha-512'] as const).flatMap((mechanism) => {
    const { username, password } = testUsers[mechanism];
    return ['--add-scram', `${mechanism.toUpperCase()}=[name=${username},password=${password}]`];
  });
  return ['format', '--ignore-formatted', '-t', plan.clusterId, '-c', propertiesPath, ...scram];
}
