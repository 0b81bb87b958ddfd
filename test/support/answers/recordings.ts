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

/** Replaces what is recorded of the scenarios that ran; what no scenario asks any more goes. */
export async function writeRecording(area: Area, answers: Readonly<Record<string, unknown>>): Promise<void> {
  const known = { ...area.recorded, ...answers };
  const kept = Object.fromEntries(area.scenarios.map(({ name }) => [name, known[name]]));
  await writeFile(new URL(`${area.name}.json`, recordingFolder), `${JSON.stringify(kept, null, 2)}\n`);
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
