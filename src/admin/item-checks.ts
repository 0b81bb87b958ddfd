import { adviceOn, expectedInstead, object } from '../util/option-rules.ts';
import { partitionProblem } from '../util/partition-problem.ts';
import type { ConfigChanges } from './configs.ts';
import type { NewPartitions, NewTopic } from './topics.ts';

/** Looks at what a call was given for one item, before anything is sent; says what is wrong with it. */
export type ItemCheck = (item: unknown) => string | undefined;

export const topicName: ItemCheck = text('the name of a topic');
export const groupId: ItemCheck = text('the id of a group');
export const transactionalId: ItemCheck = text('a transactional id');

/** More fields are no mistake: what other calls answer with can be given as it is. */
export const topicPartition: ItemCheck = (item) => partitionProblem(item);

export const newTopic: ItemCheck = fields<NewTopic>(
  'a topic to create',
  { topic: true, partitions: true, replicationFactor: true, assignments: true, configs: true },
  {
    topics: 'give the topics themselves, one or a list of them',
    name: 'use topic',
    numPartitions: 'use partitions',
    replicaAssignment: 'use assignments: for each partition, in order, its brokers',
    configEntries: "use configs: { 'retention.ms': '86400000' }",
    config: 'use configs',
  },
);

export const newPartitions: ItemCheck = fields<NewPartitions>(
  'a topic to add partitions to',
  { topic: true, count: true, assignments: true },
  {
    partitions: 'use count: how many it shall have in all',
    totalCount: 'use count',
  },
);

export const configChanges: ItemCheck = fields<ConfigChanges>(
  'a resource to change',
  { type: true, name: true, set: true, delete: true, append: true, subtract: true },
  { configs: 'use set', entries: 'use set', configEntries: "use set: { 'retention.ms': '86400000' }" },
);

export const anyItem: ItemCheck = () => undefined;

/** For what belongs to a group. */
export function ofGroup(group: unknown, check: ItemCheck): ItemCheck {
  return (item) => groupId(group) ?? check(item);
}

function text(what: string): ItemCheck {
  return (item) => (typeof item === 'string' ? undefined : expectedInstead(what, item));
}

/** What a call does not know of an item it would leave out in silence. */
function fields<Item>(
  what: string,
  fieldsOfItem: Readonly<Record<keyof Item, true>>,
  otherNames: Readonly<Record<string, string>>,
): ItemCheck {
  const known = Object.keys(fieldsOfItem);
  return (item) => {
    if (!object.accepts(item)) return expectedInstead(`{ ${known.join(', ')} }`, item);
    const name = Object.keys(item as object).find((each) => !known.includes(each));
    if (name === undefined) return undefined;
    const advice = adviceOn(name, known, otherNames) ?? `its fields are ${known.join(', ')}`;
    return `${what} has no field ${name}; ${advice}`;
  };
}
