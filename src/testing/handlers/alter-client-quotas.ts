import {
  AlterClientQuotas,
  type AlterClientQuotasRequestEntryData,
} from '../../protocol/generated/alter-client-quotas.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { ClientQuotas, ipQuotaKey, quotaEntityTypes, quotaKeys, type QuotaEntity } from '../security/client-quotas.ts';
import { refusal, type Refusal } from '../state/topic-plans.ts';

/**
 * AlterClientQuotas, versions 0-1 (KIP-546).
 *
 * Does: quotas of users, client ids, both together, addresses, and of their defaults; dry runs. Those of bytes are held.
 * Leaves out: holding the quotas of time, of changes and of connections.
 * v1 flexible
 */
export const alterClientQuotasHandler: AnyHandler = defineHandler(AlterClientQuotas, (request, { cluster }) => {
  const quotas = cluster.service(ClientQuotas);
  return {
    entries: request.entries.map((entry) => {
      const refused = problemOf(entry);
      if (refused === undefined && !request.validateOnly) {
        const entity = entityOf(entry);
        for (const { key, value, remove } of entry.ops) {
          if (remove) quotas.remove(entity, key);
          else quotas.set(entity, key, value);
        }
      }
      const entity = [...new Map(entry.entity.map((each) => [each.entityType, each])).values()];
      return { entity, ...(refused ?? { errorCode: 0, errorMessage: null }) };
    }),
  };
});

/** The others are whole numbers. */
const fractionalQuotas: readonly string[] = ['request_percentage', 'controller_mutation_rate'];

function entityOf({ entity }: AlterClientQuotasRequestEntryData): QuotaEntity {
  return Object.fromEntries(entity.map(({ entityType, entityName }) => [entityType, entityName]));
}

function problemOf({ entity, ops }: AlterClientQuotasRequestEntryData): Refusal | undefined {
  const types = entity.map(({ entityType }) => entityType);
  const wrong = (what: string): Refusal => refusal('INVALID_REQUEST', what);
  if (types.length === 0) return wrong('The quota is for nobody');
  const strange = types.find((type) => !(quotaEntityTypes as readonly string[]).includes(type));
  if (strange !== undefined) return wrong(`There are no quotas for "${strange}"`);
  if (types.includes('ip') && new Set(types).size > 1) return wrong('An address has quotas of its own');
  if (entity.some(({ entityName }) => entityName === '')) return wrong('An entity has no name');
  const known: readonly string[] = types.includes('ip') ? [ipQuotaKey] : quotaKeys;
  for (const { key, value, remove } of ops) {
    if (!known.includes(key)) return wrong(`There is no quota ${key} for ${types.join(' and ')}`);
    if (remove) continue;
    if (!(value > 0)) return wrong(`A quota is above 0, not ${value}`);
    if (!fractionalQuotas.includes(key) && !Number.isInteger(value)) return wrong(`${key} is a whole number`);
  }
  return undefined;
}
