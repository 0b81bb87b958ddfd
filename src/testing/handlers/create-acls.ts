import { CreateAcls, type CreateAclsRequestAclCreation } from '../../protocol/generated/create-acls.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { Acls } from '../security/acls.ts';
import { Authorizer } from '../security/authorizer.ts';
import { clusterName, operation, patternType, permission, resourceType } from '../security/resources.ts';
import { refusal, type Refusal } from '../state/topic-plans.ts';

/**
 * CreateAcls, versions 1-3.
 *
 * Does: rules for one name, for names that begin alike, and for all (`*`); refuses rules that could never match.
 * Leaves out: delegation tokens.
 * v1 kinds of pattern (KIP-290) · v2 flexible · v3 users as resources
 */
export const createAclsHandler: AnyHandler = defineHandler(CreateAcls, (request, { cluster }) => {
  const isEnabled = cluster.service(Authorizer).isEnabled;
  return {
    results: request.creations.map((creation) => {
      const refused = isEnabled ? problemOf(creation) : refusal('SECURITY_DISABLED', 'There is no authorizer');
      if (refused !== undefined) return refused;
      const { resourcePatternType, ...acl } = creation;
      cluster.service(Acls).add({ ...acl, patternType: resourcePatternType });
      return { errorCode: 0, errorMessage: null };
    }),
  };
});

function problemOf(acl: CreateAclsRequestAclCreation): Refusal | undefined {
  const wrong = (what: string): Refusal => refusal('INVALID_REQUEST', what);
  // Kafka fails on numbers that only filters may have, instead of refusing them.
  const failed = refusal('UNKNOWN_SERVER_ERROR', null);
  if (acl.resourceType < resourceType.topic || acl.resourceType > resourceType.user) return failed;
  if (acl.resourcePatternType !== patternType.literal && acl.resourcePatternType !== patternType.prefixed)
    return failed;
  if (acl.resourceName === '') return wrong('The resource has no name');
  if (acl.resourceType === resourceType.cluster && acl.resourceName !== clusterName)
    return wrong(`The cluster is called ${clusterName}`);
  if (acl.operation < operation.all || acl.operation > operation.twoPhaseCommit) return failed;
  if (acl.permissionType !== permission.allow && acl.permissionType !== permission.deny) return failed;
  if (!/^[^:]+:.+$/.test(acl.principal)) return wrong(`"${acl.principal}" is not a type and a name, as User:anna is`);
  return undefined;
}
