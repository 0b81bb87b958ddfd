import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';
import { DescribeUserScramCredentials } from '../../protocol/generated/describe-user-scram-credentials.ts';
import { defineHandler, type AnyHandler } from '../handler.ts';
import { Credentials, scramMechanisms } from '../security/credentials.ts';
import { refusal } from '../state/topic-plans.ts';

/**
 * DescribeUserScramCredentials, version 0 (KIP-554).
 *
 * Does: mechanisms and iterations of all users, or of those named.
 * Leaves out: -
 */
export const describeUserScramCredentialsHandler: AnyHandler = defineHandler(
  DescribeUserScramCredentials,
  ({ users }, { cluster }) => {
    const credentials = cluster.service(Credentials);
    const names = users === null || users.length === 0 ? credentials.scramUsers() : users.map(({ name }) => name);
    const describe = (user: string): object => {
      if (names.indexOf(user) !== names.lastIndexOf(user))
        return { user, ...refusal('DUPLICATE_RESOURCE', 'The user is named more than once') };
      const credentialInfos = scramMechanisms.flatMap((mechanism, index) => {
        const credential = credentials.scram(user, mechanism);
        return credential === undefined ? [] : [{ mechanism: index + 1, iterations: credential.iterations }];
      });
      if (credentialInfos.length > 0) return { user, errorCode: 0, errorMessage: '', credentialInfos };
      return {
        user,
        errorCode: brokerErrorCodes.RESOURCE_NOT_FOUND,
        errorMessage: 'The user has no credential for SCRAM',
      };
    };
    return { errorMessage: null, results: [...new Set(names)].map(describe) };
  },
);
