/** Who a quota is for: a user, a client id, both, or an address; null stands for the default of its kind. */
export type QuotaEntity = Readonly<Partial<Record<QuotaEntityType, string | null>>>;

/** The kinds of entities that quotas are for, by Kafka's names. */
export const quotaEntityTypes = ['user', 'client-id', 'ip'] as const;
/** One of {@link quotaEntityTypes}. */
export type QuotaEntityType = (typeof quotaEntityTypes)[number];

/** The quotas of users and clients, by Kafka's names. */
export const quotaKeys = [
  'producer_byte_rate',
  'consumer_byte_rate',
  'request_percentage',
  'controller_mutation_rate',
] as const;
/** The quota of addresses. */
export const ipQuotaKey = 'connection_creation_rate';

/** One entity with what was set for it. */
export interface QuotaEntry {
  readonly entity: QuotaEntity;
  readonly values: ReadonlyMap<string, number>;
}

/** A {@link QuotaEntry} as JSON. */
export interface SavedQuotas {
  readonly entity: QuotaEntity;
  readonly values: Readonly<Record<string, number>>;
}

/** What was set for whom; a service of the cluster's state. */
export class ClientQuotas {
  readonly #entries = new Map<string, { readonly entity: QuotaEntity; readonly values: Map<string, number> }>();

  set(entity: QuotaEntity, key: string, value: number): void {
    const name = nameOf(entity);
    const entry = this.#entries.get(name) ?? { entity, values: new Map<string, number>() };
    entry.values.set(key, value);
    this.#entries.set(name, entry);
  }

  remove(entity: QuotaEntity, key: string): void {
    const entry = this.#entries.get(nameOf(entity));
    entry?.values.delete(key);
    if (entry?.values.size === 0) this.#entries.delete(nameOf(entity));
  }

  all(): readonly QuotaEntry[] {
    return [...this.#entries.values()];
  }

  snapshot(): readonly SavedQuotas[] {
    return this.all().map(({ entity, values }) => ({ entity, values: Object.fromEntries(values) }));
  }

  restore(saved: readonly SavedQuotas[]): void {
    for (const { entity, values } of saved)
      for (const [key, value] of Object.entries(values)) this.set(entity, key, value);
  }

  /** What holds for a client: the closest of the entities that speak of it, by Kafka's order. */
  limit(user: string, clientId: string, key: string): { readonly value: number; readonly scope: string } | undefined {
    const candidates: QuotaEntity[] = [
      { user, 'client-id': clientId },
      { user, 'client-id': null },
      { user },
      { user: null, 'client-id': clientId },
      { user: null, 'client-id': null },
      { user: null },
      { 'client-id': clientId },
      { 'client-id': null },
    ];
    for (const entity of candidates) {
      const value = this.#entries.get(nameOf(entity))?.values.get(key);
      // Those whom the same default holds for do not share it: each has its own count.
      if (value !== undefined) return { value, scope: scopeOf(entity, user, clientId) };
    }
    return undefined;
  }
}

function nameOf(entity: QuotaEntity): string {
  return JSON.stringify(quotaEntityTypes.map((type) => (type in entity ? [entity[type] ?? null] : [])));
}

function scopeOf(entity: QuotaEntity, user: string, clientId: string): string {
  return JSON.stringify(['user' in entity ? user : undefined, 'client-id' in entity ? clientId : undefined]);
}
