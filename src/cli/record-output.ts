import type { ConsumerRecord } from '../index.ts';
import type { Terminal } from './terminal.ts';

/** More of it is written at once, and nothing more is taken meanwhile. */
const chunkBytes = 64 * 1024;
/** How long the output may take to be taken once the user wants the end: a pager may hold it for hours. */
const graceMs = 1000;

/**
 * Lines of records on their way to standard output: gathered to chunks, and no more of them than two at a time, so that a slow reader
 * holds back whoever writes.
 */
export class RecordOutput {
  readonly #terminal: Terminal;
  readonly #onWritten: (records: readonly ConsumerRecord[]) => void;
  readonly #gone = new AbortController();
  readonly #grace: Promise<'late'>;
  #graceTimer: NodeJS.Timeout | undefined;
  #lines: (string | Uint8Array)[] = [];
  #records: ConsumerRecord[] = [];
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #isScheduled = false;
  #failure: { readonly error: unknown } | undefined;

  /**
   * @param interrupted aborts when the user wants the end
   * @param onWritten told which records are out
   */
  constructor(
    terminal: Terminal,
    interrupted: AbortSignal,
    onWritten: (records: readonly ConsumerRecord[]) => void = () => undefined,
  ) {
    this.#terminal = terminal;
    this.#onWritten = onWritten;
    this.#grace = new Promise((resolve) => {
      const begin = (): void => {
        this.#graceTimer = setTimeout(() => resolve('late'), graceMs);
      };
      if (interrupted.aborted) begin();
      else interrupted.addEventListener('abort', begin, { once: true });
    });
  }

  /** Aborts when nothing more can be written: the reader has gone, or there was an error. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Takes the line of a record; wait for the promise, if there is one, before the next. */
  add(record: ConsumerRecord, line: string | Uint8Array): Promise<void> | undefined {
    if (this.#gone.signal.aborted) return undefined;
    this.#lines.push(line);
    this.#records.push(record);
    this.#bytes += line.length;
    if (this.#bytes >= chunkBytes) return this.#flush();
    // What comes alone is not kept: the loop over the records lets this run when it has none left, and every few milliseconds.
    if (this.#writing === undefined && !this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        void this.#flush();
      });
    }
    return undefined;
  }

  /** Writes what is left. @throws what went wrong with the output; that its reader has gone is nothing wrong */
  async end(): Promise<void> {
    await this.#flush();
    clearTimeout(this.#graceTimer);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Resolves when there is nothing left to write; never rejects. */
  async #flush(): Promise<void> {
    if (this.#lines.length > 0) this.#writing ??= this.#writeAll();
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#lines.length > 0) {
        const records = this.#records;
        const bytes = Buffer.concat(this.#lines.map((line) => (typeof line === 'string' ? Buffer.from(line) : line)));
        [this.#lines, this.#records, this.#bytes] = [[], [], 0];
        const taken = await Promise.race([this.#terminal.write(bytes), this.#grace]);
        // What is not known to be out does not count as read.
        if (taken === 'late') continue;
        if (!taken) return this.#gone.abort();
        this.#onWritten(records);
      }
    } catch (error) {
      this.#failure = { error };
      this.#gone.abort();
    } finally {
      this.#writing = undefined;
    }
  }
}
