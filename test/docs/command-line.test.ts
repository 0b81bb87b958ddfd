import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { aclsCommands } from '../../src/cli/acls-command.ts';
import { adminOptions } from '../../src/cli/admin-command.ts';
import type { Command, CommandGroup } from '../../src/cli/command.ts';
import { configsCommands } from '../../src/cli/configs-command.ts';
import { consumeCommand } from '../../src/cli/consume-command.ts';
import { groupsCommands } from '../../src/cli/groups-command.ts';
import { perfCommands } from '../../src/cli/perf-command.ts';
import { produceCommand } from '../../src/cli/produce-command.ts';
import { topicsCommands } from '../../src/cli/topics-command.ts';

function guide(page: string): Promise<string> {
  return readFile(new URL(`../../docs/guide/${page}.md`, import.meta.url), 'utf8');
}

/** What stands under a heading, up to the next one of its kind. */
async function section(page: string, heading: string): Promise<string> {
  const text = await guide(page);
  const found = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(found !== undefined, `${page}.md has no "${heading}"`);
  return found;
}

/** The options of commands, without those that all have. */
function ownOptions(commands: readonly Command[]): string[] {
  const own = commands.flatMap(({ options }) => Object.entries(options));
  // What `--json` means to `kavka produce` is another thing.
  const isShared = (name: string, help: string): boolean =>
    name === 'json' ? help === adminOptions['json']?.help : Object.hasOwn(adminOptions, name);
  return [...new Set(own.flatMap(([name, { help }]) => (isShared(name, help) ? [] : [name])))].sort();
}

/** The options that stand in the first cells of tables. */
function tabledOptions(text: string): string[] {
  const cells = text.split('\n').flatMap((line) => (line.startsWith('| `--') ? [line.split(' | ')[0] ?? ''] : []));
  return cells.flatMap((cell) => [...cell.matchAll(/`--([a-z-]+)/g)].map(([, name = '']) => name)).sort();
}

describe('options in the guide to the command line', () => {
  for (const [page, heading, command] of [
    ['command-line-records', 'kavka produce', produceCommand],
    ['command-line-records', 'kavka consume', consumeCommand],
    ...perfCommands.commands.map((each) => ['command-line-perf', `kavka perf ${each.name}`, each] as const),
  ] as const) {
    it(`${page}.md has each option of ${heading}, and no others`, async () => {
      const text = await section(page, heading);
      // Few of them stand in the text.
      const told =
        heading === 'kavka perf latency' ? text.match(/`--[a-z-]+/g)?.map((each) => each.slice(3)) : undefined;
      assert.deepEqual(told?.sort() ?? tabledOptions(text), ownOptions([command]));
    });
  }

  it('command-line.md has each option of kavka acls, and no others', async () => {
    const text = await section('command-line', 'Rules of access');
    const others = ['idempotent', 'yes'];
    for (const name of others) assert.ok(text.includes(`\`--${name}\``), name);
    assert.deepEqual([...tabledOptions(text), ...others].sort(), ownOptions(aclsCommands.commands));
  });
});

describe('commands in the guide to the command line', () => {
  const groups: readonly (readonly [page: string, CommandGroup])[] = [
    ['command-line', topicsCommands],
    ['command-line', groupsCommands],
    ['command-line', configsCommands],
    ['command-line', aclsCommands],
    ['command-line-perf', perfCommands],
  ];
  for (const [page, { name, commands }] of groups)
    it(`${page}.md has each command of kavka ${name}`, async () => {
      const text = await guide(page);
      for (const command of commands) assert.match(text, new RegExp(`kavka ${name} ${command.name}\\b`));
    });
});
