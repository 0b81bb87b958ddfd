import { abortSignal } from '../cluster/call-options.ts';
import { boolean, integer, listOf, nonEmptyString, object, oneOf, type OptionRule } from '../util/option-rules.ts';
import { principal } from './principals.ts';

const bigint: OptionRule = { expected: 'a bigint', accepts: (value) => typeof value === 'bigint' };

/** What the options of administrative calls accept; a call that has no use for one leaves it alone. */
export const callOptionRules: Readonly<Record<string, OptionRule>> = {
  signal: abortSignal,
  timeoutMs: integer(1, 0x7fff_ffff),
  settled: boolean,
  ifExists: boolean,
  ifNotExists: boolean,
  validateOnly: boolean,
  wait: boolean,
  allowReplicationFactorChange: boolean,
  includeInternal: boolean,
  includeSynonyms: boolean,
  includeDocumentation: boolean,
  requireStable: boolean,
  names: listOf(nonEmptyString),
  states: listOf(nonEmptyString),
  types: listOf(nonEmptyString),
  producerIds: listOf(bigint),
  openForMs: integer(0, Number.MAX_SAFE_INTEGER),
  transactionalIdPattern: nonEmptyString,
  isolationLevel: oneOf(['read_uncommitted', 'read_committed']),
  partitions: listOf(object),
  brokerId: integer(0, 0x7fff_ffff),
  reason: nonEmptyString,
  owner: principal,
  owners: listOf(principal),
  renewers: listOf(principal),
  maxLifetimeMs: integer(1, Number.MAX_SAFE_INTEGER),
  renewPeriodMs: integer(1, Number.MAX_SAFE_INTEGER),
  expiryPeriodMs: integer(0, Number.MAX_SAFE_INTEGER),
};

/** What other clients call these options. */
export const otherOptionNames: Readonly<Record<string, string>> = {
  timeout: 'use timeoutMs',
  waitForLeaders: 'createTopics always waits for leaders',
  statesFilter: 'use states',
  durationMs: 'use openForMs',
  nodeId: 'use brokerId',
  renewTimePeriodMs: 'use renewPeriodMs',
  expiryTimePeriodMs: 'use expiryPeriodMs',
  maxLifespanMs: 'use maxLifetimeMs',
  maxlifeTimeMs: 'use maxLifetimeMs',
  listInternal: 'use includeInternal',
};
