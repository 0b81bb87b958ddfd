import { runCli, type ExitCode } from '../../../src/cli/run-cli.ts';
import { FakeTerminal, type FakeTerminalLooks } from './fake-terminal.ts';

/** What came of a command line. */
export interface CommandRun {
  readonly code: ExitCode;
  readonly printed: string;
  readonly said: string;
}

/** Runs command lines against these brokers: without looks as programs do, which get JSON. */
export function kavkaAt(bootstrapServers: readonly string[]) {
  return async (args: readonly string[], looks: FakeTerminalLooks = {}): Promise<CommandRun> => {
    const terminal = new FakeTerminal({ ...looks, environment: { KAFKA_BOOTSTRAP: bootstrapServers.join(',') } });
    const code = await runCli(args, terminal);
    return { code, printed: terminal.printed, said: terminal.said };
  };
}
