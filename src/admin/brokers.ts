import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { UnregisterBroker } from '../protocol/generated/unregister-broker.ts';
import type { AdminCall } from './admin-call.ts';

/** Has the cluster forget a broker that will not come back. */
export async function unregisterBroker(call: AdminCall, brokerId: number): Promise<void> {
  let tries = 0;
  await call.request({
    api: UnregisterBroker,
    to: { kind: 'any' },
    message: () => {
      tries += 1;
      return { brokerId };
    },
    errorCode: ({ errorCode }) => {
      // The answer to an earlier try may have been lost after the broker was forgotten.
      const isGone = tries > 1 && errorCode === brokerErrorCodes.BROKER_ID_NOT_REGISTERED;
      return isGone ? 0 : errorCode;
    },
    errorMessage: ({ errorMessage }) => errorMessage,
  });
}
