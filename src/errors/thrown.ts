/** What code of others threw, which need not be an error, as one. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(reasonOf(thrown));
}

/** What it says of itself, for a message of ours. */
export function reasonOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return 'something without a text was thrown'; // an object without a prototype, for one
  }
}
