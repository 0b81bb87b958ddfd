import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import ts from 'typescript';
import { metricNames, metricTable, openTelemetryName, prometheusName } from '../../src/metrics/metric-table.ts';
import { rowsOf } from './markdown-tables.ts';
import { repository } from './snippets.ts';

const optionsFile = join(repository, 'src/metrics/metrics-options.ts');

/** The options of metrics as their doc comments have them: name and default. */
function optionsInSource(): string[][] {
  const program = ts.createProgram([optionsFile], { strict: true, noEmit: true });
  const checker = program.getTypeChecker();
  const declaration = program
    .getSourceFile(optionsFile)
    ?.statements.find((each) => ts.isInterfaceDeclaration(each) && each.name.text === 'MetricsOptions');
  assert.ok(declaration !== undefined && ts.isInterfaceDeclaration(declaration));
  return declaration.members.map(({ name }) => {
    const symbol = name && checker.getSymbolAtLocation(name);
    assert.ok(symbol !== undefined);
    const tag = symbol.getJsDocTags(checker).find((each) => each.name === 'defaultValue');
    return [symbol.name, ts.displayPartsToString(tag?.text)];
  });
}

describe('docs/guide/observability.md', () => {
  let page = '';
  before(async () => {
    page = await readFile(join(repository, 'docs/guide/observability.md'), 'utf8');
  });

  it('has one line per metric: names, type, labels, meaning and what Java calls it', () => {
    const rows = rowsOf(page, 'metric | OpenTelemetry | type | labels | what | Java');
    const expected = metricNames.map((name) => {
      const { type, labels, help, java } = metricTable[name];
      const names = [prometheusName('kavka', name), openTelemetryName('kavka', name)];
      return [...names, type, labels.join(', '), help, java || '—'];
    });
    assert.deepEqual(
      rows.map((row) => row.map((cell) => cell.replaceAll('`', ''))),
      expected,
    );
  });

  it('has one line per option of metrics, with its default', () => {
    const rows = rowsOf(page, 'option | default | what').map((row) => row.map((cell) => cell.replaceAll('`', '')));
    assert.deepEqual(
      rows.map(([name, value]) => [name, value]),
      optionsInSource(),
    );
    for (const [name, , what = ''] of rows) assert.ok(what.length > 12, `${name} is not explained`);
  });

  it('proposes alarms on metrics that there are', () => {
    const expressions = rowsOf(page, 'expression | what it says').map(([expression = '']) => expression);
    const names = expressions.flatMap((expression) => expression.match(/kavka_\w+/g) ?? []);
    const known = metricNames.flatMap((name) => {
      const full = prometheusName('kavka', name);
      return metricTable[name].type === 'histogram' ? [`${full}_sum`, `${full}_count`, `${full}_bucket`] : [full];
    });
    assert.ok(names.length >= expressions.length);
    assert.deepEqual(
      names.filter((name) => !known.includes(name)),
      [],
    );
  });
});
