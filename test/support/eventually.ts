/**
 * Waits until `condition` answers with something other than `false`, `undefined` or `null`, and gives that back.
 *
 * The deadline is far above what any condition should take: it ends a hung test, it does not judge speed.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  what = 'the condition to hold',
  timeoutMs = 60_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value !== false && value !== undefined && value !== null) return value as NonNullable<Exclude<T, false>>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline)
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`, { cause: lastError });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
