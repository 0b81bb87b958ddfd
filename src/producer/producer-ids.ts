import type { ProducerCluster } from './producer-cluster.ts';
import { KafkaError } from '../errors/kafka-error.ts';
import { reasonOf } from '../errors/thrown.ts';
import { InitProducerId } from '../protocol/generated/init-producer-id.ts';
import type { ProducerIdentity } from './partition-machine.ts';

/** Asks the cluster for the producer id, when it is first needed. */
export class ProducerIds {
  readonly #cluster: ProducerCluster;
  readonly #onIdentity: () => void;
  readonly #onFailure: (error: KafkaError) => void;
  readonly #abort = new AbortController();
  #current: ProducerIdentity | undefined;
  #isAsking = false;

  /** @param onFailure the cluster will not give an id; what needs one cannot be sent */
  constructor(cluster: ProducerCluster, onIdentity: () => void, onFailure: (error: KafkaError) => void) {
    this.#cluster = cluster;
    this.#onIdentity = onIdentity;
    this.#onFailure = onFailure;
  }

  /** The identity, or undefined: then it is being asked for. */
  take(spentProducerId: bigint | undefined): ProducerIdentity | undefined {
    if (this.#current?.producerId === spentProducerId) this.#current = undefined;
    if (this.#current === undefined) this.#ask();
    return this.#current;
  }

  /** Sequence numbers of the present id were forgotten: who needs an identity from now on gets another one. */
  renew(): void {
    this.#current = undefined;
  }

  close(): void {
    this.#abort.abort();
  }

  #ask(): void {
    if (this.#isAsking || this.#abort.signal.aborted) return;
    this.#isAsking = true;
    this.#request().then(
      (identity) => {
        this.#isAsking = false;
        this.#current = identity;
        this.#onIdentity();
      },
      (error: unknown) => {
        this.#isAsking = false;
        if (this.#abort.signal.aborted) return;
        // Time-outs are for the deadline of each record to judge; what waits asks again.
        if (!isTimeout(error)) this.#onFailure(error instanceof KafkaError ? error : unexpected(error));
        else this.#cluster.clock.setTimer(this.#onIdentity, this.#cluster.options.retryBackoffMaxMs).unref();
      },
    );
  }

  async #request(): Promise<ProducerIdentity> {
    const { signal } = this.#abort;
    const { producerId, producerEpoch } = await this.#cluster.request(
      {
        api: InitProducerId,
        to: { kind: 'any' },
        // The timeout means something only for transactions; it must be above 0.
        message: { transactionalId: null, transactionTimeoutMs: 60_000, producerId: -1n, producerEpoch: -1 },
        doing: 'Cannot get a producer id',
        errorCode: (response) => response.errorCode,
      },
      { signal },
    );
    return { producerId, producerEpoch };
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof KafkaError && (error.code === 'OPERATION_TIMEOUT' || error.code === 'BOOTSTRAP_FAILED');
}

function unexpected(error: unknown): KafkaError {
  const reason = reasonOf(error);
  return new KafkaError(`Cannot get a producer id: ${reason}`, { code: 'SEND_FAILED', cause: error });
}
