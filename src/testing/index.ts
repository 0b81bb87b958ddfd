/**
 * A Kafka cluster inside the process, for tests and development: `kavka/testing`.
 *
 * @packageDocumentation
 */
export { TestCluster } from './test-cluster.ts';
export type { TestClusterOptions, TestTopic } from './test-cluster-options.ts';
