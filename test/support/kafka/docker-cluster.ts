import type { KafkaCluster, KafkaOptions } from './options.ts';

export async function startDockerCluster(_options: KafkaOptions, _say: (line: string) => void): Promise<KafkaCluster> {
  throw new Error('not yet');
}
