import type { RequestContext } from '../handler.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { Acls, type Acl } from './acls.ts';
import { operation, permission, supportedOperations } from './resources.ts';

/** Who asks, and from where. */
export type Requester = Pick<RequestContext['connection'], 'principal' | 'clientHost'>;

/**
 * Decides what a principal may do, by Kafka's rules: denials win, super users may everything, and a resource without rules is
 * closed unless `allow.everyone.if.no.acl.found`. Without `authorizer.class.name` everybody may everything.
 */
export class Authorizer {
  readonly #cluster: ClusterState;
  readonly #acls: Acls;

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
    this.#acls = cluster.service(Acls);
  }

  /** Whether there is an authorizer at all. */
  get isEnabled(): boolean {
    return this.#cluster.brokerConfig('authorizer.class.name') !== '';
  }

  allows(requester: Requester, wanted: number, type: number, name: string): boolean {
    if (!this.isEnabled || this.#isSuperUser(requester.principal)) return true;
    const about = this.#acls.about(type, name).filter((acl) => isFor(acl, requester));
    if (about.some((acl) => acl.permissionType === permission.deny && isOperation(acl, wanted))) return false;
    if (this.#acls.about(type, name).length === 0) {
      return this.#cluster.brokerConfig('allow.everyone.if.no.acl.found') === 'true';
    }
    const enough = [wanted, ...(impliedBy.get(wanted) ?? [])];
    return about.some(
      (acl) => acl.permissionType === permission.allow && enough.some((each) => isOperation(acl, each)),
    );
  }

  /** Whether the operation is allowed on any resource of this type (KIP-679: whoever may write somewhere may be idempotent). */
  allowsSomewhere(requester: Requester, wanted: number, type: number): boolean {
    if (!this.isEnabled || this.#isSuperUser(requester.principal)) return true;
    const names = new Set(this.#acls.ofType(type).map((acl) => acl.resourceName));
    if ([...names].some((name) => this.allows(requester, wanted, type, name))) return true;
    return this.#cluster.brokerConfig('allow.everyone.if.no.acl.found') === 'true';
  }

  /** What the requester may do with a resource, one bit per operation (KIP-430). */
  authorizedOperations(requester: Requester, type: number, name: string): number {
    const allowed = (supportedOperations.get(type) ?? []).filter((each) => this.allows(requester, each, type, name));
    return allowed.reduce((bits, each) => bits | (1 << each), 0);
  }

  #isSuperUser(principal: string): boolean {
    return this.#cluster.brokerConfig('super.users').split(';').includes(principal);
  }
}

/** Whoever may do one of these may look as well. */
const impliedBy: ReadonlyMap<number, readonly number[]> = new Map([
  [operation.describe, [operation.read, operation.write, operation.delete, operation.alter]],
  [operation.describeConfigs, [operation.alterConfigs]],
]);

function isFor(acl: Acl, { principal, clientHost }: Requester): boolean {
  return (acl.principal === principal || acl.principal === 'User:*') && (acl.host === '*' || acl.host === clientHost);
}

function isOperation(acl: Acl, wanted: number): boolean {
  return acl.operation === wanted || acl.operation === operation.all;
}
