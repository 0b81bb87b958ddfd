import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import {
  DescribeClientQuotas,
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasRequestComponentData,
} from '../../protocol/generated/describe-client-quotas.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { ClientQuotas, quotaEntityTypes, type QuotaEntity, type QuotaEntityType } from '../security/client-quotas.ts';

/**
 * DescribeClientQuotas, versions 0-1 (KIP-546).
 *
 * Does: entities by name, by default, or any of a kind; only those that are made of nothing else, if it is to be strict.
 * Leaves out: -
 * v1 flexible
 */
export const describeClientQuotasHandler: AnyHandler = defineHandler(DescribeClientQuotas, (request, { cluster }) => {
  const problem = problemOf(request);
  if (problem !== undefined) {
    return { errorCode: brokerErrorCodes.INVALID_REQUEST, errorMessage: problem, entries: null };
  }
  const found = cluster
    .service(ClientQuotas)
    .all()
    .filter(({ entity }) => matches(entity, request));
  return {
    errorMessage: '',
    entries: found.map(({ entity, values }) => ({
      entity: Object.entries(entity).map(([entityType, entityName]) => ({ entityType, entityName })),
      values: [...values].map(([key, value]) => ({ key, value })),
    })),
  };
});

const exact = 0;
const byDefault = 1;
const any = 2;

function problemOf({ components }: DescribeClientQuotasRequest): string | undefined {
  const types = components.map(({ entityType }) => entityType);
  if (new Set(types).size < types.length) return 'A kind of entity is named twice';
  if (types.includes('ip') && types.length > 1) return 'An address has quotas of its own';
  if (types.includes('')) return 'A kind of entity has no name';
  for (const { matchType, match } of components) {
    if (matchType < exact || matchType > any) return `There is no kind of match ${matchType}`;
    if ((matchType === exact) !== (match !== null)) return 'A name stands where it is to be matched, and only there';
  }
  return undefined;
}

function matches(entity: QuotaEntity, { components, strict }: DescribeClientQuotasRequest): boolean {
  if (strict && Object.keys(entity).length !== components.length) return false;
  return components.every((component) => matchesComponent(entity, component));
}

function matchesComponent(
  entity: QuotaEntity,
  { entityType, matchType, match }: DescribeClientQuotasRequestComponentData,
): boolean {
  const type = quotaEntityTypes.find((known): known is QuotaEntityType => known === entityType);
  if (type === undefined || !(type in entity)) return false;
  if (matchType === any) return true;
  return matchType === byDefault ? entity[type] === null : entity[type] === match;
}
