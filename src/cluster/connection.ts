// What clients that pipeline requests themselves need of the network; they may not reach below the cluster for it.
export type { Connection, RequestOptions } from '../network/connection.ts';
export { chooseVersion, type VersionLimits } from '../network/version-rules.ts';
