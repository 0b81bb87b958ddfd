import { byTopic } from '../../model/topic-partition.ts';
import type { Input } from '../../protocol/api.ts';
import type { FetchRequest } from '../../protocol/generated/fetch.ts';
import type { SessionRequest } from './fetch-session-machine.ts';

/** What a fetch says beside its partitions. */
export interface FetchSettings {
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isReadCommitted: boolean;
  /** The rack whose replicas are near (KIP-392). */
  readonly rack: string | undefined;
}

/** From this version on topics are named by id (KIP-516). */
export const FETCH_BY_TOPIC_ID = 13;
/** Sessions came with this version (KIP-227). */
const SESSIONS_SINCE = 7;
/** Racks came with this version. */
const RACKS_SINCE = 11;
/** From this version on the leader compares the epoch of what was fetched last with its log (KIP-595). */
const LAST_EPOCHS_SINCE = 12;

/** The body of a fetch. */
export function fetchRequest(session: SessionRequest, settings: FetchSettings, version: number): Input<FetchRequest> {
  const byId = version >= FETCH_BY_TOPIC_ID;
  const topics = byTopic(session.partitions).map(([name, items]) => ({
    ...(byId ? { topicId: name } : { topic: name }),
    partitions: items.map(({ partition, currentLeaderEpoch, fetchOffset, lastFetchedEpoch, partitionMaxBytes }) => ({
      partition,
      currentLeaderEpoch,
      fetchOffset,
      ...(version >= LAST_EPOCHS_SINCE ? { lastFetchedEpoch } : {}),
      partitionMaxBytes,
    })),
  }));
  const forgotten = byTopic(session.forgotten).map(([name, items]) => ({
    ...(byId ? { topicId: name } : { topic: name }),
    partitions: items.map(({ partition }) => partition),
  }));
  const sessionFields = {
    sessionId: session.sessionId,
    sessionEpoch: session.sessionEpoch,
    forgottenTopicsData: forgotten,
  };
  return {
    maxWaitMs: settings.maxWaitMs,
    minBytes: settings.minBytes,
    maxBytes: settings.maxBytes,
    isolationLevel: settings.isReadCommitted ? 1 : 0,
    topics,
    ...(version >= SESSIONS_SINCE ? sessionFields : {}),
    ...(version >= RACKS_SINCE && settings.rack !== undefined ? { rackId: settings.rack } : {}),
  };
}
