import { SendManyError, type Producer, type ProducerRecord, type SendError } from '../index.ts';
import { CliError } from './cli-error.ts';
import { maxLineBytes, type InputLine } from './input-lines.ts';
import { LineError } from './json-record.ts';
import type { Terminal } from './terminal.ts';

/** The producer bounds the bytes that are under way; small records would still be many. */
const maxOutstanding = 100_000;
/** More than these are only counted. */
const maxTold = 10;
const progressIntervalMs = 500;
/** What is wrong with one record; everything else is wrong with the next ones as well. */
const codesOfRecords = ['INVALID_ARGUMENT', 'MESSAGE_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP'];

interface Sent {
  readonly number: number;
  readonly record: ProducerRecord;
}

/** Sends lines, counts what becomes of them, and tells which could not be sent. */
export class LineDelivery {
  readonly #producer: Producer;
  readonly #recordOf: (line: Uint8Array) => ProducerRecord;
  readonly #done: 'acknowledged' | 'sent';
  readonly #terminal: Terminal;
  readonly #inVain = new AbortController();
  readonly #sends = new Set<Promise<void>>();
  readonly #startMs = performance.now();
  #shownMs = this.#startMs;
  #outstanding = 0;
  #acknowledged = 0;
  #bytes = 0;
  #failed = 0;

  /**
   * @param recordOf makes the record of a line, or throws a LineError
   * @param done what brokers do with records: with `acks` 0 they acknowledge none
   */
  constructor(
    producer: Producer,
    recordOf: (line: Uint8Array) => ProducerRecord,
    done: 'acknowledged' | 'sent',
    terminal: Terminal,
  ) {
    this.#producer = producer;
    this.#recordOf = recordOf;
    this.#done = done;
    this.#terminal = terminal;
  }

  /** Aborts when a record failed for a reason that the next ones would meet as well. */
  get inVain(): AbortSignal {
    return this.#inVain.signal;
  }

  /** Sends lines; resolves when there is room for more. */
  async send(lines: readonly InputLine[], { showsProgress }: { readonly showsProgress: boolean }): Promise<void> {
    // Lines that were read together with one that failed.
    if (this.#inVain.signal.aborted) return;
    const batch = lines.flatMap((line) => this.#read(line));
    if (batch.length > 0) {
      await this.#producer.ready();
      const sending: Promise<void> = this.#deliver(batch).finally(() => this.#sends.delete(sending));
      this.#sends.add(sending);
    }
    while (this.#outstanding >= maxOutstanding) await first(this.#sends);
    if (showsProgress) this.#showProgress();
  }

  /**
   * Waits until everything is settled, and says what became of it.
   *
   * @throws CliError a line was not sent
   */
  async finish({ isInterrupted }: { readonly isInterrupted: boolean }): Promise<void> {
    await Promise.all(this.#sends);
    const seconds = (performance.now() - this.#startMs) / 1000;
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`;
    this.#terminal.say(
      `${isInterrupted ? 'Interrupted. ' : ''}${this.#acknowledged} records ${this.#done}${failed}, ${this.#bytes} bytes in ${seconds.toFixed(1)} s`,
    );
    if (this.#failed === 0) return;
    const why = this.#inVain.signal.aborted ? '; the rest was not read, as it would have failed as well' : '';
    const all = this.#acknowledged + this.#failed;
    throw new CliError(`Cannot send ${this.#failed} of ${all} lines${why}`, { exitCode: 1 });
  }

  #read({ number, bytes }: InputLine): Sent[] {
    try {
      if (bytes === undefined) throw new LineError(`it has more than ${maxLineBytes} bytes`);
      return [{ number, record: this.#recordOf(bytes) }];
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      this.#tell(number, error.message);
      return [];
    }
  }

  /** Never rejects. */
  async #deliver(batch: readonly Sent[]): Promise<void> {
    this.#outstanding += batch.length;
    const failures = await this.#producer.send(batch.map(({ record }) => record)).then(
      () => undefined,
      (error: unknown) => (number: number) => reasonOf(error, number),
    );
    this.#outstanding -= batch.length;
    for (const [index, { number, record }] of batch.entries()) {
      const error = failures?.(index);
      if (error === undefined) {
        this.#acknowledged++;
        this.#bytes += sizeOf(record.key) + sizeOf(record.value);
      } else {
        this.#tell(number, error.message);
        if (!codesOfRecords.includes(error.code)) this.#inVain.abort();
      }
    }
  }

  #tell(number: number, why: string): void {
    this.#failed++;
    if (this.#failed > maxTold) return;
    this.#terminal.say(`kavka: Cannot send line ${number}: ${why}`);
    if (this.#failed === maxTold) this.#terminal.say('kavka: Further lines that fail are only counted');
  }

  #showProgress(): void {
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < progressIntervalMs) return;
    this.#shownMs = nowMs;
    const perSecond = Math.round((this.#acknowledged * 1000) / (nowMs - this.#startMs));
    this.#terminal.showProgress(`${this.#acknowledged} records ${this.#done}, ${perSecond} per second`);
  }
}

/** Why this record of an array was not sent; undefined if it was. */
function reasonOf(error: unknown, index: number): SendError | undefined {
  if (!(error instanceof SendManyError)) throw error;
  const result = error.results[index];
  return result?.status === 'rejected' ? result.reason : undefined;
}

function sizeOf(data: string | Uint8Array | null | undefined): number {
  return data === null || data === undefined ? 0 : Buffer.byteLength(data);
}

async function first(promises: Iterable<Promise<void>>): Promise<void> {
  for (const promise of promises) return promise;
}
