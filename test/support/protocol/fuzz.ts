import { ProtocolError } from '../../../src/errors/kafka-error.ts';
import type { FuzzSubject } from './fuzz-subjects.ts';
import { mutate, type Random } from './mutate.ts';

/** What a run saw. A run in which all inputs were refused, or none, has tested little. */
export interface FuzzReport {
  readonly inputs: number;
  readonly refused: number;
}

/**
 * Gives every subject each strict part of its sample, from the start on.
 *
 * @param stride above 1, samples of more than 256 bytes are cut only at every so manyth byte behind those
 */
export function tryTruncations(subjects: readonly FuzzSubject[], stride = 1): FuzzReport {
  let inputs = 0;
  let refused = 0;
  for (const subject of subjects) {
    for (let length = 0; length < subject.sample.length; length += length < 256 ? 1 : stride) {
      const isRefused = tryInput(subject, subject.sample.subarray(0, length), `first ${length} bytes`);
      if (!isRefused && subject.hasNoValidPart)
        throw new Error(`The first ${length} of ${subject.sample.length} bytes were taken for a ${subject.label}`);
      inputs++;
      if (isRefused) refused++;
    }
  }
  return { inputs, refused };
}

/** Gives random subjects mutated samples. */
export function tryMutations(subjects: readonly FuzzSubject[], inputs: number, random: Random): FuzzReport {
  let refused = 0;
  for (let i = 0; i < inputs; i++) {
    const subject = pick(subjects, random);
    if (tryInput(subject, mutate(subject.sample, pick(subjects, random).sample, random), `input ${i}`)) refused++;
  }
  return { inputs, refused };
}

function pick(subjects: readonly FuzzSubject[], random: Random): FuzzSubject {
  const subject = subjects[Math.floor(random() * subjects.length)];
  if (subject === undefined) throw new Error('Cannot fuzz without subjects');
  return subject;
}

/** Whether the input was refused. */
function tryInput(subject: FuzzSubject, bytes: Buffer, which: string): boolean {
  try {
    subject.read(bytes);
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return true;
    throw new Error(`${subject.label} failed on ${which}: ${bytes.toString('hex')}`, { cause: error });
  }
}
