export * from './batch-builder.ts';
export { BatchReader, readBatches, type BatchHeader, type ReadBatchesOptions } from './batch-reader.ts';
export * from './compression-type.ts';
export * from './control-record.ts';
export { useCrc32c, type Checksum } from './crc.ts';
export { RecordCursor, readHeaders, type ReadRecordHeader } from './record-cursor.ts';
