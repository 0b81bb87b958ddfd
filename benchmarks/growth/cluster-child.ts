/** A cluster in a process of its own, so that its work is not taken for the client's: told a {@link Point}, it tells its addresses. */
import { TestCluster } from '../../src/testing/index.ts';
import type { Point } from './dimensions.ts';

const { brokers, topics, partitions } = JSON.parse(process.argv[2] ?? '{}') as Point;
const names = Object.fromEntries(Array.from({ length: topics }, (_, at) => [`growth-${at}`, partitions]));
const cluster = await TestCluster.start({ brokers, topics: names });
process.send?.(cluster.bootstrapServers);
// It lives as long as the one that asked for it.
process.on('disconnect', () => process.exit(0));
