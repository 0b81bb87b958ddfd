import { brokerError } from '../errors/broker-error.ts';
import { brokerErrorByNumber, brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { KafkaError } from '../errors/kafka-error.ts';
import { quote } from '../util/option-rules.ts';
import type { MetadataSnapshot } from './metadata-snapshot.ts';

/** How often a cluster must deny a topic before it is taken to be missing. */
const DENIALS = 4;

/**
 * For how long it must deny it: a topic that has just been created takes a moment until every broker knows it. With the default
 * back-off the denial that ends the wait comes within 5 s.
 */
const DENIED_FOR_MS = 3500;

const whatToCheck = 'check bootstrapServers, and that the ports are Kafka listeners';

/** What {@link TopicWait.see} finds. */
export type TopicVerdict =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'refused'; readonly topic: string; readonly error: KafkaError };

/** Whether topics are usable, must be waited for, or are not to be had: the decision behind `Cluster.topics`. */
export class TopicWait {
  readonly names: readonly string[];
  #denials = 0;
  #deniedSinceMs = 0;

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** Names that the snapshot cannot serve. */
  missing(snapshot: MetadataSnapshot): string[] {
    return this.names.filter((name) => !isUsable(snapshot, name));
  }

  /** @param answered whether the snapshot is a broker's fresh answer about these topics, so that a denial counts */
  see(snapshot: MetadataSnapshot, answered: boolean, nowMs: number): TopicVerdict {
    const missing = this.missing(snapshot);
    if (missing.length === 0 && snapshot.brokers.size > 0) return { kind: 'ready' };
    if (!answered) return { kind: 'waiting' };
    const refused = missing.find((name) => isLasting(snapshot.topic(name)?.errorCode ?? 0));
    if (refused !== undefined) return this.#refuse(snapshot, refused);
    const denied = missing.find((name) => isDenied(snapshot, name));
    if (denied === undefined) this.#denials = 0;
    else if (++this.#denials === 1) this.#deniedSinceMs = nowMs;
    const settled = this.#denials >= DENIALS && nowMs - this.#deniedSinceMs >= DENIED_FOR_MS;
    return denied !== undefined && settled ? this.#refuse(snapshot, denied) : { kind: 'waiting' };
  }

  /** Why it would have to wait longer, for the message of a time-out. */
  reason(snapshot: MetadataSnapshot): string {
    const missing = this.missing(snapshot);
    const first = missing[0];
    if (first === undefined) return `no broker has answered; ${whatToCheck}`;
    const code = snapshot.topic(first)?.errorCode ?? 0;
    const last =
      code === 0
        ? `no broker described it; ${whatToCheck}`
        : `the last answer was ${brokerErrorByNumber(code)?.name ?? code}`;
    return `topic ${quote(first)}${missing.length > 1 ? ` and ${missing.length - 1} more` : ''}: ${last}`;
  }

  #refuse(snapshot: MetadataSnapshot, topic: string): TopicVerdict {
    const code = snapshot.topic(topic)?.errorCode ?? 0;
    const why = isDenied(snapshot, topic)
      ? 'the cluster has no such topic; create it first, or check its name'
      : code === brokerErrorCodes.INVALID_TOPIC_EXCEPTION
        ? 'names have up to 249 characters, a to z, A to Z, 0 to 9, ".", "_" and "-", and are not "." or ".."'
        : undefined;
    return { kind: 'refused', topic, error: brokerError(code, `Cannot use topic ${quote(topic)}`, why) };
  }
}

function isUsable(snapshot: MetadataSnapshot, name: string): boolean {
  const topic = snapshot.topic(name);
  return topic !== undefined && topic.errorCode === 0 && topic.partitions.length > 0;
}

function isDenied(snapshot: MetadataSnapshot, name: string): boolean {
  return snapshot.topic(name)?.errorCode === brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION;
}

function isLasting(code: number): boolean {
  return code !== 0 && brokerErrorByNumber(code)?.retriable !== true;
}
