import type { ConsumerTopics, ReadKey, ReadValue } from '../../model/topics.ts';
import type { ShareRecord } from './share-record.ts';

/** A record of one of the topics that were defined, as a share consumer reads it: which one says what its key and value are. */
export type TopicShareRecord<Topics extends ConsumerTopics> = {
  [Name in keyof Topics & string]: ShareRecord<ReadKey<Topics[Name]>, ReadValue<Topics[Name]>> & {
    /** The topic it was read from. */
    readonly topic: Name;
  };
}[keyof Topics & string];
