import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { brokerErrorByNumber, brokerErrorCodes } from '../../src/errors/broker-error-codes.ts';
import { clientErrorCodes } from '../../src/errors/error-codes.ts';

function read(path: string): Promise<string> {
  return readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** The cells of every row of the table under this heading, without the head. */
function rowsUnder(markdown: string, heading: string): string[][] {
  const start = `\n${markdown}`.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, `There is no "${heading}"`);
  const lines = markdown.slice(start).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows: string[][] = [];
  for (let index = first + 2; lines[index]?.startsWith('|') === true; index++) {
    const cells = (lines[index] ?? '').split('|').slice(1, -1);
    rows.push(cells.map((cell) => cell.trim().replaceAll('`', '')));
  }
  return rows;
}

describe('docs/errors.md', () => {
  it('has one line per code of our own, with the words of the code table', async () => {
    const rows = rowsUnder(await read('docs/errors.md'), "## Codes of Kavka's own");
    const told = rows.map(([code, meaning]) => [code, meaning]);
    assert.deepEqual(
      told,
      Object.entries(clientErrorCodes).map(([code, text]) => [code, text.replaceAll('`', '')]),
    );
    for (const [code, , advice] of rows) assert.ok((advice ?? '').length > 5, `${code} says nothing about what to do`);
  });

  it('has one line per code of a broker, with number and advice about retrying', async () => {
    const rows = rowsUnder(await read('docs/errors.md'), '## Answers of brokers');
    const told = rows.map(([name, number, retriable]) => [name, Number(number), retriable]);
    const expected = Object.entries(brokerErrorCodes).map(([name, number]) => {
      return [name, number, brokerErrorByNumber(number)?.retriable === true ? 'yes' : 'no'];
    });
    assert.deepEqual(told, expected);
    for (const [name, , , meaning] of rows) assert.ok((meaning ?? '').length > 5, `${name} has no explanation`);
  });
});

interface EventFacts {
  readonly name: string;
  readonly when: string;
  readonly payload: string;
}

/** The table of events as the compiler sees it: names, doc comments, and the fields of each payload. */
function eventsInSource(): EventFacts[] {
  const path = fileURLToPath(new URL('../../src/instrumentation/events.ts', import.meta.url));
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    allowImportingTsExtensions: true,
    strict: true,
    noEmit: true,
  };
  const program = ts.createProgram([path], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path);
  const module = source && checker.getSymbolAtLocation(source);
  const table = module && checker.getExportsOfModule(module).find((symbol) => symbol.name === 'ClientEvents');
  assert.ok(source !== undefined && table !== undefined);
  return checker
    .getDeclaredTypeOfSymbol(table)
    .getProperties()
    .map((event) => {
      const payload = checker.getTypeOfSymbolAtLocation(event, source).getProperties();
      return {
        name: event.name,
        when: ts.displayPartsToString(event.getDocumentationComment(checker)).replaceAll(/\s+/g, ' '),
        payload: payload
          .map((field) => field.name)
          .sort()
          .join(', '),
      };
    });
}

describe('docs/events.md', () => {
  it('has one line per event: when it fires, and the fields of its payload', async () => {
    const rows = rowsUnder(await read('docs/events.md'), '# Events');
    const told = rows.map(([name = '', when = '', payload = '']) => {
      return { name, when, payload: payload.split(', ').sort().join(', ') };
    });
    const expected = eventsInSource().map((event) => ({ ...event, when: event.when.replaceAll('`', '') }));
    assert.deepEqual(told, expected);
  });
});

describe('docs/architecture.md', () => {
  it('shows a definition and its generated code as they are', async () => {
    const text = await read('docs/architecture.md');
    const block = (info: string): string => {
      const found = new RegExp(`\`\`\`${info}\n([\\s\\S]*?)\n\`\`\``).exec(text)?.[1];
      assert.ok(found !== undefined, `There is no block "${info}"`);
      return found;
    };
    const definition = await read('tools/protocol-generator/definitions/heartbeat.txt');
    assert.equal(block('txt definition'), definition.trimEnd());
    const generated = block('ts generated');
    assert.match(generated, /function writeHeartbeatRequest[\s\S]*function readHeartbeatRequest/);
    assert.ok((await read('src/protocol/generated/heartbeat.ts')).includes(generated));
  });
});
