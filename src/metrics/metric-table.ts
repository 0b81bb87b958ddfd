/** What a metric does: a counter only rises, a gauge is what it is at the moment, a histogram counts values by size. */
export type MetricType = 'counter' | 'gauge' | 'histogram';

/** The labels that metrics may have, beside `client_id`, which all have, and those that the user adds. */
export type LabelName = 'api' | 'group_id' | 'node_id' | 'outcome' | 'partition' | 'topic';

/** One metric, of which there may be many series. */
export interface MetricDefinition {
  readonly type: MetricType;
  /** As OpenTelemetry writes units: `s`, `By`, and in braces what is counted. */
  readonly unit: string;
  readonly labels: readonly LabelName[];
  readonly help: string;
  /** What the Java client calls the same, or the nearest to it; empty where it has nothing like it. */
  readonly java: string;
}

const table = {
  // Connections and requests
  connections: {
    type: 'gauge',
    unit: '{connection}',
    labels: ['node_id'],
    help: 'Connections that are open now; node_id is "bootstrap" where the broker is not known yet',
    java: 'connection-count',
  },
  'connections.opened': {
    type: 'counter',
    unit: '{connection}',
    labels: [],
    help: 'Connections that became usable',
    java: 'connection-creation-total',
  },
  'connections.closed': {
    type: 'counter',
    unit: '{connection}',
    labels: ['outcome'],
    help: 'Usable connections that have ended: "ended" by the client, or "lost"',
    java: 'connection-close-total',
  },
  'connections.failed': {
    type: 'counter',
    unit: '{connection}',
    labels: [],
    help: 'Connections that did not become usable, refused logins among them',
    java: 'failed-authentication-total',
  },
  'connections.reauthenticated': {
    type: 'counter',
    unit: '{connection}',
    labels: [],
    help: 'Connections that authenticated again while in use',
    java: 'successful-reauthentication-total',
  },
  'token.failures': {
    type: 'counter',
    unit: '{failure}',
    labels: [],
    help: 'Times that no new token for OAUTHBEARER could be had',
    java: '',
  },
  'request.duration': {
    type: 'histogram',
    unit: 's',
    labels: ['api', 'outcome'],
    help: 'Requests, "answered" or "failed", and the time from sending until then; a Fetch waits at the broker for records',
    java: 'request-latency-avg',
  },
  'requests.in_flight': {
    type: 'gauge',
    unit: '{request}',
    labels: ['node_id'],
    help: 'Requests that were sent and are not answered now',
    java: 'requests-in-flight',
  },
  'requests.retried': {
    type: 'counter',
    unit: '{request}',
    labels: ['api'],
    help: 'Requests that are tried again after a failure; records have a metric of their own',
    java: '',
  },
  'network.sent': {
    type: 'counter',
    unit: 'By',
    labels: ['api'],
    help: 'Bytes of requests',
    java: 'outgoing-byte-total',
  },
  'network.received': {
    type: 'counter',
    unit: 'By',
    labels: ['api'],
    help: 'Bytes of answers',
    java: 'incoming-byte-total',
  },
  'throttle.duration': {
    type: 'histogram',
    unit: 's',
    labels: [],
    help: 'Times that a broker asked for silence because of a quota, and for how long',
    java: 'produce-throttle-time-avg, fetch-throttle-time-avg',
  },
  'metadata.updates': {
    type: 'counter',
    unit: '{update}',
    labels: [],
    help: 'Times that the cluster was looked at anew',
    java: '',
  },
  'metadata.failures': {
    type: 'counter',
    unit: '{failure}',
    labels: [],
    help: 'Times that this failed; it is tried again',
    java: '',
  },
  'metadata.rebootstraps': {
    type: 'counter',
    unit: '{rebootstrap}',
    labels: [],
    help: 'Times that no known broker could be reached and the bootstrap servers were used again',
    java: '',
  },

  // Producers
  'producer.records': {
    type: 'counter',
    unit: '{record}',
    labels: ['topic'],
    help: 'Records that were acknowledged',
    java: 'record-send-total',
  },
  'producer.sent': {
    type: 'counter',
    unit: 'By',
    labels: ['topic'],
    help: 'Bytes of their batches, compressed',
    java: 'byte-total',
  },
  'producer.batches': {
    type: 'counter',
    unit: '{batch}',
    labels: ['topic'],
    help: 'Batches of records that were acknowledged',
    java: 'batch-size-avg, records-per-request-avg',
  },
  'producer.batch.duration': {
    type: 'histogram',
    unit: 's',
    labels: [],
    help: 'From the first record of a batch until it was acknowledged',
    java: 'record-queue-time-avg + request-latency-avg',
  },
  'producer.records.retried': {
    type: 'counter',
    unit: '{record}',
    labels: ['topic'],
    help: 'Records that are sent again with their batch',
    java: 'record-retry-total',
  },
  'producer.records.failed': {
    type: 'counter',
    unit: '{record}',
    labels: ['topic'],
    help: 'Records that were given up in their batch; what never got into one only rejects its send',
    java: 'record-error-total',
  },
  'producer.errors': {
    type: 'counter',
    unit: '{error}',
    labels: [],
    help: 'Errors of records that nobody waited for (enqueue without a callback)',
    java: '',
  },
  'producer.buffered': {
    type: 'gauge',
    unit: 'By',
    labels: [],
    help: 'What records take in memory that are not acknowledged, of all producers',
    java: 'buffer-total-bytes - buffer-available-bytes',
  },
  'producer.buffer.limit': {
    type: 'gauge',
    unit: 'By',
    labels: [],
    help: 'What they may take: bufferMemoryBytes of all producers',
    java: 'buffer-total-bytes',
  },
  'producer.unsettled_records': {
    type: 'gauge',
    unit: '{record}',
    labels: [],
    help: 'Records that are neither acknowledged nor given up',
    java: '',
  },
  'producer.waiting_sends': {
    type: 'gauge',
    unit: '{send}',
    labels: [],
    help: 'Sends that wait for memory',
    java: 'waiting-threads',
  },
  'producer.requests.in_flight': {
    type: 'gauge',
    unit: '{request}',
    labels: [],
    help: 'Requests with records that were sent and are not answered',
    java: 'requests-in-flight',
  },
  'producer.transaction.duration': {
    type: 'histogram',
    unit: 's',
    labels: ['outcome'],
    help: 'Transactions, "committed" or "aborted", and the time from beginning to end',
    java: 'txn-commit-time-ns-total, txn-abort-time-ns-total',
  },
  'producer.transaction.failures': {
    type: 'counter',
    unit: '{producer}',
    labels: [],
    help: 'Transactional producers that can do nothing more: fenced, or without a permission',
    java: '',
  },

  // Consumers, share consumers included where nothing else is said
  'consumer.records': {
    type: 'counter',
    unit: '{record}',
    labels: ['group_id', 'topic'],
    help: 'Records that were fetched, as their batches count them; markers of transactions and aborted records included',
    java: 'records-consumed-total',
  },
  'consumer.fetched': {
    type: 'counter',
    unit: 'By',
    labels: ['group_id', 'topic'],
    help: 'Bytes of records that were fetched, compressed',
    java: 'bytes-consumed-total',
  },
  'consumer.fetch.duration': {
    type: 'histogram',
    unit: 's',
    labels: ['group_id'],
    help: 'Fetches that brought records, and the time from sending to the answer; the broker waits for records',
    java: 'fetch-latency-avg',
  },
  'consumer.fetch.failures': {
    type: 'counter',
    unit: '{failure}',
    labels: ['group_id'],
    help: 'Fetches, or partitions in them, that failed and are tried again',
    java: '',
  },
  'consumer.lag': {
    type: 'gauge',
    unit: '{record}',
    labels: ['group_id', 'topic', 'partition'],
    help: 'How far the position of an assigned partition is behind the end that the last fetch told',
    java: 'records-lag',
  },
  'consumer.assigned_partitions': {
    type: 'gauge',
    unit: '{partition}',
    labels: ['group_id', 'topic'],
    help: 'Partitions that consumers have now',
    java: 'assigned-partitions',
  },
  'consumer.buffered': {
    type: 'gauge',
    unit: 'By',
    labels: ['group_id'],
    help: 'What was fetched and is not read to its end',
    java: '',
  },
  'consumer.buffer.limit': {
    type: 'gauge',
    unit: 'By',
    labels: ['group_id'],
    help: 'How much that may be: maxBufferedBytes of all consumers',
    java: '',
  },
  'consumer.commits': {
    type: 'counter',
    unit: '{commit}',
    labels: ['group_id', 'outcome'],
    help: 'Commits of offsets, "ok" or "failed"',
    java: 'commit-total',
  },
  'consumer.rebalances': {
    type: 'counter',
    unit: '{rebalance}',
    labels: ['group_id'],
    help: 'Times that a member began to rebalance, for whatever reason',
    java: 'rebalance-total, failed-rebalance-total',
  },
  'consumer.group.joins': {
    type: 'counter',
    unit: '{join}',
    labels: ['group_id'],
    help: 'Times that a member joined a generation of its group, share groups included',
    java: 'join-total',
  },
  'consumer.group.leaves': {
    type: 'counter',
    unit: '{leave}',
    labels: ['group_id'],
    help: 'Times that a member left its group, at its close or since nobody read, or was removed',
    java: '',
  },
  'consumer.partitions.lost': {
    type: 'counter',
    unit: '{partition}',
    labels: ['group_id'],
    help: 'Partitions that belonged to other members before this one had given them up',
    java: '',
  },
  'consumer.heartbeat.failures': {
    type: 'counter',
    unit: '{failure}',
    labels: ['group_id'],
    help: 'Heartbeats that were not answered well, share groups included',
    java: '',
  },

  // Share consumers
  'share.assigned_partitions': {
    type: 'gauge',
    unit: '{partition}',
    labels: ['group_id', 'topic'],
    help: 'Partitions that share consumers may read from now; others may have the same ones',
    java: '',
  },
  'share.records.in_hand': {
    type: 'gauge',
    unit: '{record}',
    labels: ['group_id'],
    help: 'Records that were handed out and are not acknowledged',
    java: '',
  },
  'share.records.unread': {
    type: 'gauge',
    unit: '{record}',
    labels: ['group_id'],
    help: 'Offsets that are locked and not handed out, gaps included',
    java: '',
  },
  'share.buffered': {
    type: 'gauge',
    unit: 'By',
    labels: ['group_id'],
    help: 'What those take in memory, and those whose acknowledgement is under way',
    java: '',
  },
  'share.buffer.limit': {
    type: 'gauge',
    unit: 'By',
    labels: ['group_id'],
    help: 'How much that may be: maxBufferedBytes of all share consumers',
    java: '',
  },
  'share.records.acknowledged': {
    type: 'counter',
    unit: '{record}',
    labels: ['group_id', 'topic'],
    help: 'Records whose acknowledgement, of whatever kind, the broker has taken',
    java: 'acknowledgements-send-total',
  },
  'share.records.failed': {
    type: 'counter',
    unit: '{record}',
    labels: ['group_id', 'topic'],
    help: 'Records whose acknowledgement failed; they are delivered again',
    java: 'acknowledgements-error-total',
  },
  'share.records.lost': {
    type: 'counter',
    unit: '{record}',
    labels: ['group_id', 'topic'],
    help: 'Records that were in hand when their locks ended; they are delivered again',
    java: '',
  },
  'share.records.returned': {
    type: 'counter',
    unit: '{record}',
    labels: ['group_id', 'topic'],
    help: 'Offsets that were fetched and not read in time, so that others get them',
    java: '',
  },
  'share.sessions.ended': {
    type: 'counter',
    unit: '{session}',
    labels: ['group_id'],
    help: 'Share sessions that ended unasked',
    java: '',
  },
  'share.handler.failures': {
    type: 'counter',
    unit: '{failure}',
    labels: ['group_id', 'topic'],
    help: 'Handlers of run that failed',
    java: '',
  },

  // The program itself
  warnings: {
    type: 'counter',
    unit: '{warning}',
    labels: [],
    help: 'Odd things that a user may want to know: the event warning',
    java: '',
  },
  'listener.failures': {
    type: 'counter',
    unit: '{failure}',
    labels: [],
    help: 'Listeners and callbacks of the program that threw',
    java: '',
  },
} as const;

/** The name of a metric as OpenTelemetry has it, without the prefix. */
export type MetricName = keyof typeof table;

/** All metrics, in the order in which they are told. */
export const metricTable: Readonly<Record<MetricName, MetricDefinition>> = table;

/** The names of all metrics, in the order in which they are told. */
export const metricNames: readonly MetricName[] = Object.keys(table) as MetricName[];

const unitSuffixes: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' };

/**
 * What Prometheus calls a metric: the same name as an exporter of OpenTelemetry would make of it, with base unit and `_total`.
 *
 * @param prefix what all names begin with
 */
export function prometheusName(prefix: string, name: MetricName): string {
  const { type, unit } = metricTable[name];
  const total = type === 'counter' ? '_total' : '';
  return `${prefix}_${name.replaceAll('.', '_')}${unitSuffixes[unit] ?? ''}${total}`;
}

/** What OpenTelemetry calls it. */
export function openTelemetryName(prefix: string, name: MetricName): string {
  return `${prefix}.${name}`;
}
