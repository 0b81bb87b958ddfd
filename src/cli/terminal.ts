import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import { CliError } from './cli-error.ts';
import { inputChunks } from './input-chunks.ts';

/** What a command has to do with the outside: in tests, something else than the process. */
export interface Terminal {
  /** Whether people read what is printed. */
  readonly isInteractive: boolean;
  /** Whether people type what is read. */
  readonly isInputInteractive: boolean;
  readonly hasColors: boolean;
  /** How many columns a line has. */
  readonly width: number;
  /** The environment's variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output: what was asked for. */
  print(text: string): void;
  /** Standard output, byte for byte. Resolves when the bytes are taken, with false if nobody reads them any more. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** Standard error: what goes on. */
  say(text: string): void;
  /** A line on standard error that the next one replaces, for people only. */
  showProgress(line: string): void;
  /** Standard input, in pieces as they come, no faster than they are asked for; ends when `signal` aborts. */
  input(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Asks where {@link say} says; what was answered, empty if the input has ended or `signal` aborts. */
  ask(question: string, signal?: AbortSignal): Promise<string>;
  /** Resolves when the user, or the system, asks the program to end. */
  interrupted(): Promise<void>;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  // Who wrote learns of an error by its callback; without a listener, a reader that has gone would end the process with a stack.
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
  let isProgressShown = false;
  const takeProgressAway = (): string => {
    const away = isProgressShown ? '\r\u001b[2K' : '';
    isProgressShown = false;
    return away;
  };
  return {
    isInteractive: stdout.isTTY === true,
    isInputInteractive: isatty(0),
    hasColors: stdout.isTTY === true && stdout.hasColors() && process.env['NO_COLOR'] === undefined,
    get width() {
      // A terminal that does not know its width says 0, and no terminal nothing.
      return stdout.columns > 0 ? stdout.columns : 80;
    },
    environment: process.env,
    print: (text) => {
      // On a terminal both are the same screen.
      if (isProgressShown) stderr.write(takeProgressAway());
      stdout.write(`${text}\n`);
    },
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stdout.write(bytes, (error) => {
          if (error === null || error === undefined) resolve(true);
          else if (isReaderGone(error)) resolve(false);
          else reject(new CliError(`Cannot write to standard output: ${error.message}`, { exitCode: 1 }));
        });
      }),
    say: (text) => void stderr.write(`${takeProgressAway()}${text}\n`),
    showProgress: (line) => {
      if (stderr.isTTY !== true) return;
      stderr.write(`${takeProgressAway()}${line}`);
      isProgressShown = true;
    },
    input: (signal) => inputChunks(process.stdin, 'standard input', signal),
    ask: (question, signal) =>
      new Promise((resolve) => {
        // Without `terminal`, Ctrl-C is a signal here as it is everywhere.
        const lines = createInterface({ input: process.stdin, output: stderr, terminal: false, signal });
        const end = (): void => {
          stderr.write('\n');
          resolve('');
        };
        lines.on('close', end);
        lines.question(question, (answer) => {
          lines.off('close', end);
          lines.close();
          resolve(answer);
        });
      }),
    interrupted: () =>
      new Promise((resolve) => {
        const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
        const end = (): void => {
          // A second Ctrl-C ends the process at once.
          for (const signal of signals) process.off(signal, end);
          resolve();
        };
        for (const signal of signals) process.on(signal, end);
      }),
  };
}

/** Windows has names of its own for it, and what is written later meets a stream that has ended. */
function isReaderGone(error: NodeJS.ErrnoException): boolean {
  return ['EPIPE', 'EOF', 'ECONNRESET', 'ERR_STREAM_DESTROYED'].includes(error.code ?? '');
}

const codes = {
  bold: ['\u001b[1m', '\u001b[22m'],
  dim: ['\u001b[2m', '\u001b[22m'],
  cyan: ['\u001b[36m', '\u001b[39m'],
} as const;

/** How text may stand out. */
export type TextStyle = keyof typeof codes;

/** Text that stands out, where the terminal can show it. */
export function styled(terminal: Pick<Terminal, 'hasColors'>, style: TextStyle, text: string): string {
  const [on, off] = codes[style];
  return terminal.hasColors ? `${on}${text}${off}` : text;
}
