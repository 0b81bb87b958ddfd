import type { CompressionName } from '../index.ts';
import type { CliOptions, GivenArguments } from './arguments.ts';
import { wordOf } from './option-values.ts';

const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly CompressionName[];
const acksNames = ['all', '1', '0'] as const;

/** How records are written. */
export const producerOptions: CliOptions = {
  compression: { type: 'string', value: 'NAME', help: `${compressions.join(', ')} (none)` },
  acks: { type: 'string', value: 'all|1|0', help: 'which replicas must have a record before it counts (all)' },
};

/** What {@link producerOptions} say. */
export interface ProducerPlan {
  readonly acks: 'all' | 1 | 0;
  readonly compression: CompressionName;
}

/** @throws CliError for a word that there is not */
export function producerPlanOf(given: GivenArguments): ProducerPlan {
  const acks = wordOf(given, 'acks', acksNames) ?? 'all';
  return {
    acks: acks === 'all' ? acks : acks === '1' ? 1 : 0,
    compression: wordOf(given, 'compression', compressions) ?? 'none',
  };
}
