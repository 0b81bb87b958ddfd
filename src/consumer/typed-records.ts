import type { ConsumerTopics, ReadKey, ReadValue } from '../model/topics.ts';
import type { ConsumerBatch } from './consumer-batch.ts';
import type { ConsumerRecord } from './consumer-record.ts';

/** A record of one of the topics that were defined: which one says what its key and value are. */
export type TopicConsumerRecord<Topics extends ConsumerTopics> = {
  [Name in keyof Topics & string]: ConsumerRecord<ReadKey<Topics[Name]>, ReadValue<Topics[Name]>> & {
    /** The topic it was read from. */
    readonly topic: Name;
  };
}[keyof Topics & string];

/** A batch of records of one of the topics that were defined. */
export type TopicConsumerBatch<Topics extends ConsumerTopics> = {
  [Name in keyof Topics & string]: ConsumerBatch<ReadKey<Topics[Name]>, ReadValue<Topics[Name]>> & {
    /** The topic that was read. */
    readonly topic: Name;
  };
}[keyof Topics & string];
