/**
 * A value that `JSON.stringify` takes without throwing: bytes as base64, bigint as text, cycles cut.
 *
 * @param bytes what to show, as base64, if reading the value throws
 */
export function jsonSafe(read: () => unknown, bytes: Uint8Array | null): unknown {
  try {
    return convert(read(), []);
  } catch {
    return bytes === null ? null : base64(bytes);
  }
}

function convert(value: unknown, parents: readonly object[]): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return base64(value);
  if (parents.includes(value)) return '[circular]';
  const inside = [...parents, value];
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === 'function') return convert((toJSON as (this: object) => unknown).call(value), inside);
  if (Array.isArray(value)) return value.map((item) => convert(item, inside));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, convert(item, inside)]));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
