/** The records that are sent: the same bytes for every contender, in a file, whatever language it is written in. */
import { readFileSync, writeFileSync } from 'node:fs';

/** How the file is to be read: list after list, record after record, key then value. */
export interface PoolFile {
  readonly path: string;
  readonly lists: number;
  readonly listSize: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
}

/** A record before a contender gives it the form that its client takes. */
export interface PlainRecord {
  readonly key: string;
  readonly value: Buffer;
}

const keyBytes = 10;
const keys = 100_000;
const largestListBytes = 1_100_000;
const lists = 20;

/** Writes a pool of records with values of this size: JSON in ASCII where there is room for it, of which no two are alike. */
export function writePool(path: string, valueBytes: number): PoolFile {
  const listSize = Math.max(1, Math.min(1000, Math.floor(largestListBytes / valueBytes)));
  const bytes = Buffer.allocUnsafe(lists * listSize * (keyBytes + valueBytes));
  let at = 0;
  for (let number = 1; number <= lists * listSize; number++) {
    bytes.write(`key-${String((number * 7919) % keys).padStart(6, '0')}`, at, 'latin1');
    bytes.write(valueText(number, valueBytes), at + keyBytes, 'latin1');
    at += keyBytes + valueBytes;
  }
  writeFileSync(path, bytes);
  return { path, lists, listSize, keyBytes, valueBytes };
}

/** Reads the pool: values are views of the file's bytes, as values that come from a socket or a parser are. */
export function readPool({ path, lists, listSize, keyBytes, valueBytes }: PoolFile): PlainRecord[][] {
  const bytes = readFileSync(path);
  let at = 0;
  return Array.from({ length: lists }, () =>
    Array.from({ length: listSize }, () => {
      const key = bytes.toString('latin1', at, at + keyBytes);
      const value = bytes.subarray(at + keyBytes, at + keyBytes + valueBytes);
      at += keyBytes + valueBytes;
      return { key, value };
    }),
  );
}

const words = 'order user path cart item price total event click view login state error retry queue topic'.split(' ');

/** Text as services write it: about three times smaller when compressed. */
function valueText(number: number, bytes: number): string {
  const head = `{"id":${number},"text":"`;
  if (bytes < head.length + 2) return String(number).padStart(bytes, '0').slice(-bytes);
  let seed = number;
  let text = '';
  while (text.length < bytes) {
    seed = (seed * 16_807) % 2_147_483_647;
    text += seed % 3 === 0 ? `${seed.toString(36)} ` : `${words[seed % words.length] ?? ''} `;
  }
  return `${head}${text.slice(0, bytes - head.length - 2)}"}`;
}
