/** Where a record stands in its batch; a `RecordCursor` is one. */
export interface RecordPlace {
  readonly offsetDelta: number;
  readonly timestampMs: number;
  readonly keyStart: number;
  readonly keyLength: number;
  readonly valueStart: number;
  readonly valueLength: number;
  readonly headersStart: number;
  readonly headerCount: number;
}

// What stands where among the numbers of a record.
const offsetDeltaAt = 0;
const timestampDeltaAt = 1;
const keyStartAt = 2;
const keyLengthAt = 3;
const valueStartAt = 4;
const valueLengthAt = 5;
const headersStartAt = 6;
const headerCountAt = 7;
/** A power of two, so that the place of a record is a shift. */
const numbersPerRecord = 8;
const bytesPerNumber = Int32Array.BYTES_PER_ELEMENT;

/** Where records stand in the bytes that they share: some numbers each, and no object for any of them. */
export class RecordPlaces {
  readonly length: number;
  readonly #numbers: Int32Array;
  readonly #baseTimestampMs: number;
  readonly #farTimestamps: ReadonlyMap<number, number> | undefined;

  constructor(numbers: Int32Array, baseTimestampMs: number, farTimestamps: ReadonlyMap<number, number> | undefined) {
    this.length = numbers.length / numbersPerRecord;
    this.#numbers = numbers;
    this.#baseTimestampMs = baseTimestampMs;
    this.#farTimestamps = farTimestamps;
  }

  offsetDelta(index: number): number {
    return this.#numbers[index * numbersPerRecord + offsetDeltaAt] as number;
  }

  timestampMs(index: number): number {
    const far = this.#farTimestamps?.get(index);
    return far ?? this.#baseTimestampMs + (this.#numbers[index * numbersPerRecord + timestampDeltaAt] as number);
  }

  keyStart(index: number): number {
    return this.#numbers[index * numbersPerRecord + keyStartAt] as number;
  }

  keyLength(index: number): number {
    return this.#numbers[index * numbersPerRecord + keyLengthAt] as number;
  }

  valueStart(index: number): number {
    return this.#numbers[index * numbersPerRecord + valueStartAt] as number;
  }

  valueLength(index: number): number {
    return this.#numbers[index * numbersPerRecord + valueLengthAt] as number;
  }

  headersStart(index: number): number {
    return this.#numbers[index * numbersPerRecord + headersStartAt] as number;
  }

  headerCount(index: number): number {
    return this.#numbers[index * numbersPerRecord + headerCountAt] as number;
  }
}

/** Gathers where the next few records stand, in memory that serves again and again. */
export class PlaceCollector {
  /** For how many records there is room. */
  readonly capacity: number;
  readonly #numbers: Int32Array;
  count = 0;
  /** What timestamps count from. */
  baseTimestampMs = 0;
  #farTimestamps: Map<number, number> | undefined;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#numbers = new Int32Array(capacity * numbersPerRecord);
  }

  /** What {@link PlaceCollector.finish} needs of memory. */
  get sizeBytes(): number {
    return this.count * numbersPerRecord * bytesPerNumber;
  }

  clear(): void {
    this.count = 0;
    this.#farTimestamps = undefined;
  }

  add(place: RecordPlace): void {
    const { timestampMs } = place;
    const delta = timestampMs - this.baseTimestampMs;
    // Numbers that are no int32 are written as some other, and looked up in the map.
    if ((delta | 0) !== delta) (this.#farTimestamps ??= new Map()).set(this.count, timestampMs);
    this.put(
      place.offsetDelta,
      delta,
      place.keyStart,
      place.keyLength,
      place.valueStart,
      place.valueLength,
      place.headersStart,
      place.headerCount,
    );
  }

  put(
    offsetDelta: number,
    timestampDelta: number,
    keyStart: number,
    keyLength: number,
    valueStart: number,
    valueLength: number,
    headersStart: number,
    headerCount: number,
  ): void {
    const numbers = this.#numbers;
    const at = this.count++ * numbersPerRecord;
    numbers[at + offsetDeltaAt] = offsetDelta;
    numbers[at + timestampDeltaAt] = timestampDelta;
    numbers[at + keyStartAt] = keyStart;
    numbers[at + keyLengthAt] = keyLength;
    numbers[at + valueStartAt] = valueStart;
    numbers[at + valueLengthAt] = valueLength;
    numbers[at + headersStartAt] = headersStart;
    numbers[at + headerCountAt] = headerCount;
  }

  /** What was gathered, in `sizeBytes` of this memory from its beginning on; in memory of its own if none is given. */
  finish(memory?: ArrayBufferLike): RecordPlaces {
    const used = this.count * numbersPerRecord;
    const numbers = memory === undefined ? new Int32Array(used) : new Int32Array(memory, 0, used);
    numbers.set(this.#numbers.subarray(0, used));
    return new RecordPlaces(numbers, this.baseTimestampMs, this.#farTimestamps);
  }
}

/** The place of one record that stands alone. */
export function placeOfOne(place: RecordPlace): RecordPlaces {
  const collector = new PlaceCollector(1);
  collector.add(place);
  return collector.finish();
}
