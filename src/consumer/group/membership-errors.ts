import { brokerErrorCodes } from '../../errors/broker-error-codes.ts';

const { NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE } = brokerErrorCodes;

/** Whether the coordinator is another one by now, and has to be looked for again. */
export function isCoordinatorGone(errorCode: number): boolean {
  return errorCode === NOT_COORDINATOR || errorCode === COORDINATOR_NOT_AVAILABLE;
}
