import type { Cluster } from '../cluster/cluster.ts';
import { retryBackoff } from '../cluster/options.ts';
import { isKafkaError, KafkaError } from '../errors/kafka-error.ts';
import { asError } from '../errors/thrown.ts';
import { backoffMs } from '../util/backoff.ts';
import { delay } from '../util/delay.ts';
import { isPassingFailure } from './offset-client.ts';

/** What the interest in topics needs of its consumer. */
export interface TopicInterestParts {
  readonly cluster: Cluster;
  readonly allowAutoTopicCreation: boolean;
  readonly signal: AbortSignal;
  /** All of the topics are in the metadata. */
  readonly onKnown: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Sees to it that the metadata of the consumer's topics is there, and waits for topics that do not exist. */
export class TopicInterest {
  readonly #parts: TopicInterestParts;
  #topics: readonly string[] = [];
  #known: Promise<void> = Promise.resolve();

  constructor(parts: TopicInterestParts) {
    this.#parts = parts;
  }

  /** Resolves when the topics are known, or known not to be there; never rejects. */
  get known(): Promise<void> {
    return this.#known;
  }

  /** These topics count from now on, instead of those before. */
  follow(topics: readonly string[]): void {
    this.#topics = topics;
    this.#known = this.#learn(topics);
  }

  /** These count as well: the group gave partitions of them. */
  add(topics: readonly string[]): void {
    const more = topics.filter((topic) => !this.#topics.includes(topic));
    if (more.length > 0) this.follow([...this.#topics, ...more]);
  }

  async #learn(topics: readonly string[]): Promise<void> {
    if (!(await this.#try(topics))) void this.#keepTrying(topics);
  }

  async #keepTrying(topics: readonly string[]): Promise<void> {
    const { cluster, signal } = this.#parts;
    for (let failures = 1; topics === this.#topics && !signal.aborted; failures++) {
      await delay(cluster.clock, backoffMs(retryBackoff(cluster.options), failures, cluster.random()), signal);
      if (signal.aborted || (await this.#try(topics))) return;
    }
  }

  /** True if there is no use in trying again. */
  async #try(topics: readonly string[]): Promise<boolean> {
    const { cluster, allowAutoTopicCreation, signal, onKnown, onFatal } = this.#parts;
    try {
      await cluster.topics(topics, { allowAutoTopicCreation, signal });
    } catch (error) {
      if (signal.aborted) return true;
      if (!isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION') && !isPassingFailure(error)) {
        onFatal(asError(error));
        return true;
      }
      if (error instanceof KafkaError) cluster.events.publish('warning', { message: 'A topic is waited for', error });
      return false;
    }
    onKnown();
    return true;
  }
}
