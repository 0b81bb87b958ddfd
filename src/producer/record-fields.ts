import type { ProducerRecord } from '../model/producer-record.ts';
import { adviceOn } from '../util/option-rules.ts';

const fieldsOfRecord: Readonly<Record<keyof ProducerRecord, true>> = {
  topic: true,
  key: true,
  value: true,
  headers: true,
  partition: true,
  timestamp: true,
};
const known = Object.keys(fieldsOfRecord);

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
  const unknown = Object.keys(record).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const advice = adviceOn(unknown, known, otherNames) ?? `fields are ${known.join(', ')}`;
  throw new TypeError(
    `it has no value, but ${unknown}, which is no field of a record: ${advice}; value: null makes it a tombstone`,
  );
}
