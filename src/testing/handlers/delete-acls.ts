import { DeleteAcls } from '../../protocol/generated/delete-acls.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { Acls } from '../security/acls.ts';
import { Authorizer } from '../security/authorizer.ts';
import { refusal } from '../state/topic-plans.ts';

/**
 * DeleteAcls, versions 1-3.
 *
 * Does: remove the rules that match a filter, and tell which they were.
 * Leaves out: delegation tokens.
 * v1 kinds of pattern (KIP-290) · v2 flexible · v3 users as resources
 */
export const deleteAclsHandler: AnyHandler = defineHandler(DeleteAcls, (request, { cluster }) => {
  const isEnabled = cluster.service(Authorizer).isEnabled;
  return {
    filterResults: request.filters.map((filter) =>
      isEnabled
        ? {
            errorMessage: null,
            matchingAcls: cluster
              .service(Acls)
              .remove(filter)
              .map((acl) => ({ ...acl, errorMessage: null })),
          }
        : { ...refusal('SECURITY_DISABLED', 'There is no authorizer'), matchingAcls: [] },
    ),
  };
});
