import { EventPublisher } from '../../src/instrumentation/event-publisher.ts';
import type { ClientEventName, ClientEvents } from '../../src/instrumentation/events.ts';
import type { KafkaStatistics } from '../../src/instrumentation/statistics.ts';
import type { KafkaMetrics, MeasuredKafka } from '../../src/metrics/index.ts';
import { parsePrometheusText } from './prometheus-text.ts';

/** Stands for a `Kafka` whose clients do, and hold, what a test says. */
export class FakeMeasuredKafka implements MeasuredKafka {
  readonly clientId: string;
  readonly events: EventPublisher;
  /** What it holds, beside its `clientId`. */
  holds: Partial<KafkaStatistics> = {};
  /** How often it was asked. */
  asked = 0;
  /** How many listeners there are. */
  listeners = 0;

  constructor(clientId = 'shop') {
    this.clientId = clientId;
    this.events = new EventPublisher(clientId);
  }

  on<Name extends ClientEventName>(name: Name, listener: (payload: ClientEvents[Name]) => void): () => void {
    const stop = this.events.on(name, listener);
    this.listeners++;
    return () => {
      stop();
      this.listeners--;
    };
  }

  statistics(): KafkaStatistics {
    this.asked++;
    return { clientId: this.clientId, brokers: [], producers: [], consumers: [], shareConsumers: [], ...this.holds };
  }
}

/**
 * The series of metrics as `name{label="value",…}` with their values, as the text of Prometheus has them, without `client_id`, the buckets and
 * whatever is 0.
 */
export function seriesOf(metrics: KafkaMetrics): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { samples } of parsePrometheusText(metrics.prometheus())) {
    for (const { name, labels, value } of samples) {
      const { client_id: _, ...others } = labels;
      const pairs = Object.entries(others).map(([label, text]) => `${label}="${text}"`);
      const key = pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
      if (!name.endsWith('_bucket') && value !== 0) found[key] = value;
    }
  }
  return found;
}
