/**
 * How fast CRC32C is: by tables, by folding, and by the processor's instruction, in GB per second of CPU time.
 *
 *     node benchmarks/micro/checksums.ts
 *
 * Each way goes through the same 64 MB, which no cache holds, as what comes from a socket is in none; the best of five rounds counts.
 */
import crc32cTables from 'crc-32/crc32c.js';
import { crc32c } from '../../src/protocol/records/crc.ts';
import { loadPeer } from '../contenders/peer.ts';
import { installPeers } from '../install-peers.ts';

const memory = Buffer.allocUnsafeSlow(64 * 1024 * 1024);
for (let at = 0, state = 1; at < memory.length; at += 4) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  memory.writeInt32LE(state, at);
}

await installPeers();
const native = loadPeer('@node-rs/crc32') as { crc32c: (bytes: Buffer) => number };
const ways: Readonly<Record<string, (bytes: Buffer) => number>> = {
  '`crc-32`, tables': (bytes) => crc32cTables.buf(bytes) >>> 0,
  'Kavka, folding': crc32c,
  '`@node-rs/crc32`, native': (bytes) => native.crc32c(bytes) >>> 0,
};

function gigabytesPerSecond(way: (bytes: Buffer) => number, size: number): number {
  let bestMicros = Infinity;
  for (let round = 0; round < 5; round++) {
    const before = process.cpuUsage();
    let sum = 0;
    for (let at = 0; at + size <= memory.length; at += size) sum ^= way(memory.subarray(at, at + size));
    const { user, system } = process.cpuUsage(before);
    if (sum === 0.5) throw new Error('never: the sum is looked at so that it is computed');
    bestMicros = Math.min(bestMicros, user + system);
  }
  return (Math.floor(memory.length / size) * size) / bestMicros / 1000;
}

console.log(`| KiB | ${Object.keys(ways).join(' | ')} |`);
console.log(`| ---: |${' ---: |'.repeat(Object.keys(ways).length)}`);
for (const kilobytes of [1, 3, 4, 16, 64, 256, 1000]) {
  const size = kilobytes * 1024;
  const sample = memory.subarray(0, size);
  const results = Object.values(ways).map((way) => way(sample));
  if (new Set(results).size !== 1) throw new Error(`The ways do not agree on ${size} bytes: ${results.join(', ')}`);
  console.log(`| ${kilobytes} | ${Object.values(ways).map((way) => gigabytesPerSecond(way, size).toFixed(2)).join(' | ')} |`); // prettier-ignore
}
