import type { Cluster } from '../cluster/cluster.ts';
import { retryBackoff } from '../cluster/options.ts';
import { isKafkaError } from '../errors/kafka-error.ts';
import { asError } from '../errors/thrown.ts';
import { backoffMs } from '../util/backoff.ts';
import { delay } from '../util/delay.ts';
import { isPassingFailure } from './offset-client.ts';

/** What the patterns need of their consumer. */
export interface TopicPatternsParts {
  readonly cluster: Cluster;
  readonly signal: AbortSignal;
  /** Whether the consumer may read this topic at all. */
  readonly allows: (topic: string) => boolean;
  /** Other topics match than before. */
  readonly onChange: () => void;
  readonly onFatal: (error: Error) => void;
}

/** Looks which topics match the patterns of a subscription: at once, and each time the metadata would be read again anyway. */
export class TopicPatterns {
  readonly #parts: TopicPatternsParts;
  #patterns: readonly RegExp[] = [];
  #matches: readonly string[] = [];
  #ended = new AbortController();

  constructor(parts: TopicPatternsParts) {
    this.#parts = parts;
  }

  /** The topics that matched when it was looked last, in order. */
  get matches(): readonly string[] {
    return this.#matches;
  }

  /** Follows these patterns instead of those before; resolves when it has looked once, or there are none. Never rejects. */
  async follow(patterns: readonly RegExp[]): Promise<void> {
    this.stop();
    this.#patterns = patterns;
    this.#matches = [];
    if (patterns.length === 0) return;
    const ended = (this.#ended = new AbortController());
    const isRead = await this.#look(ended.signal);
    void this.#keepLooking(isRead, AbortSignal.any([ended.signal, this.#parts.signal]));
  }

  stop(): void {
    this.#ended.abort();
  }

  async #keepLooking(wasRead: boolean, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#parts;
    const { metadataMaxAgeMs } = cluster.options;
    const backoff = retryBackoff(cluster.options);
    let failures = wasRead ? 0 : 1;
    while (!signal.aborted) {
      const pauseMs = failures === 0 ? metadataMaxAgeMs : backoffMs(backoff, failures, cluster.random());
      await delay(cluster.clock, pauseMs, signal);
      if (signal.aborted) return;
      failures = (await this.#look(signal)) ? 0 : failures + 1;
    }
  }

  /** False if it has to be tried again soon. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { cluster, allows, onChange, onFatal } = this.#parts;
    try {
      const { topics } = await cluster.refresh({ topics: 'all', signal });
      if (signal.aborted) return true;
      const found = [...topics.values()]
        .filter(({ name, isInternal }) => !isInternal && allows(name) && this.#patterns.some((one) => one.test(name)))
        .map(({ name }) => name)
        .sort();
      if (found.join() === this.#matches.join()) return true;
      this.#matches = found;
      onChange();
      return true;
    } catch (error) {
      if (signal.aborted || isKafkaError(error, 'CLOSED')) return true;
      if (isPassingFailure(error)) return false;
      onFatal(asError(error));
      return true;
    }
  }
}
