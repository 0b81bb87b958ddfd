import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** What Kafka's assignors answered, see tools/vectors/AssignmentVectors.java. */
export const assignmentVectorsFile: string = fileURLToPath(
  new URL('../../conformance/vectors/assignments.jsonl.gz', import.meta.url),
);

/** One generation of a group: what the leader was given, and what it answered, in the order of the members. */
export interface AssignmentVector {
  /** Per partition the racks of its brokers, one letter each. */
  readonly topics: Readonly<Record<string, readonly string[]>>;
  /** Member id, group instance id, and the subscription as it came over the wire, in base64. */
  readonly members: readonly (readonly [string, string | null, string])[];
  readonly assigned: readonly string[];
}

/** A group that lives through several generations. */
export interface GroupVector {
  readonly assignor: string;
  readonly generations: readonly AssignmentVector[];
}

export function readAssignmentText(): string {
  return gunzipSync(readFileSync(assignmentVectorsFile)).toString();
}

export function readAssignmentVectors(): GroupVector[] {
  return readAssignmentText()
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as GroupVector);
}
