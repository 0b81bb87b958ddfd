// What clients need of the network, those that pipeline requests themselves most of all; they may not reach below the cluster for it.
export { clientSoftware } from '../network/client-software.ts';
export type { Connection, RequestOptions } from '../network/connection.ts';
export { chooseVersion, type VersionLimits } from '../network/version-rules.ts';
