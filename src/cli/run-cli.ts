import { readFileSync } from 'node:fs';
import { AdminError } from '../errors/admin-error.ts';
import { KafkaError } from '../errors/kafka-error.ts';
import { nearestName } from '../util/nearest-name.ts';
import { describeOptions } from './arguments.ts';
import { aclsCommands } from './acls-command.ts';
import { brokerCommand } from './broker-command.ts';
import { CliError, CliFailure } from './cli-error.ts';
import type { Command, CommandGroup } from './command.ts';
import { configsCommands } from './configs-command.ts';
import { consumeCommand } from './consume-command.ts';
import { groupsCommands } from './groups-command.ts';
import { perfCommands } from './perf-command.ts';
import { produceCommand } from './produce-command.ts';
import type { Terminal } from './terminal.ts';
import { topicsCommands } from './topics-command.ts';
import { visible } from './visible-text.ts';

const commands: readonly (Command | CommandGroup)[] = [
  topicsCommands,
  groupsCommands,
  configsCommands,
  aclsCommands,
  produceCommand,
  consumeCommand,
  perfCommands,
  brokerCommand,
];

/** How the program ends: 0 done, 1 it could not be done, 2 the command line is wrong. */
export type ExitCode = 0 | 1 | 2;

/** Carries out a command line, without `node` and the program's name. */
export async function runCli(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await run(args, terminal);
    return 0;
  } catch (error) {
    for (const message of messagesOf(error)) terminal.say(`kavka: ${visible(message, '\n')}`);
    return error instanceof CliError ? error.exitCode : 1;
  }
}

/** A line for each thing that went wrong; a mistake of ours is thrown on. */
function messagesOf(error: unknown): readonly string[] {
  if (error instanceof CliFailure) return error.messages;
  if (error instanceof AdminError)
    return error.results.flatMap((result) => (result.status === 'rejected' ? [result.reason.message] : []));
  if (error instanceof CliError || error instanceof KafkaError) return [error.message];
  throw error;
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
  const command = named(first, commands, 'kavka');
  await ('commands' in command ? runOneOf(command, rest, terminal) : runCommand(command, rest, terminal));
}

async function runOneOf(group: CommandGroup, args: readonly string[], terminal: Terminal): Promise<void> {
  const [word, ...rest] = args;
  if (word !== undefined && word !== 'help' && !word.startsWith('-'))
    return runCommand(named(word, group.commands, `kavka ${group.name}`), rest, terminal);
  const wantsHelp = word === 'help' || asksForHelp(args);
  if (group.unnamed !== undefined && !wantsHelp) return group.unnamed.run(args, terminal);
  terminal.print(helpOfGroup(group));
  if (!wantsHelp) throw new CliError(`Cannot run kavka ${group.name} by itself: which of its commands? See above`);
}

async function runCommand(command: Command, args: readonly string[], terminal: Terminal): Promise<void> {
  if (asksForHelp(args)) terminal.print(helpOf(command));
  else await command.run(args, terminal);
}

function asksForHelp(args: readonly string[]): boolean {
  const ending = args.indexOf('--');
  const asked = ending === -1 ? args : args.slice(0, ending);
  return asked.includes('--help') || asked.includes('-h');
}

/** @throws CliError if none of them has this name */
function named<Found extends { readonly name: string }>(word: string, among: readonly Found[], program: string): Found {
  const found = among.find(({ name }) => name === word);
  if (found !== undefined) return found;
  const near = nearestName(
    word,
    among.map(({ name }) => name),
  );
  const kind = word.startsWith('-') ? 'option' : 'command';
  const hint = near === undefined ? `see ${program} --help` : `did you mean ${near}?`;
  throw new CliError(`Cannot run "${word}": there is no such ${kind}; ${hint}`);
}

function help(): string {
  return [
    'Usage: kavka COMMAND [options]',
    '',
    describeCommands(commands),
    '',
    '  kavka COMMAND --help   the options of a command',
    '  kavka --version        the version of this package',
  ].join('\n');
}

function helpOfGroup({ name, about, commands: among, unnamed }: CommandGroup): string {
  const usage = unnamed === undefined ? `kavka ${name} COMMAND` : `kavka ${name} [COMMAND]`;
  return [
    `Usage: ${usage} [options]`,
    '',
    about,
    '',
    describeCommands(among),
    '',
    `  kavka ${name} COMMAND --help   the options of a command`,
    ...(unnamed === undefined ? [] : [`  kavka ${name}                  the same as kavka ${name} ${unnamed.name}`]),
  ].join('\n');
}

function describeCommands(among: readonly { readonly name: string; readonly summary: string }[]): string {
  const width = Math.max(...among.map(({ name }) => name.length)) + 2;
  return among.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`).join('\n');
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
