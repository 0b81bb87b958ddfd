/**
 * What compressing batches off the main thread is worth: the same batches, compressed at once and in the thread pool, for each
 * size, in one run. "blocked" is how long the main thread could do nothing else, per MB; the rate is that of four batches under way,
 * as a producer has them that writes to four partitions.
 *
 *     node benchmarks/micro/compression.ts [--markdown]
 */
import zlib from 'node:zlib';
import { promisify } from 'node:util';

const sizes = [4, 8, 16, 32, 64, 256, 1000].map((kilobytes) => kilobytes * 1024);
const rounds = 5;
const bytesPerRound = 24 * 1024 * 1024;
const underWay = 4;

interface Side {
  readonly compress: (body: Buffer) => Buffer | Promise<Buffer>;
}

const codecs: Readonly<Record<string, { readonly now: Side; readonly later: Side }>> = {
  gzip: { now: { compress: (body) => zlib.gzipSync(body) }, later: { compress: promisify(zlib.gzip) } },
  zstd: { now: { compress: (body) => zlib.zstdCompressSync(body) }, later: { compress: promisify(zlib.zstdCompress) } },
};

/** Lines as services log them: repetitive, but not only. */
function lines(bytes: number): Buffer {
  const text: string[] = [];
  let seed = 42;
  for (let length = 0; length < bytes; length += text.at(-1)?.length ?? 1) {
    seed = (seed * 16_807) % 2_147_483_647;
    text.push(
      `${JSON.stringify({ id: seed, user: `user-${seed % 997}`, path: `/orders/${seed % 89}`, took: seed % 500 })}\n`,
    );
  }
  return Buffer.from(text.join('')).subarray(0, bytes);
}

interface Figures {
  readonly megabytesPerSecond: number;
  readonly blockedMsPerMegabyte: number;
  readonly longestMs: number;
}

/** Compresses until enough bytes have gone through, a few at a time, and watches the event loop meanwhile. */
async function measure({ compress }: Side, body: Buffer): Promise<Figures> {
  let left = Math.max(underWay, Math.floor(bytesPerRound / body.length));
  const total = left * body.length;
  let longestMs = 0;
  const before = performance.eventLoopUtilization();
  const start = performance.now();
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const begun = performance.now();
      const compressed = compress(body);
      longestMs = Math.max(longestMs, performance.now() - begun);
      await compressed;
      // A producer goes back to the event loop between two batches, too.
      if (!(compressed instanceof Promise)) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: underWay }, worker));
  const tookMs = performance.now() - start;
  const { active } = performance.eventLoopUtilization(before);
  const megabytes = total / 1e6;
  return {
    megabytesPerSecond: (megabytes / tookMs) * 1000,
    blockedMsPerMegabyte: Math.min(active, tookMs) / megabytes,
    longestMs,
  };
}

function median(figures: readonly Figures[], name: keyof Figures): number {
  return figures.map((each) => each[name]).sort((a, b) => a - b)[figures.length >> 1] ?? 0;
}

const rows: string[][] = [];
for (const [name, { now, later }] of Object.entries(codecs)) {
  for (const size of sizes) {
    const body = lines(size);
    const seen: { now: Figures[]; later: Figures[] } = { now: [], later: [] };
    for (let round = 0; round <= rounds; round++) {
      const both = { now: await measure(now, body), later: await measure(later, body) };
      if (round === 0) continue; // warming up
      seen.now.push(both.now);
      seen.later.push(both.later);
    }
    const cell = (figure: keyof Figures, digits: number): string[] => [
      median(seen.now, figure).toFixed(digits),
      median(seen.later, figure).toFixed(digits),
    ];
    rows.push([
      name,
      `${size / 1024}`,
      ...cell('megabytesPerSecond', 0),
      ...cell('blockedMsPerMegabyte', 2),
      ...cell('longestMs', 2),
    ]);
  }
}

const head = [
  'codec',
  'KiB',
  'MB/s at once',
  'MB/s in pool',
  'blocked ms/MB at once',
  'in pool',
  'longest ms at once',
  'in pool',
];
if (process.argv.includes('--markdown')) {
  for (const row of [head, head.map(() => '---'), ...rows]) console.log(`| ${row.join(' | ')} |`);
} else {
  console.table(rows.map((row) => Object.fromEntries(row.map((cell, at) => [`${at} ${head[at] ?? ''}`, cell]))));
}
