import { readdir, readFile, writeFile } from 'node:fs/promises';
import type { Scenario } from './scenario.ts';

const scenarioFolder = new URL('scenarios/', import.meta.url);
const recordingFolder = new URL('../../conformance/answers/', import.meta.url);

/** The scenarios of one area of the protocol, and what real Kafka answered to each. */
export interface Area {
  readonly name: string;
  readonly scenarios: readonly Scenario[];
  readonly recorded: Readonly<Record<string, unknown>>;
}

/** All areas: one file of scenarios each, one file of recordings each. */
export async function areas(): Promise<Area[]> {
  const files = (await readdir(scenarioFolder)).filter((file) => /^[a-z0-9-]+\.[jt]s$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const name = file.slice(0, -3);
      const module = (await import(new URL(file, scenarioFolder).href)) as { readonly scenarios: readonly Scenario[] };
      return { name, scenarios: module.scenarios, recorded: await readRecording(name) };
    }),
  );
}

/** Replaces what is recorded of an area. */
export async function writeRecording(area: string, answers: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFile(new URL(`${area}.json`, recordingFolder), `${JSON.stringify(answers, null, 2)}\n`);
}

async function readRecording(area: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const text = await readFile(new URL(`${area}.json`, recordingFolder), 'utf8');
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
