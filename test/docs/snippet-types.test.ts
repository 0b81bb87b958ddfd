import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import ts from 'typescript';
import { repository, snippets, snippetsOf, type Snippet } from './snippets.ts';

// What JavaScript does not say, its reader knows: the shape of a value out of JSON, and that it is no tombstone.
const looseInJavaScript: ReadonlySet<number> = new Set([2339, 2571, 18_046, 18_047]);

/** Compiles snippets against the sources and answers with `page:line message` for each complaint. */
function complaints(blocks: readonly Snippet[]): string[] {
  const config = ts.readConfigFile(join(repository, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, repository);
  const files = new Map(
    blocks.map((block, index) => [join(repository, `.cache/snippets/snippet-${index}.${block.language}`), block]),
  );
  const compilerOptions: ts.CompilerOptions = {
    ...options,
    // What a reader types need not be fit to be published.
    isolatedDeclarations: false,
    declaration: false,
    allowJs: true,
    checkJs: true,
    paths: {
      kavka: [join(repository, 'src/index.ts')],
      'kavka/protocol': [join(repository, 'src/protocol/index.ts')],
      'kavka/testing': [join(repository, 'src/testing/index.ts')],
      'kavka/metrics': [join(repository, 'src/metrics/index.ts')],
    },
  };
  const host = ts.createCompilerHost(compilerOptions);
  const disk = { ...host };
  // Module syntax is told by the ending and the nearest package.json; these files exist only here.
  host.fileExists = (path) => files.has(path) || disk.fileExists(path);
  host.readFile = (path) => files.get(path)?.code ?? disk.readFile(path);
  host.getSourceFile = (path, target, ...rest) => {
    const block = files.get(path);
    return block === undefined
      ? disk.getSourceFile(path, target, ...rest)
      : ts.createSourceFile(path, block.code, target, true);
  };
  const program = ts.createProgram([...files.keys()], compilerOptions, host);
  return [...files].flatMap(([path, block]) => {
    const source = program.getSourceFile(path);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found
      .filter(({ code }) => block.language !== 'js' || !looseInJavaScript.has(code))
      .map((diagnostic) => {
        const at = source?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? 0;
        const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
        return `${block.page}:${block.line + 1 + at} ${message}`;
      });
  });
}

describe('Snippets', () => {
  it('of README and docs compile against the sources', () => {
    const blocks = snippets().filter(({ language }) => language === 'ts' || language === 'js');
    assert.ok(blocks.length >= 10, `Only ${blocks.length} snippets were found`);
    assert.deepEqual(complaints(blocks), []);
  });

  it('that use what does not exist are found', () => {
    const page = "text\n\n```ts\nimport { Kafka } from 'kavka';\n\nnew Kafka({ bootstrapServer: 'x' });\n```\n";
    const found = complaints(snippetsOf('planted.md', page));
    assert.equal(found.length, 1);
    assert.match(found[0] ?? '', /^planted\.md:6 .*bootstrapServer/s);
  });

  it('that import what does not exist are found', () => {
    const found = complaints(snippetsOf('planted.md', "```js\nimport { Kafkka } from 'kavka';\nnew Kafkka();\n```\n"));
    assert.equal(found.length, 1);
  });
});
