/**
 * Measures how much live memory decoded hostile messages keep. Run with `--expose-gc`; prints one JSON object per line.
 *
 *     node --expose-gc measure-hostile-messages.ts <input bytes> <seed> <sample size, or "all">
 */
import { seededRandom } from '../seeded-random.ts';
import { arraysOf, hostileMessages } from './hostile-messages.ts';
import { liveBytesOf } from './live-memory.ts';
import { knownMessages, readCommittedRelease, type KnownMessage } from './messages.ts';

/** What one message took. */
export interface HostileMeasure {
  readonly label: string;
  readonly inputBytes: number;
  readonly liveBytes: number;
}

interface HostileArray {
  readonly message: KnownMessage;
  readonly version: number;
  readonly path: ReturnType<typeof arraysOf>[number];
}

/** The arrays that took the most when all were measured: they are always in the sample. */
const worst = new Set([
  'StreamsGroupHeartbeatRequest.topology.subtopologies.copartitionGroups',
  'StreamsGroupDescribeResponseTopologyDescription.subtopologies',
  'DescribeClientQuotasResponse.entries',
  'CreatePartitionsRequest.topics.assignments',
]);

const [targetBytes = '', seed = '', sampleSize = ''] = process.argv.slice(2);
const messages = knownMessages(await readCommittedRelease());

for (const { message, version, path } of chosen()) {
  for (const { label, bytes } of hostileMessages(message, version, path, Number(targetBytes))) {
    const measured = liveBytesOf(() => message.decode(bytes, version));
    console.log(
      JSON.stringify({ label, inputBytes: bytes.length, liveBytes: measured.bytes } satisfies HostileMeasure),
    );
  }
}

function chosen(): HostileArray[] {
  const all = messages.flatMap((message) =>
    versionsOf(message).flatMap((version) => arraysOf(message, version).map((path) => ({ message, version, path }))),
  );
  if (sampleSize === 'all') return all;
  const random = seededRandom(Number(seed));
  const drawn = Array.from({ length: Number(sampleSize) }, () => all[Math.floor(random() * all.length)]);
  const known = all.filter(
    ({ message, version, path }) => worst.has(path.at(-1)?.path ?? '') && version === message.definition.versions.max,
  );
  return [...known, ...drawn.filter((entry) => entry !== undefined)];
}

// Between them nothing changes but single fields.
function versionsOf({ definition: { versions, flexible } }: KnownMessage): number[] {
  const firstFlexible = Math.max(flexible?.min ?? versions.min, versions.min);
  return [...new Set([versions.min, Math.min(firstFlexible, versions.max), versions.max])];
}
