import { BatchBuilder } from '../../protocol/records/batch-builder.ts';
import type { PartitionCommit } from './offset-coordinator.ts';

const KEY_VERSION = 1;
const VALUE_VERSION = 3;

/** Who writes, where the offsets belong to a transaction. */
export interface OffsetProducer {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** The offsets of a transaction as a batch of `__consumer_offsets`, in Kafka's own format. */
export function offsetBatch(
  groupId: string,
  commits: readonly PartitionCommit[],
  producer: OffsetProducer,
  nowMs: number,
): Buffer {
  const builder = new BatchBuilder({ initialBytes: 1024, maxBytes: 1024 * 1024 * 16 });
  for (const commit of commits) builder.append(nowMs, keyOf(groupId, commit), valueOf(commit, nowMs), undefined);
  return builder.close({
    compression: 'none',
    transactional: true,
    control: false,
    producerId: producer.producerId,
    producerEpoch: producer.producerEpoch,
    baseSequence: -1,
  });
}

function keyOf(groupId: string, { topic, partition }: PartitionCommit): Buffer {
  return Buffer.concat([int16(KEY_VERSION), text(groupId), text(topic), int32(partition)]);
}

function valueOf({ offset, leaderEpoch, metadata }: PartitionCommit, nowMs: number): Buffer {
  return Buffer.concat([
    int16(VALUE_VERSION),
    int64(offset),
    int32(leaderEpoch),
    text(metadata ?? ''),
    int64(BigInt(nowMs)),
  ]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
