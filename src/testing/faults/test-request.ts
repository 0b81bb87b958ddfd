import { UsageError } from '../../errors/kafka-error.ts';
import { nearestName } from '../../util/nearest-name.ts';
import { quote } from '../../util/option-rules.ts';
import type { ArrivedRequest } from '../server/dispatcher.ts';
import { apiNameOf, type ApiName, type ApiSelector, type RequestOf } from './api-names.ts';

/** A request that a broker of the {@link TestCluster} got. */
export interface TestRequest<A extends ApiSelector = ApiName> {
  /** Kafka's name of the API. */
  readonly api: string;
  /** The version that the client chose. */
  readonly version: number;
  /** The broker that was asked. */
  readonly brokerId: number;
  /** What the client calls itself; null if it gave no name. */
  readonly clientId: string | null;
  /** Requests of equal numbers came through the same connection. */
  readonly connectionId: number;
  /** When it arrived, in milliseconds since 1970 on the cluster's clock. */
  readonly timeMs: number;
  /** The request, decoded: Kafka's field names in camelCase. */
  readonly message: RequestOf<A>;
}

/** Which requests are meant; whatever is left out is not looked at. */
export interface RequestFilter<A extends ApiSelector = ApiName> {
  /** Kafka's name of the API, or the API as it stands in `apis` of `kavka/protocol`. */
  readonly api?: A;
  /** The id of the broker that was asked. */
  readonly broker?: number;
  /** The `clientId` of the client that asked. */
  readonly clientId?: string;
  /** A look into the request; whatever is thrown here ends the request's connection. */
  readonly when?: (request: TestRequest<A>) => boolean;
}

/** A request as tests see it. */
export function testRequestOf(request: ArrivedRequest): TestRequest {
  const { handler, message, context } = request;
  return {
    api: handler.api.name,
    version: context.version,
    brokerId: context.broker.id,
    clientId: context.clientId,
    connectionId: context.connection.id,
    timeMs: context.cluster.clock.wallMs(),
    message: message as TestRequest['message'],
  };
}

export function matches<A extends ApiSelector>(filter: RequestFilter<A>, request: TestRequest): boolean {
  const { api, broker, clientId, when } = filter;
  if (api !== undefined && apiNameOf(api) !== request.api) return false;
  if (broker !== undefined && broker !== request.brokerId) return false;
  if (clientId !== undefined && clientId !== request.clientId) return false;
  return when === undefined || when(request);
}

/** What there is to filter by. */
export interface KnownNames {
  readonly apis: readonly string[];
  readonly brokerIds: readonly number[];
}

/** @throws UsageError for an API or a broker that does not exist: such a filter would never match, and a test pass for nothing */
export function checkFilter({ api, broker }: RequestFilter<ApiSelector>, { apis, brokerIds }: KnownNames): void {
  const name = api === undefined ? undefined : apiNameOf(api);
  if (name !== undefined && !apis.includes(name)) {
    const near = nearestName(name, apis);
    const advice = near === undefined ? `these are answered: ${apis.join(', ')}` : `did you mean ${near}?`;
    throw refused(`no API ${quote(name)}; ${advice}`);
  }
  if (broker !== undefined && !brokerIds.includes(broker))
    throw refused(`no broker ${quote(broker)}; there are ${brokerIds.join(', ')}`);
}

function refused(what: string): UsageError {
  return new UsageError(`Cannot look for requests: there is ${what}`, { code: 'INVALID_ARGUMENT' });
}

/** How a filter reads in a message. */
export function describeFilter({ api, broker, clientId, when }: RequestFilter<ApiSelector>): string {
  const parts = [api === undefined ? 'requests' : `${apiNameOf(api)} requests`];
  if (broker !== undefined) parts.push(`to broker ${broker}`);
  if (clientId !== undefined) parts.push(`of client "${clientId}"`);
  if (when !== undefined) parts.push('that meet the condition');
  return parts.join(' ');
}
