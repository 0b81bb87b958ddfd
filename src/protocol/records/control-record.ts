/** What ends a transaction in the log. */
export type ControlType = 'commit' | 'abort' | 'unknown';

/**
 * What the key of a record in a control batch says.
 *
 * Other types (leader change, snapshot, voters) stand only in the metadata log; an `unknown` one is skipped like all control records.
 */
export function controlType(key: Uint8Array): ControlType {
  // version int16, type int16; later versions may append fields
  if (key.length < 4) return 'unknown';
  const version = ((key[0] ?? 0) << 8) | (key[1] ?? 0);
  const type = ((key[2] ?? 0) << 8) | (key[3] ?? 0);
  if (version > 0x7fff) return 'unknown';
  if (type === 0) return 'abort';
  return type === 1 ? 'commit' : 'unknown';
}

/** The key of the control record that ends a transaction. */
export function controlKey(type: 'commit' | 'abort'): Buffer {
  return Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0]);
}

/** The value of the control record that ends a transaction. */
export function controlValue(coordinatorEpoch: number): Buffer {
  const value = Buffer.alloc(6);
  value.writeInt32BE(coordinatorEpoch, 2);
  return value;
}
