import { readFileSync } from 'node:fs';
import { KafkaError } from '../errors/kafka-error.ts';
import { nearestName } from '../util/nearest-name.ts';
import { describeOptions } from './arguments.ts';
import { brokerCommand } from './broker-command.ts';
import { CliError } from './cli-error.ts';
import type { Command } from './command.ts';
import { consumeCommand } from './consume-command.ts';
import { produceCommand } from './produce-command.ts';
import type { Terminal } from './terminal.ts';

const commands: readonly Command[] = [produceCommand, consumeCommand, brokerCommand];

/** How the program ends: 0 done, 1 it could not be done, 2 the command line is wrong. */
export type ExitCode = 0 | 1 | 2;

/** Carries out a command line, without `node` and the program's name. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await run(args, terminal);
    return 0;
  } catch (error) {
    if (error instanceof CliError) {
      terminal.say(`kavka: ${error.message}`);
      return error.exitCode;
    }
    if (!(error instanceof KafkaError)) throw error;
    terminal.say(`kavka: ${error.message}`);
    return 1;
  }
}

async function run([first, ...rest]: readonly string[], terminal: Terminal): Promise<void> {
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    terminal.print(help());
    if (first === undefined) throw new CliError('Cannot run: which command? See above');
    return;
  }
  if (first === '--version' || first === '-v') {
    terminal.print(version());
    return;
  }
  const command = commands.find(({ name }) => name === first);
  if (command === undefined) throw new CliError(unknown(first));
  const ending = rest.indexOf('--');
  const asked = ending === -1 ? rest : rest.slice(0, ending);
  if (asked.includes('--help') || asked.includes('-h')) terminal.print(helpOf(command));
  else await command.run(rest, terminal);
}

function unknown(word: string): string {
  const near = nearestName(
    word,
    commands.map(({ name }) => name),
  );
  const kind = word.startsWith('-') ? 'option' : 'command';
  return `Cannot run "${word}": there is no such ${kind}; ${near === undefined ? 'see kavka --help' : `did you mean ${near}?`}`;
}

function help(): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    'Usage: kavka COMMAND [options]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    '',
    '  kavka COMMAND --help   the options of a command',
    '  kavka --version        the version of this package',
  ].join('\n');
}

function helpOf({ usage, about, options }: Command): string {
  return [`Usage: ${usage}`, '', about, '', describeOptions(options)].join('\n');
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return manifest.version;
}
