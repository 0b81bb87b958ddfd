import type { ProducerRecord } from '../model/producer-record.ts';
import { nearestName } from '../util/nearest-name.ts';

const fields: Readonly<Record<keyof ProducerRecord, true>> = {
  topic: true,
  key: true,
  value: true,
  headers: true,
  partition: true,
  timestamp: true,
};

/** What other clients call these fields. */
const otherNames: Readonly<Record<string, string>> = {
  messages: 'give each message as a record of its own, with its topic',
  message: 'use value',
  payload: 'use value',
  data: 'use value',
  body: 'use value',
};

/**
 * For a record without a value: what it was to be may stand under another name, and would be lost if a tombstone were written instead.
 *
 * @throws TypeError for a field that records do not have
 */
export function refuseMisnamed(record: object): void {
  if ('value' in record) return;
  const unknown = Object.keys(record).find((name) => !Object.hasOwn(fields, name));
  if (unknown === undefined) return;
  throw new TypeError(
    `it has no value, but ${unknown}, which is no field of a record: ${adviceFor(unknown)}; value: null makes it a tombstone`,
  );
}

function adviceFor(name: string): string {
  if (Object.hasOwn(otherNames, name)) return String(otherNames[name]);
  const near = nearestName(name, Object.keys(fields));
  return near === undefined ? `fields are ${Object.keys(fields).join(', ')}` : `did you mean ${near}?`;
}
