import type { FetchRequestFetchPartition } from '../../protocol/generated/fetch.ts';

/** A partition as a fetch asks for it: topic by name or, from version 13 on, by id. */
export interface FetchedPartition extends FetchRequestFetchPartition {
  readonly topic: string;
  readonly topicId: string;
}
