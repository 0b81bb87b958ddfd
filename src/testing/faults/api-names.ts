import type { Api } from '../../protocol/api.ts';
import type { apis } from '../../protocol/generated/apis.ts';

type Apis = typeof apis;

/** Kafka's name of an API, such as `Produce`. */
export type ApiName = keyof Apis;

/** Names an API: by Kafka's name, or as it stands in `apis` of `kavka/protocol`. */
export type ApiSelector = ApiName | Api<never, unknown>;

/** What a request of this API holds. */
export type RequestOf<A extends ApiSelector> = A extends ApiName
  ? Apis[A] extends Api<infer Req, infer _Res>
    ? Req
    : never
  : A extends Api<infer Req, infer _Res>
    ? Req
    : never;

/** What an answer of this API holds. */
export type ResponseOf<A extends ApiSelector> = A extends ApiName
  ? Apis[A] extends Api<infer _Req, infer Res>
    ? Res
    : never
  : A extends Api<infer _Req, infer Res>
    ? Res
    : never;

/** Kafka's name of the API. */
export function apiNameOf(api: ApiSelector): string {
  return typeof api === 'string' ? api : api.name;
}
