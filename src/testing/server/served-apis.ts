import type { AnyHandler } from '../handler.ts';

/** One API with the versions that the cluster answers. */
export interface ServedApi {
  readonly handler: AnyHandler;
  readonly min: number;
  readonly max: number;
}

/** Highest (and lowest) versions per API key of the Kafka that the cluster pretends to be; undefined where it has no such API. */
export type ReleaseVersions = ReadonlyMap<number, { readonly min: number; readonly max: number }>;

const everything = { min: 0, max: Infinity };

/** Which APIs in which versions a broker answers: what there are handlers for, cut down to what its release knows. */
export class ServedApis {
  readonly #byKey = new Map<number, ServedApi>();

  constructor(handlers: readonly AnyHandler[], release?: ReleaseVersions) {
    for (const handler of handlers) {
      const limits = release === undefined ? everything : release.get(handler.api.key);
      if (limits === undefined) continue;
      const min = Math.max(handler.minVersion, limits.min);
      const max = Math.min(handler.maxVersion, limits.max);
      if (min <= max) this.#byKey.set(handler.api.key, { handler, min, max });
    }
  }

  find(apiKey: number): ServedApi | undefined {
    return this.#byKey.get(apiKey);
  }

  all(): readonly ServedApi[] {
    return [...this.#byKey.values()].sort((a, b) => a.handler.api.key - b.handler.api.key);
  }
}
