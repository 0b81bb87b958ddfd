import { PassThrough } from 'node:stream';
import { inputChunks } from '../../../src/cli/input-chunks.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';

/** What a {@link FakeTerminal} is like; without any of it, a pipe. */
export interface FakeTerminalLooks {
  readonly isInteractive?: boolean;
  readonly isInputInteractive?: boolean;
  readonly hasColors?: boolean;
  readonly width?: number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What is answered to questions, in order; with them, somebody is there to ask. */
  readonly answers?: readonly string[];
}

/** A terminal that keeps what it is told, answers as it was told to, and interrupts when the test says so. */
export class FakeTerminal implements Terminal {
  readonly isInteractive: boolean;
  readonly isInputInteractive: boolean;
  readonly hasColors: boolean;
  readonly width: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What a command reads is written here. */
  readonly stdin: PassThrough = new PassThrough();
  /** Standard output, but for what was written as bytes. */
  printed = '';
  /** What was written as bytes. */
  written: Buffer = Buffer.alloc(0);
  said = '';
  readonly progress: string[] = [];
  interrupt: () => void = () => undefined;
  /** What becomes of bytes that are written: a test may let them wait, or have the reader gone. */
  take: () => Promise<boolean> = () => Promise.resolve(true);
  readonly #answers: string[];
  readonly #interrupted: Promise<void>;

  constructor(looks: FakeTerminalLooks = {}) {
    this.isInteractive = looks.isInteractive ?? false;
    this.isInputInteractive = looks.isInputInteractive ?? looks.answers !== undefined;
    this.hasColors = looks.hasColors ?? false;
    this.width = looks.width ?? 120;
    this.environment = looks.environment ?? {};
    this.#answers = [...(looks.answers ?? [])];
    this.#interrupted = new Promise((resolve) => {
      this.interrupt = resolve;
    });
  }

  print(text: string): void {
    this.printed += `${text}\n`;
  }

  write(bytes: Uint8Array): Promise<boolean> {
    this.written = Buffer.concat([this.written, bytes]);
    return this.take();
  }

  say(text: string): void {
    this.said += `${text}\n`;
  }

  showProgress(line: string): void {
    this.progress.push(line);
  }

  input(signal: AbortSignal): AsyncIterable<Uint8Array> {
    return inputChunks(this.stdin, 'standard input', signal);
  }

  /** Where somebody is there who gives no answer, the question waits until it is taken back. */
  ask(question: string, signal?: AbortSignal): Promise<string> {
    this.said += question;
    const answer = this.#answers.shift();
    if (answer !== undefined || signal === undefined) return Promise.resolve(answer ?? '');
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(''), { once: true }));
  }

  interrupted(): Promise<void> {
    return this.#interrupted;
  }
}
