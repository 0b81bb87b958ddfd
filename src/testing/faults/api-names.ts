import type { apis } from '../../protocol/generated/apis.ts';

/** Kafka's name of an API, such as `Produce`. */
export type ApiName = keyof typeof apis;

/** What the types of an API's messages are taken from. */
export interface ApiLike {
  /** Kafka's name of it. */
  readonly name: string;
  /** Gives the type of its requests. */
  decodeRequest(this: void, bytes: Uint8Array, version: number): unknown;
  /** Gives the type of its responses. */
  decodeResponse(this: void, bytes: Uint8Array, version: number): unknown;
}

/** Names an API: by Kafka's name, or as it stands in `apis` of `kavka/protocol`. */
export type ApiSelector = ApiName | ApiLike;

/** The API that a selector names. */
export type SelectedApi<A extends ApiSelector> = A extends ApiName ? (typeof apis)[A] : A extends ApiLike ? A : never;

/** What a request of this API holds. */
export type RequestOf<A extends ApiSelector> = ReturnType<SelectedApi<A>['decodeRequest']>;

/** What an answer of this API holds. */
export type ResponseOf<A extends ApiSelector> = ReturnType<SelectedApi<A>['decodeResponse']>;

/** Kafka's name of the API. */
export function apiNameOf(api: ApiSelector): string {
  return typeof api === 'string' ? api : api.name;
}
