/** How a cluster was got. */
export type KafkaSource = 'existing' | 'docker' | 'jvm' | 'in-process';

/** What `KAVKA_TEST_KAFKA` holds where suites run on a cluster inside their own process. */
export const inProcessKafka: string = JSON.stringify({ inProcess: true });

/** The listeners that a started cluster has; an existing one has `plaintext` only. */
export const listenerNames = ['plaintext', 'ssl', 'sslWrongHost', 'mutualTls', 'saslPlaintext', 'saslSsl'] as const;
export type ListenerName = (typeof listenerNames)[number];

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanismName = (typeof saslMechanisms)[number];

export interface KafkaUser {
  readonly username: string;
  readonly password: string;
}

/** PEM texts. */
export interface TestCertificates {
  /** Signed the brokers' certificates. */
  readonly ca: string;
  /** Signed nothing that a broker has. */
  readonly otherCa: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

export interface KafkaOptions {
  /** 1 or 3. */
  readonly brokers?: number;
  /** Kafka's version; default `KAFKA_VERSION` or 4.3.1. */
  readonly version?: string;
  /** Further broker settings, in the words of server.properties. */
  readonly config?: Readonly<Record<string, string>>;
  /** Rack of each broker, in the order of their ids. Default: a, b, c where there are several. */
  readonly racks?: readonly string[];
  /** Default: every listener. `plaintext` is always there. */
  readonly listeners?: readonly ListenerName[];
  /** Insists on one way; default `KAFKA_VIA`, else the first that works. */
  readonly via?: KafkaSource;
  /** Whether the cluster inside this process will do where no real one can be had; default no. */
  readonly orInProcess?: boolean;
  /** Whether the brokers start quickly, at the price of their top speed: for tests, not for measurements. Default no. */
  readonly quickStart?: boolean;
  /** Where progress goes; default standard error. */
  readonly say?: (line: string) => void;
}

/** What a cluster tells about itself; plain JSON, so that it can go to another process. */
export interface KafkaDescription {
  readonly via: KafkaSource;
  readonly version: string;
  readonly brokerIds: readonly number[];
  readonly listeners: Readonly<Partial<Record<ListenerName, readonly string[]>>>;
  readonly tls: TestCertificates | undefined;
  readonly users: Readonly<Record<SaslMechanismName, KafkaUser>> | undefined;
  /** Whether brokers can be stopped and started. */
  readonly hasControl: boolean;
  /** Whether Kafka's own tools can be run. */
  readonly hasTools: boolean;
  /** Ids of its containers, in the order of the brokers. */
  readonly containers: readonly string[];
}

export interface ToolOptions {
  /** Standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Power over single brokers, by broker id (1, 2, 3). */
export interface KafkaControl {
  /** Ends the broker in good order and waits for it. */
  stop(brokerId: number): Promise<void>;
  /** SIGKILL. */
  kill(brokerId: number): Promise<void>;
  /** SIGSTOP: the sockets stay open and nothing is answered. */
  pause(brokerId: number): Promise<void>;
  unpause(brokerId: number): Promise<void>;
  /** Starts a broker again with its data and ports; resolves once the cluster counts it. */
  start(brokerId: number): Promise<void>;
  /** Starts and unpauses whatever is down; names what it had to touch. */
  restore(): Promise<readonly number[]>;
  logs(brokerId: number): Promise<string>;
  /** Runs one of Kafka's own programs; `{bootstrap}` inside an argument becomes the right address. */
  tool(name: string, args: readonly string[], options?: ToolOptions): Promise<ToolResult>;
}

export interface KafkaCluster extends KafkaControl {
  readonly description: KafkaDescription;
  /** Ends the cluster and removes what it left. */
  close(): Promise<void>;
}

export const defaultKafkaVersion: string = process.env['KAFKA_VERSION'] ?? '4.3.1';

/** The same user with a password of its own per mechanism, so that a test can tell the mechanisms apart. */
export const testUsers: Readonly<Record<SaslMechanismName, KafkaUser>> = {
  plain: { username: 'magpie', password: 'plain-sesame-41' },
  'scram-sha-256': { username: 'magpie', password: 'scram256-sesame-42' },
  'scram-sha-512': { username: 'magpie', password: 'scram512-sesame-43' },
};
