export * from './batch-builder.ts';
export type { BatchHeader } from './batch-header.ts';
export { BatchReader, readBatches, type BatchPreview, type ReadBatchesOptions } from './batch-reader.ts';
export * from './compression-type.ts';
export * from './control-record.ts';
export { RecordCursor, readHeaders, type ReadRecordHeader } from './record-cursor.ts';
