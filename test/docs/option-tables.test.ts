import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import ts from 'typescript';
import { rowsOf } from './markdown-tables.ts';
import { repository } from './snippets.ts';

/** What the doc comment of an option says of it. */
interface OptionFacts {
  readonly name: string;
  readonly defaultValue: string;
  readonly java: string;
  readonly kips: string;
  readonly text: string;
}

/** The options of an interface, in order, with the facts of their doc comments. */
function optionsOf(program: ts.Program, path: string, name: string): OptionFacts[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(repository, path));
  const declaration = source?.statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === name);
  assert.ok(declaration !== undefined && ts.isInterfaceDeclaration(declaration), `${path} has no ${name}`);
  return declaration.members.map((member) => {
    const symbol = member.name && checker.getSymbolAtLocation(member.name);
    assert.ok(symbol !== undefined);
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll(/\s+/g, ' ');
    const tag = symbol.getJsDocTags(checker).find((each) => each.name === 'defaultValue');
    return {
      name: symbol.name,
      defaultValue: ts.displayPartsToString(tag?.text).replaceAll(/\s+/g, ' ').replaceAll('`', ''),
      java: /Java: `([^`]+)`/.exec(text)?.[1] ?? (/Java has n/.test(text) ? '—' : ''),
      kips: [...new Set([...text.matchAll(/KIP-(\d+)/g)].map(([, number]) => Number(number)))]
        .sort((a, b) => a - b)
        .join(', '),
      text,
    };
  });
}

const units: readonly (readonly [ending: RegExp, unit: RegExp])[] = [
  [/Ms$/, /milliseconds/],
  [/Bytes$/, /bytes|KiB|MiB/],
];

/** The pages of the guide that list options: of what, and where those are declared. */
const pages: readonly {
  readonly page: string;
  readonly what: string;
  /** The first cell of the table's head. @defaultValue option */
  readonly head?: string;
  readonly interfaces: readonly (readonly [path: string, name: string])[];
}[] = [
  {
    page: 'docs/guide/producing.md',
    what: 'producer',
    interfaces: [
      ['src/producer/partitioner.ts', 'DefaultPartitionerOptions'],
      ['src/producer/options.ts', 'ProducerOptions'],
      ['src/producer/options.ts', 'TypedProducerOptions'],
    ],
  },
  {
    page: 'docs/guide/consuming.md',
    what: 'consumer',
    interfaces: [
      ['src/consumer/options.ts', 'ConsumerOptions'],
      ['src/consumer/options.ts', 'TypedConsumerOptions'],
    ],
  },
  {
    page: 'docs/guide/share-groups.md',
    what: 'share consumer',
    interfaces: [
      ['src/consumer/share/share-options.ts', 'ShareConsumerOptions'],
      ['src/consumer/share/share-options.ts', 'TypedShareConsumerOptions'],
    ],
  },
  { page: 'docs/guide/connecting.md', what: 'client', interfaces: [['src/cluster/options.ts', 'ClientOptions']] },
  {
    page: 'docs/guide/connecting.md',
    what: 'mechanism OAUTHBEARER',
    head: 'option of OAUTHBEARER',
    interfaces: [
      ['src/security/oauth-options.ts', 'SaslTokenOptions'],
      ['src/security/oauth-options.ts', 'SaslTokenEndpointOptions'],
    ],
  },
];

describe('options in the guide', () => {
  let program: ts.Program;
  before(() => {
    const config = ts.readConfigFile(join(repository, 'tsconfig.json'), (path) => ts.sys.readFile(path));
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repository);
    program = ts.createProgram([join(repository, 'src/index.ts')], options);
  });

  for (const { page, what, head = 'option', interfaces } of pages) {
    const documented = (): OptionFacts[] => {
      const all = interfaces.flatMap(([path, name]) => optionsOf(program, path, name));
      // What several have is told once, where it comes last; what says which of them it is, nowhere.
      return all.filter(
        ({ name }, at) => name !== 'mechanism' && !all.slice(at + 1).some((each) => each.name === name),
      );
    };

    it(`${page} has one line per option of the ${what}: default, Java name and KIP as its doc comment says`, async () => {
      const written = rowsOf(await readFile(join(repository, page), 'utf8'), `${head} | default | Java | KIP | what`);
      const rows = written.map((row) => row.map((cell) => cell.replaceAll('`', '')));
      assert.deepEqual(
        rows.map((row) => row.slice(0, 4)),
        documented().map(({ name, defaultValue, java, kips }) => [name, defaultValue, java, kips]),
      );
      for (const [name = '', , , , meaning = ''] of rows) assert.ok(meaning.length > 12, `${name} is not explained`);
    });

    it(`every option of the ${what} has a doc comment with default, Java name, and unit`, () => {
      for (const { name, defaultValue, java, text } of documented()) {
        assert.ok(defaultValue !== '', `${name} has no default`);
        assert.ok(java !== '', `${name} says neither what Java calls it nor that Java has none`);
        for (const [ending, unit] of units) if (ending.test(name)) assert.match(text, unit, `${name} has no unit`);
      }
    });
  }

  it('every option of the producer has a test on a real broker, named after it', async () => {
    const named = new Set<string>();
    for await (const path of glob('test/{behaviour,integration/**,support}/*.ts', { cwd: repository })) {
      const text = await readFile(join(repository, path), 'utf8');
      for (const [, title = ''] of text.matchAll(/\bit\(\s*['"`]([^\n]+)/g)) {
        // `options key and value: …`, or anywhere in a title the name of an option that cannot be another word.
        const names = /^options? ([^:]+)/.exec(title)?.[1]?.split(/[^A-Za-z]+/) ?? [];
        for (const name of [...names, ...(title.match(/\b[a-z]+[A-Z]\w*/g) ?? [])]) named.add(name);
      }
    }
    const producer = pages.find(({ what }) => what === 'producer')?.interfaces ?? [];
    const options = producer.flatMap(([path, name]) => optionsOf(program, path, name).map((option) => option.name));
    assert.ok(options.length > 0);
    assert.deepEqual(
      options.filter((name) => !named.has(name)),
      [],
    );
  });
});
