import { operation, patternType, permission, resourceType } from './resources.ts';

/** One rule of access. */
export interface Acl {
  readonly resourceType: number;
  readonly resourceName: string;
  readonly patternType: number;
  readonly principal: string;
  readonly host: string;
  readonly operation: number;
  readonly permissionType: number;
}

/** Which rules are meant; null and the numbers for "any" match all. */
export interface AclFilter {
  readonly resourceTypeFilter: number;
  readonly resourceNameFilter: string | null;
  readonly patternTypeFilter: number;
  readonly principalFilter: string | null;
  readonly hostFilter: string | null;
  readonly operation: number;
  readonly permissionType: number;
}

/** The rules of access of a cluster; a service of its state. */
export class Acls {
  readonly #acls = new Map<string, Acl>();

  /** Adds a rule; one that is there already stays. */
  add(acl: Acl): void {
    this.#acls.set(JSON.stringify(acl), { ...acl });
  }

  find(filter: AclFilter): Acl[] {
    return [...this.#acls.values()].filter((acl) => matches(filter, acl));
  }

  remove(filter: AclFilter): Acl[] {
    const gone = this.find(filter);
    for (const acl of gone) this.#acls.delete(JSON.stringify(acl));
    return gone;
  }

  /** The rules that speak of this resource, by its name, by the beginning of its name, or by `*`. */
  about(type: number, name: string): Acl[] {
    return [...this.#acls.values()].filter((acl) => acl.resourceType === type && covers(acl, name));
  }

  /** The rules about any resource of this type. */
  ofType(type: number): Acl[] {
    return [...this.#acls.values()].filter((acl) => acl.resourceType === type);
  }

  snapshot(): readonly Acl[] {
    return [...this.#acls.values()];
  }

  restore(acls: readonly Acl[]): void {
    for (const acl of acls) this.add(acl);
  }
}

function covers(acl: Pick<Acl, 'patternType' | 'resourceName'>, name: string): boolean {
  if (acl.patternType === patternType.prefixed) return name.startsWith(acl.resourceName);
  return acl.resourceName === name || acl.resourceName === '*';
}

function matches(filter: AclFilter, acl: Acl): boolean {
  return (
    (filter.resourceTypeFilter === resourceType.any || filter.resourceTypeFilter === acl.resourceType) &&
    matchesName(filter, acl) &&
    (filter.principalFilter === null || filter.principalFilter === acl.principal) &&
    (filter.hostFilter === null || filter.hostFilter === acl.host) &&
    (filter.operation === operation.any || filter.operation === acl.operation) &&
    (filter.permissionType === permission.any || filter.permissionType === acl.permissionType)
  );
}

function matchesName({ patternTypeFilter, resourceNameFilter }: AclFilter, acl: Acl): boolean {
  if (patternTypeFilter === patternType.match) return resourceNameFilter === null || covers(acl, resourceNameFilter);
  if (patternTypeFilter !== patternType.any && patternTypeFilter !== acl.patternType) return false;
  return resourceNameFilter === null || resourceNameFilter === acl.resourceName;
}
