import type { SettledItem } from '../errors/admin-error.ts';
import {
  AlterClientQuotas,
  type AlterClientQuotasRequestEntryData,
} from '../protocol/generated/alter-client-quotas.ts';
import {
  DescribeClientQuotas,
  type DescribeClientQuotasRequestComponentData,
  type DescribeClientQuotasResponseEntryData,
} from '../protocol/generated/describe-client-quotas.ts';
import {
  adviceOn,
  boolean,
  nonEmptyString,
  object,
  oneOf,
  anyOf,
  quote,
  type OptionRule,
} from '../util/option-rules.ts';
import type { AdminCall } from './admin-call.ts';
import { checkedFields, type ItemCheck } from './item-check.ts';
import {
  fulfilled,
  inRounds,
  orRejected,
  refused,
  refuseTwice,
  rejected,
  unanswered,
  type AdminOptions,
  type ItemOutcome,
} from './items.ts';

/**
 * Whom quotas are for: a user, a client id, both together, or an address, each by name, or by `null` for all those that have no quotas
 * under their own name. Java: `ClientQuotaEntity`.
 */
export interface ClientQuotaEntity {
  /** The name that clients log in with; `null` for the default of users. */
  readonly user?: string | null | undefined;
  /** Their `clientId`; `null` for the default of client ids. */
  readonly clientId?: string | null | undefined;
  /** The address that they connect from, which has quotas of its own (KIP-612, brokers from 2.7); `null` for the default of addresses. */
  readonly ip?: string | null | undefined;
}

/**
 * A quota, by Kafka's name, and what it limits, per broker:
 *
 * - `producer_byte_rate`, `consumer_byte_rate`: bytes per second that are sent to it, or fetched from it
 * - `request_percentage`: time of its threads, in percent of one thread (KIP-124)
 * - `controller_mutation_rate`: partitions that are created and deleted, per second (KIP-599, brokers from 2.7)
 * - `connection_creation_rate`: connections per second, for addresses only (KIP-612, brokers from 2.7)
 */
export type ClientQuotaKey =
  | 'producer_byte_rate'
  | 'consumer_byte_rate'
  | 'request_percentage'
  | 'controller_mutation_rate'
  | 'connection_creation_rate';

/** The quotas that were set for an entity. */
export interface ClientQuotas {
  /** Whom they are for; it has only the fields that it is made of. */
  readonly entity: ClientQuotaEntity;
  /** What was set for it. Quotas that only a newer broker knows are there as well, under its names. */
  readonly quotas: Readonly<Partial<Record<ClientQuotaKey, number>>>;
}

/** What to change about the quotas of an entity. Java: `ClientQuotaAlteration`. */
export interface ClientQuotaAlteration {
  /** Whom they are for. */
  readonly entity: ClientQuotaEntity;
  /**
   * New values, above 0 and without a fraction (which percentages and rates of mutations may have); `null` removes a quota. What is not named,
   * or `undefined`, stays as it is.
   */
  readonly quotas: Readonly<Partial<Record<ClientQuotaKey, number | null | undefined>>>;
}

/**
 * Whose quotas are meant: entities that are made of all that is given, each by name, by `null` (the default of its kind), or by `true` (any,
 * the default included). Java: `ClientQuotaFilter`.
 */
export interface ClientQuotaFilter {
  /** The user. */
  readonly user?: string | true | null | undefined;
  /** The client id. */
  readonly clientId?: string | true | null | undefined;
  /** The address; beside no other. */
  readonly ip?: string | true | null | undefined;
  /**
   * Only entities that are made of nothing else: `{ user: 'alice', strict: true }` leaves out the quotas of alice with a certain client id.
   * Java: `containsOnly`.
   *
   * @defaultValue false
   */
  readonly strict?: boolean | undefined;
}

/** How quotas are changed. */
export interface AlterClientQuotasOptions extends AdminOptions {
  /** Only checks whether the changes could be made. @defaultValue false */
  readonly validateOnly?: boolean | undefined;
}

type EntityField = keyof ClientQuotaEntity;

/** Kafka's names of what an entity is made of. */
const entityTypes: Readonly<Record<EntityField, string>> = { user: 'user', clientId: 'client-id', ip: 'ip' };
const entityFields = Object.keys(entityTypes) as EntityField[];

const rate: OptionRule = {
  expected: 'a number above 0',
  accepts: (value) => typeof value === 'number' && Number.isFinite(value) && value > 0,
};
const wholeRate: OptionRule = {
  expected: 'a whole number above 0',
  accepts: (value) => rate.accepts(value) && Number.isInteger(value),
};

const ipQuota: ClientQuotaKey = 'connection_creation_rate';
const quotaRules: Readonly<Record<ClientQuotaKey, OptionRule>> = {
  producer_byte_rate: wholeRate,
  consumer_byte_rate: wholeRate,
  request_percentage: rate,
  controller_mutation_rate: rate,
  connection_creation_rate: wholeRate,
};
const quotaKeys = Object.keys(quotaRules) as ClientQuotaKey[];

const matchTypes = { exact: 0, default: 1, any: 2 } as const;

const nothing: OptionRule = { expected: 'null for the default', accepts: (value) => value === null };
const everything: OptionRule = { expected: 'true for any', accepts: (value) => value === true };
const name = anyOf(nonEmptyString, nothing);
const match = anyOf(nonEmptyString, nothing, everything);

const otherNames = {
  'client-id': 'use clientId',
  client: 'use clientId',
  userName: 'use user',
  entityType: 'use user, clientId or ip',
  components: 'use user, clientId and ip',
  signal: 'options are the second argument',
  timeoutMs: 'options are the second argument',
};

const alterationFields = checkedFields<ClientQuotaAlteration>(
  'a change of quotas',
  { entity: object, quotas: object },
  ['entity', 'quotas'],
  {
    user: "use entity: { user: '…' }",
    clientId: "use entity: { clientId: '…' }",
    ip: "use entity: { ip: '…' }",
    ops: 'use quotas: { producer_byte_rate: 1048576 }',
    set: 'use quotas',
    delete: 'use quotas, with null for those to be removed',
    ...Object.fromEntries(quotaKeys.map((key) => [key, `use quotas: { ${key}: … }`])),
  },
);

const filterFields = checkedFields<ClientQuotaFilter>(
  'a filter for quotas',
  { user: match, clientId: match, ip: match, strict: boolean },
  [],
  { ...otherNames, entity: 'use user, clientId and ip' },
);

const entityProblem = checkedFields<ClientQuotaEntity>(
  'an entity that has quotas',
  { user: name, clientId: name, ip: name },
  [],
  otherNames,
);

/** What is wrong with a filter for quotas. */
export const quotaFilter: ItemCheck = (item) => filterFields(item) ?? togetherProblem(item as ClientQuotaFilter);

/** What is wrong with a change of quotas. */
export const quotaAlteration: ItemCheck = (item) => {
  const problem = alterationFields(item);
  if (problem !== undefined) return problem;
  const { entity, quotas } = item as ClientQuotaAlteration;
  const ofEntity = entityProblem(entity) ?? togetherProblem(entity);
  if (ofEntity !== undefined) return ofEntity;
  if (madeOf(entity).length === 0) return 'the entity is nobody; give it a user, a clientId or an ip';
  return quotasProblem(quotas, isAddress(entity));
};

function togetherProblem(entity: ClientQuotaEntity | ClientQuotaFilter): string | undefined {
  if (!isAddress(entity) || madeOf(entity).length === 1) return undefined;
  return 'an ip given beside a user or a clientId; addresses have quotas of their own';
}

function quotasProblem(quotas: ClientQuotaAlteration['quotas'], forAddress: boolean): string | undefined {
  const known = quotaKeys.filter((key) => (key === ipQuota) === forAddress);
  const whose = forAddress ? 'an address' : 'users and client ids';
  for (const [name, value] of Object.entries(quotas)) {
    const key = known.find((candidate) => candidate === name);
    if (key === undefined) {
      const advice = adviceOn(name, known, {}) ?? `it must be ${oneOf(known).expected}`;
      return `there is no quota ${quote(name)} for ${whose}; ${advice}`;
    }
    if (value === null || value === undefined || quotaRules[key].accepts(value)) continue;
    return `${quote(value)} given for ${key}, where ${quotaRules[key].expected}, or null to remove it, was expected`;
  }
  if (Object.values(quotas).some((value) => value !== undefined)) return undefined;
  return `no quota given to change; name ${oneOf(known).expected}`;
}

function isAddress(entity: ClientQuotaEntity | ClientQuotaFilter): boolean {
  return entity.ip !== undefined;
}

function madeOf(entity: ClientQuotaEntity | ClientQuotaFilter): EntityField[] {
  return entityFields.filter((field) => entity[field] !== undefined);
}

/** The quotas that a filter finds. */
export async function describeClientQuotas(call: AdminCall, filter: ClientQuotaFilter): Promise<ClientQuotas[]> {
  const { entries } = await call.request({
    api: DescribeClientQuotas,
    to: { kind: 'any' },
    message: {
      components: madeOf(filter).map((field) => componentMessage(entityTypes[field], filter[field])),
      strict: filter.strict === true,
    },
    errorCode: (answer) => answer.errorCode,
    errorMessage: (answer) => answer.errorMessage,
  });
  return (entries ?? []).map(quotasOf);
}

/** Sets and removes quotas. */
export async function alterClientQuotas(
  call: AdminCall,
  items: readonly ClientQuotaAlteration[],
  options: AlterClientQuotasOptions,
): Promise<SettledItem<void>[]> {
  refuseTwice(
    call.doing,
    items,
    ({ entity }) => entityKey(entityMessage(entity)),
    ({ entity }) => `two changes given for ${entityText(entity)}; put all its quotas into one`,
  );
  return inRounds(call, items, (left) =>
    orRejected(left, async () => {
      const { entries } = await call.request({
        api: AlterClientQuotas,
        to: { kind: 'any' },
        message: { entries: left.map(alterationMessage), validateOnly: options.validateOnly === true },
      });
      return left.map(({ entity }): ItemOutcome<void> => {
        const doing = `Cannot alter the quotas of ${entityText(entity)}`;
        const wanted = entityKey(entityMessage(entity));
        const result = entries.find((candidate) => entityKey(candidate.entity) === wanted);
        if (result === undefined) return rejected(unanswered(doing));
        return result.errorCode === 0 ? fulfilled(undefined) : refused(result.errorCode, doing, result.errorMessage);
      });
    }),
  );
}

function componentMessage(
  entityType: string,
  wanted: string | true | null | undefined,
): DescribeClientQuotasRequestComponentData {
  if (typeof wanted === 'string') return { entityType, matchType: matchTypes.exact, match: wanted };
  return { entityType, matchType: wanted === true ? matchTypes.any : matchTypes.default, match: null };
}

function alterationMessage({ entity, quotas }: ClientQuotaAlteration): AlterClientQuotasRequestEntryData {
  const ops = Object.entries(quotas).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: value ?? 0, remove: value === null }],
  );
  return { entity: entityMessage(entity), ops };
}

interface EntityPart {
  readonly entityType: string;
  readonly entityName: string | null;
}

function entityMessage(entity: ClientQuotaEntity): { entityType: string; entityName: string | null }[] {
  return madeOf(entity).map((field) => ({ entityType: entityTypes[field], entityName: entity[field] ?? null }));
}

/** The same for the same entity, in whichever order its parts are named. */
function entityKey(parts: readonly EntityPart[]): string {
  return JSON.stringify(parts.map(({ entityType, entityName }) => [entityType, entityName]).sort());
}

function quotasOf({ entity, values }: DescribeClientQuotasResponseEntryData): ClientQuotas {
  const parts = entity.map(({ entityType, entityName }) => {
    const field = entityFields.find((candidate) => entityTypes[candidate] === entityType);
    return [field ?? entityType, entityName];
  });
  return {
    entity: Object.fromEntries(parts) as ClientQuotaEntity,
    quotas: Object.fromEntries(values.map(({ key, value }) => [key, value])),
  };
}

/** `user "alice" with clientId "web"`, `the default user` */
function entityText(entity: ClientQuotaEntity): string {
  return madeOf(entity)
    .map((field) => (entity[field] === null ? `the default ${field}` : `${field} ${quote(entity[field])}`))
    .join(' with ');
}
