import { codecFor, type Codec } from '../compression/index.ts';
import { KafkaError } from '../errors/kafka-error.ts';
import { asError, reasonOf } from '../errors/thrown.ts';
import { restamp, type CompressionName } from '../protocol/records/index.ts';
import type { BufferMemory } from './buffer-memory.ts';
import type { PartitionQueue } from './partition-queue.ts';
import type { ProducerBatch } from './producer-batch.ts';

/** What happens when a batch that had to wait for its compression is done with it. */
export interface PreparationHooks {
  handleReady(queue: PartitionQueue, batch: ProducerBatch): void;
  handleFailure(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError): void;
}

/** Makes a complete batch into the bytes that go over the wire: compressed, with header, sequence numbers and checksum. */
export class BatchPreparation {
  readonly #compression: CompressionName;
  readonly #level: number | undefined;
  readonly #memory: BufferMemory;
  readonly #hooks: PreparationHooks;
  readonly #transactional: boolean;
  #codec: Codec | undefined;

  constructor(
    options: {
      readonly compression: CompressionName;
      readonly compressionLevel: number | undefined;
      readonly transactionalId: string | undefined;
    },
    memory: BufferMemory,
    hooks: PreparationHooks,
  ) {
    this.#compression = options.compression;
    this.#level = options.compressionLevel;
    this.#transactional = options.transactionalId !== undefined;
    this.#memory = memory;
    this.#hooks = hooks;
  }

  /** Whether {@link stamp} may be called; if not, the batch is being compressed, and its partition will be woken. */
  isReady(queue: PartitionQueue, batch: ProducerBatch): boolean {
    if (this.#compression === 'none' || batch.bytes !== undefined || batch.compressed !== undefined) return true;
    if (!batch.isCompressing) this.#compress(queue, batch);
    // TypeScript takes it for still undefined, but the codec may have answered at once.
    return (batch as { compressed: Buffer | undefined }).compressed !== undefined;
  }

  /** Gives the batch its bytes, or renews in them what its machine has decided anew. No request may hold them. */
  stamp(batch: ProducerBatch): void {
    if (batch.bytes !== undefined) {
      if (batch.bytesEpoch !== batch.producerEpoch || batch.bytesSequence !== batch.baseSequence)
        restamp(batch.bytes, batch);
    } else if (batch.builder !== undefined) {
      const { producerId, producerEpoch, baseSequence, compressed } = batch;
      batch.uncompressedBytes = batch.builder.sizeBytes;
      const stamped = { producerId, producerEpoch, baseSequence, transactional: this.#transactional };
      batch.bytes =
        compressed === undefined
          ? batch.builder.close({ ...stamped, compression: 'none' })
          : batch.builder.close({ ...stamped, compression: this.#compression, compressed });
      if (compressed !== undefined) this.#dropUncompressed(batch);
    }
    batch.bytesEpoch = batch.producerEpoch;
    batch.bytesSequence = batch.baseSequence;
  }

  #compress(queue: PartitionQueue, batch: ProducerBatch): void {
    const codec = this.#codec ?? codecFor(this.#compression);
    const loaded = codec instanceof Promise ? codec : undefined;
    if (loaded === undefined) this.#codec = codec as Codec;
    else
      return this.#await(
        queue,
        batch,
        loaded.then((found) => this.#run((this.#codec = found), batch)),
      );
    const compressed = this.#tryRun(codec as Codec, batch);
    if (compressed instanceof Promise) this.#await(queue, batch, compressed);
    else batch.compressed = compressed;
  }

  /** What a codec throws is found where its promises are. */
  #tryRun(codec: Codec, batch: ProducerBatch): Buffer | Promise<Buffer> {
    try {
      return this.#run(codec, batch);
    } catch (error) {
      return Promise.reject(asError(error));
    }
  }

  #run(codec: Codec, batch: ProducerBatch): Buffer | Promise<Buffer> {
    const body = batch.builder?.body();
    // It was given up while the codec was loaded.
    if (body === undefined) return Buffer.alloc(0);
    return codec.compress(body, this.#level);
  }

  #await(queue: PartitionQueue, batch: ProducerBatch, compressed: Promise<Buffer>): void {
    batch.isCompressing = true;
    compressed.then(
      (bytes) => {
        batch.isCompressing = false;
        batch.compressed = bytes;
        this.#hooks.handleReady(queue, batch);
      },
      (error: unknown) => {
        batch.isCompressing = false;
        const reason = reasonOf(error);
        const failure =
          error instanceof KafkaError ? error : new KafkaError(reason, { code: 'COMPRESSION_FAILED', cause: error });
        this.#hooks.handleFailure(queue, batch, failure);
      },
    );
  }

  /** The compressed batch has memory of its own: what it was made from can be filled again. */
  #dropUncompressed(batch: ProducerBatch): void {
    const { builder, bytes } = batch;
    batch.compressed = undefined;
    batch.builder = undefined;
    if (builder === undefined || bytes === undefined) return;
    this.#memory.release(batch.heldBytes - bytes.length);
    batch.heldBytes = bytes.length;
    builder.release();
  }
}
