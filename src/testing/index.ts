/**
 * `kavka/testing`: a Kafka cluster inside the process, with fault control, for tests and development.
 *
 * It speaks the real protocol on real sockets, so that any client can talk to it. Production is Apache Kafka.
 *
 * @packageDocumentation
 */
export type { ApiLike, ApiName, ApiSelector, RequestOf, ResponseOf, SelectedApi } from './faults/api-names.ts';
export type { ProcessState } from './faults/broker-control.ts';
export {
  Interception,
  type AnswerFunction,
  type Fault,
  type FaultMoment,
  type InterceptFilter,
} from './faults/interceptions.ts';
export type { LoggedRequest, RequestOutcome } from './faults/request-log.ts';
export type { NetworkSide } from './faults/split-network.ts';
export type { RequestFilter, TestRequest } from './faults/test-request.ts';
export type { AppendedRecord, AppendRecordsOptions, TestRecordInput } from './observation/append-records.ts';
export type { WaitOptions } from './observation/await-condition.ts';
export type { ReadRecordsOptions, TestRecord } from './observation/read-records.ts';
export type { KafkaVersion } from './releases/kafka-release.ts';
export type {
  ListenerName,
  TestClusterAuthorizer,
  TestClusterSasl,
  TestClusterSecurity,
  TestClusterTls,
  TestSaslMechanism,
} from './security/security-options.ts';
export type { CoordinatorType } from './state/cluster-state.ts';
export { TestClock } from './test-clock.ts';
export { TestCluster } from './test-cluster.ts';
export type { GroupCondition, RecordsCondition, TestBroker, TestPartition } from './test-cluster.ts';
export type { TestClusterOptions, TestTopic } from './test-cluster-options.ts';
