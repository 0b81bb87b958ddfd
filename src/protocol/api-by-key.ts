import type { Api } from './api.ts';
import { apis } from './generated/apis.ts';

/** An API whose messages are not known to the compiler: found by its number, or by a name in a variable. */
export type AnyApi = Api<object, object>;

const byKey: ReadonlyMap<number, AnyApi> = new Map(
  Object.values<unknown>(apis).map((api) => [(api as AnyApi).key, api as AnyApi]),
);

/** The API of this number, `undefined` if the release does not know it. */
export function apiByKey(key: number): AnyApi | undefined {
  return byKey.get(key);
}
