/** docs/protocol-versions.md: every API with its versions, and what no released broker can prove yet. */
import type { ApiDefinition, Release } from '../protocol-generator/definition.ts';
import { printRange } from '../protocol-generator/version-range.ts';

/** What a Kafka release says of one of its APIs. */
export interface ReleaseApi {
  readonly api: string;
  readonly key: number;
  readonly minVersion: number;
  /** The highest stable version. */
  readonly maxVersion: number;
  readonly lastVersion: number;
  readonly requestHeaderVersions: readonly number[];
  readonly responseHeaderVersions: readonly number[];
}

/** Reads the lines that MessageVectors.java writes of APIs. */
export function parseReleaseApis(lines: string): ReleaseApi[] {
  return lines
    .split('\n')
    .filter((line) => line.startsWith('{"api"'))
    .map((line) => JSON.parse(line) as ReleaseApi);
}

/** The versions that `older` does not have: `BrokerHeartbeat 2`, `Foo 0-1`. */
export function versionsMissingIn(older: readonly ReleaseApi[], release: Release): string[] {
  return apisOf(release).flatMap((api) => {
    const { min, max } = api.request.versions;
    const before = older.find(({ key }) => key === api.key);
    if (before === undefined) return [`${api.name} ${printRange({ min, max })}`];
    return before.lastVersion < max ? [`${api.name} ${printRange({ min: before.lastVersion + 1, max })}`] : [];
  });
}

export function printVersionsPage(release: Release, olderVersion: string, older: readonly ReleaseApi[]): string {
  const apis = apisOf(release).sort((a, b) => a.key - b.key);
  const rows = apis.map((api) => [
    String(api.key),
    api.name,
    printStable(api),
    printFlexible(api),
    api.listeners.join(', '),
  ]);
  return [
    '# Protocol versions',
    '',
    `Written by \`tools/vectors/make-message-vectors.ts\` from the definitions of Kafka ${release.version}: do not edit.`,
    '',
    `## Only in ${release.version}`,
    '',
    `The newest release with a complete broker is ${olderVersion}. What it does not have is proven by golden bytes of the Java client`,
    'alone (`test/conformance/messages.test.ts`), not against a broker:',
    '',
    ...versionsMissingIn(older, release).map((line) => `- ${line}`),
    '',
    '## Listed without any version',
    '',
    ...release.removed.map(({ key, name }) => `- ${name} (${key})`),
    '',
    '## All',
    '',
    ...printTable([['Key', 'API', 'Versions', 'Flexible from', 'Listeners'], ...rows]),
    '',
  ].join('\n');
}

function apisOf(release: Release): ApiDefinition[] {
  return release.definitions.filter((definition) => definition.kind === 'api');
}

function printStable({ request }: ApiDefinition): string {
  const { min, max } = request.versions;
  return request.latestVersionUnstable
    ? `${printRange({ min, max: max - 1 })}; ${max} is not stable`
    : printRange({ min, max });
}

function printFlexible({ request }: ApiDefinition): string {
  if (request.flexible === undefined || request.flexible.min > request.versions.max) return '–';
  return String(Math.max(request.flexible.min, request.versions.min));
}

/** As prettier aligns it, so that formatting and writing again agree. */
function printTable(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [head, ...body] = rows.map((row) => line(row.map((cell, column) => cell.padEnd(widths[column] ?? 0))));
  return [head ?? '', line(widths.map((width) => '-'.repeat(width))), ...body];
}
