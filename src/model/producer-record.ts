/** The value of a header: text is sent as UTF-8. */
export type HeaderValue = string | Uint8Array | null;

/**
 * The headers of a record to send: an object, whose values may be arrays where a key occurs more than once, or pairs of key and
 * value in the order in which they shall stand. The headers of a record that was read can be given as they are.
 */
export type HeadersInput =
  Readonly<Record<string, HeaderValue | readonly HeaderValue[]>> | Iterable<readonly [key: string, value: HeaderValue]>;

/** A record to send. */
export interface ProducerRecord<K = string | Uint8Array | null, V = string | Uint8Array | null> {
  /** Where to. */
  readonly topic: string;
  /** Records of equal keys go to the same partition, in order. @defaultValue null: any partition */
  readonly key?: K | undefined;
  /**
   * What it says. A record without it must have no field but these, so that no value is lost under another name.
   *
   * @defaultValue null: a tombstone, which deletes the key from a compacted topic
   */
  readonly value?: V | undefined;
  /** @defaultValue none */
  readonly headers?: HeadersInput | undefined;
  /** The partition to write to, instead of the one that the partitioner would choose. */
  readonly partition?: number | undefined;
  /** Milliseconds since 1970. @defaultValue the time of the call */
  readonly timestamp?: number | undefined;
}
