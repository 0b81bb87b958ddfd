import type * as Crc from '../../src/protocol/records/crc.ts';
import type { Contender } from '../contender.ts';
import { contender as kavka, onlyUncompressed } from './kavka.ts';
import { loadPeer } from './peer.ts';

// Where the optional peer is installed a client takes it by itself; here it lies in the folder of the peers.
const crc = (await import(new URL('../../dist/protocol/records/crc.js', import.meta.url).href)) as typeof Crc;
const { crc32c } = loadPeer('@node-rs/crc32') as { crc32c: Crc.Checksum };
if (!crc.useCrc32c(crc32c)) throw new Error('Cannot measure with @node-rs/crc32: its checksums are wrong');

const told = 'with the optional peer `@node-rs/crc32` installed';

/** This client with the checksums of the optional peer: what a machine's own instruction for them is worth. */
export const contender: Contender = {
  ...kavka,
  refuses: onlyUncompressed,
  name: 'kavka, native CRC',
  options: { bulk: `defaults, ${told}`, consume: `\`batches()\`, ${told}` },
};
