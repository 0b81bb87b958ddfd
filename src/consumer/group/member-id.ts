import { randomBytes } from 'node:crypto';

const MEMBER_ID_BYTES = 16;

/** A new id in the form of Kafka's ids, chosen here: so the coordinator need not be asked for one (KIP-1082). */
export function newMemberId(): string {
  const bytes = randomBytes(MEMBER_ID_BYTES);
  // As in Kafka's own ids, no hyphen at the front: command lines would take it for an option.
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('base64url');
}
