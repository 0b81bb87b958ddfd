/** What a command has to do with the outside: in tests, something else than the process. */
export interface Terminal {
  /** Whether people read what is printed. */
  readonly isInteractive: boolean;
  readonly hasColors: boolean;
  /** The environment's variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output: what was asked for. */
  print(text: string): void;
  /** Standard error: what goes on. */
  say(text: string): void;
  /** Resolves when the user, or the system, asks the program to end. */
  interrupted(): Promise<void>;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  return {
    isInteractive: stdout.isTTY === true,
    hasColors: stdout.isTTY === true && stdout.hasColors() && process.env['NO_COLOR'] === undefined,
    environment: process.env,
    print: (text) => void stdout.write(`${text}\n`),
    say: (text) => void stderr.write(`${text}\n`),
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

const codes = { bold: ['\u001b[1m', '\u001b[22m'], dim: ['\u001b[2m', '\u001b[22m'] } as const;

/** Text that stands out, where the terminal can show it. */
export function styled(terminal: Terminal, style: keyof typeof codes, text: string): string {
  const [on, off] = codes[style];
  return terminal.hasColors ? `${on}${text}${off}` : text;
}
