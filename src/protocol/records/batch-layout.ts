// Where the fields of a batch of magic 2 stand, counted from its first byte.
export const baseOffsetAt = 0;
export const batchLengthAt = 8;
export const leaderEpochAt = 12;
/** The same place in the formats of magic 0 and 1. */
export const magicAt = 16;
export const crcAt = 17;
/** The checksum covers everything from here on. */
export const attributesAt = 21;
export const lastOffsetDeltaAt = 23;
export const baseTimestampAt = 27;
export const maxTimestampAt = 35;
export const producerIdAt = 43;
export const producerEpochAt = 51;
export const baseSequenceAt = 53;
export const recordCountAt = 57;

/** The bytes of a batch before its first record. */
export const batchHeaderBytes = 61;
/** Base offset and length, which the length of a batch does not count. */
export const batchPrefixBytes = 12;
/** No record takes fewer: length, attributes, two deltas, two lengths, the count of headers. */
export const minRecordBytes = 7;

// The bits of a batch's attributes; the lowest three are the codec.
export const codecMask = 0x07;
export const logAppendTimeBit = 0x08;
export const transactionalBit = 0x10;
export const controlBit = 0x20;
export const deleteHorizonBit = 0x40;
