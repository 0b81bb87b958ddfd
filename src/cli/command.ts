import type { CliOptions } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** One word that may follow `kavka`, or the word of a {@link CommandGroup}. */
export interface Command {
  readonly name: string;
  /** Its line in the list of commands. */
  readonly summary: string;
  readonly usage: string;
  /** What it does, in whole lines. */
  readonly about: string;
  readonly options: CliOptions;
  /** @throws CliError, CliFailure, or KafkaError: told to the user without a stack */
  run(args: readonly string[], terminal: Terminal): Promise<void>;
}

/** A word that another one follows: `kavka topics create`. */
export interface CommandGroup {
  readonly name: string;
  /** Its line in the list of commands. */
  readonly summary: string;
  /** What its commands are for, in whole lines. */
  readonly about: string;
  readonly commands: readonly Command[];
  /** The one of them that runs where no word follows. */
  readonly unnamed?: Command;
}
