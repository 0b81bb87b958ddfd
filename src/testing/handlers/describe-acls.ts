import { DescribeAcls } from '../../protocol/generated/describe-acls.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { Acls, type Acl } from '../security/acls.ts';
import { Authorizer } from '../security/authorizer.ts';
import { refusal } from '../state/topic-plans.ts';

/**
 * DescribeAcls, versions 1-3.
 *
 * Does: rules that match a filter, those that would apply to a name (`MATCH`) included, gathered by resource.
 * Leaves out: delegation tokens.
 * v1 kinds of pattern (KIP-290) · v2 flexible · v3 users as resources
 */
export const describeAclsHandler: AnyHandler = defineHandler(DescribeAcls, (filter, { cluster }) => {
  if (!cluster.service(Authorizer).isEnabled) return refusal('SECURITY_DISABLED', 'There is no authorizer');
  const byResource = new Map<string, Acl[]>();
  for (const acl of cluster.service(Acls).find(filter)) {
    const key = `${acl.resourceType} ${acl.patternType} ${acl.resourceName}`;
    byResource.set(key, [...(byResource.get(key) ?? []), acl]);
  }
  const resources = [...byResource.values()].flatMap((acls) => {
    const [first] = acls;
    if (first === undefined) return [];
    const { resourceType, resourceName, patternType } = first;
    const told = acls.map(({ principal, host, operation, permissionType }) => ({
      principal,
      host,
      operation,
      permissionType,
    }));
    return [{ resourceType, resourceName, patternType, acls: told }];
  });
  return { errorMessage: '', resources };
});
