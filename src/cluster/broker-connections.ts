import type { ConnectionPool } from '../network/connection-pool.ts';

/** What the cluster needs of a connection pool. */
export type BrokerConnections = Pick<ConnectionPool, 'connect' | 'closeLane' | 'close' | 'statistics'>;

/** The connection that all clients of a `Kafka` share, per broker. */
export const CONTROL_LANE = 'control';

/** Connections to bootstrap addresses, given up once the brokers themselves are known. */
export const BOOTSTRAP_LANE = 'bootstrap';
