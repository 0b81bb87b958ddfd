import type { ClientOptions } from '../../../src/cluster/options.ts';
import type { ProducerOptions } from '../../../src/producer/options.ts';
import { Producer } from '../../../src/producer/producer.ts';
import { FakeCluster } from './fake-cluster.ts';

/** A producer on two brokers with topic "t" of two partitions (leaders 1 and 2), which answer each request after 5 ms. */
export function setUp(
  options: ProducerOptions = {},
  clientOptions: Partial<ClientOptions> = {},
): { cluster: FakeCluster; producer: Producer } {
  const cluster = new FakeCluster(clientOptions);
  cluster.addTopic('t', 2, { isKnown: true });
  answerAll(cluster);
  return { cluster, producer: new Producer(cluster, options) };
}

/** From now on requests are answered after 5 ms, those that wait at once. */
export function answerAll(cluster: FakeCluster): void {
  cluster.onRequest = (pending) => cluster.clock.setTimer(() => pending.answer(), 5);
  for (const pending of [...cluster.pending]) pending.answer();
}

/** How a promise stands. */
export interface Watched<T> {
  state: 'pending' | 'fulfilled' | 'rejected';
  value?: T;
  error?: unknown;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  const seen: Watched<T> = { state: 'pending' };
  promise.then(
    (value) => Object.assign(seen, { state: 'fulfilled', value }),
    (error: unknown) => Object.assign(seen, { state: 'rejected', error }),
  );
  return seen;
}

/** Texts of this length, each with its number. */
export function texts(count: number, length: number, from = 0): string[] {
  return Array.from({ length: count }, (_, at) => String(from + at).padStart(length, '0'));
}
