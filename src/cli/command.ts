import type { CliOptions } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** One word that may follow `kavka`. */
export interface Command {
  readonly name: string;
  /** Its line in the list of commands. */
  readonly summary: string;
  readonly usage: string;
  /** What it does, in whole lines. */
  readonly about: string;
  readonly options: CliOptions;
  /** @throws CliError, or KafkaError: told to the user without a stack */
  run(args: readonly string[], terminal: Terminal): Promise<void>;
}
