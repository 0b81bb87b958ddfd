import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MemberSubscription } from '../../src/consumer/group/assignors/assignor.ts';
import {
  makeAssignors,
  partitionAssignorNames,
  type PartitionAssignorName,
} from '../../src/consumer/group/assignors/resolve-assignors.ts';
import { decodeSubscription } from '../../src/consumer/group/consumer-protocol.ts';
import { comparePartitions, type TopicPartition } from '../../src/model/topic-partition.ts';
import { readAssignmentVectors, type AssignmentVector } from '../support/consumer/assignment-vectors.ts';

const vectors = readAssignmentVectors();

function membersOf({ members }: AssignmentVector): MemberSubscription[] {
  return members.map(([memberId, groupInstanceId, bytes]) => ({
    memberId,
    groupInstanceId,
    ...decodeSubscription(Buffer.from(bytes, 'base64')),
  }));
}

function topicsOf({ topics }: AssignmentVector): Map<string, { partition: number; racks: string[] }[]> {
  return new Map(
    Object.entries(topics).map(([topic, racks]) => [
      topic,
      racks.map((letters, partition) => ({ partition, racks: [...letters] })),
    ]),
  );
}

function show(partitions: readonly TopicPartition[]): string {
  return [...partitions]
    .sort(comparePartitions)
    .map(({ topic, partition }) => `${topic}-${partition}`)
    .join(' ');
}

function assign(name: PartitionAssignorName, vector: AssignmentVector): string[] {
  const [assignor] = makeAssignors([name]);
  const members = membersOf(vector);
  const assigned = assignor?.assign(topicsOf(vector), members);
  return members.map(({ memberId }) => show((assigned?.get(memberId) ?? []) as TopicPartition[]));
}

/** The partitions and the generation in the user data of Java's sticky assignor, read by hand. */
function readUserData(bytes: Buffer): { readonly partitions: TopicPartition[]; readonly generationId: number } {
  const partitions: TopicPartition[] = [];
  let at = 4;
  for (let topics = bytes.readInt32BE(0); topics > 0; topics--) {
    const length = bytes.readInt16BE(at);
    const topic = bytes.toString('utf8', at + 2, at + 2 + length);
    at += 2 + length;
    for (let left = bytes.readInt32BE(at); left > 0; left--) {
      at += 4;
      partitions.push({ topic, partition: bytes.readInt32BE(at) });
    }
    at += 4;
  }
  return { partitions, generationId: bytes.readInt32BE(at) };
}

for (const name of partitionAssignorNames) {
  const groups = vectors.filter(({ assignor }) => assignor === name);

  describe(`The assignor ${name}`, () => {
    it('assigns as that of Kafka, in every generation of every group', () => {
      assert.ok(groups.length >= 200, `${groups.length} groups`);
      let generations = 0;
      for (const [number, group] of groups.entries()) {
        for (const [index, vector] of group.generations.entries()) {
          generations++;
          assert.deepEqual(assign(name, vector), vector.assigned, `group ${number}, generation ${index + 1}`);
        }
      }
      assert.ok(generations >= 400, `${generations} generations`);
    });
  });
}

describe('The user data of a subscription', () => {
  for (const name of ['sticky', 'cooperative-sticky'] as const) {
    it(`has the bytes that Kafka's assignor ${name} writes`, () => {
      let compared = 0;
      for (const { generations } of vectors.filter(({ assignor }) => assignor === name)) {
        for (const { userData, topics, memberId } of generations.flatMap(membersOf)) {
          const [assignor] = makeAssignors([name]);
          if (name === 'sticky' && userData !== null) {
            const { partitions, generationId } = readUserData(userData);
            assignor?.onAssignment?.(partitions, { generationId, memberId, userData: null });
          } else if (userData !== null && userData.readInt32BE(0) >= 0) {
            const generationId = userData.readInt32BE(0);
            assignor?.onAssignment?.([], { generationId, memberId, userData: null });
          }
          assert.deepEqual(assignor?.subscriptionUserData?.(topics), userData);
          compared += userData === null ? 0 : 1;
        }
      }
      assert.ok(compared > 300, `${compared} members`);
    });
  }
});
