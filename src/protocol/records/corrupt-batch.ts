import { ProtocolError } from '../../errors/kafka-error.ts';

/** The error for a batch that contradicts itself; `what` completes "Cannot read the record batch at offset 42: …". */
export function corruptBatch(baseOffset: bigint, what: string, cause?: unknown): ProtocolError {
  return new ProtocolError(`Cannot read the record batch at offset ${baseOffset}: ${what}`, {
    code: 'CORRUPT_BATCH',
    cause,
  });
}
