/** How many consumers the story `group` has. */
export const groupMembers = 3;

/**
 * Resolves when each member has its share of the partitions.
 *
 * @param countsNow how many each member has
 */
export async function allHaveTheirShare(countsNow: () => readonly number[], partitions: number): Promise<void> {
  for (;;) {
    const counts = countsNow();
    const share = Math.floor(partitions / counts.length);
    if (counts.every((count) => count >= share) && counts.reduce((a, b) => a + b) === partitions) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
