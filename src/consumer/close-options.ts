import { duration } from '../cluster/call-options.ts';
import { oneOf, type OptionRule } from '../util/option-rules.ts';

/** How {@link Consumer.close} goes about it. */
export interface CloseOptions {
  /** How long it may take, in milliseconds. @defaultValue 30000 */
  readonly timeoutMs?: number | undefined;
  /**
   * What becomes of the membership: `leave` tells the group, so that others get the partitions at once, also from a static member; `remain`
   * goes without a word, so that they wait for it until its session ends. Java: `CloseOptions.groupMembershipOperation` (KIP-1092).
   *
   * @defaultValue 'default': a dynamic member leaves, a static one remains
   */
  readonly groupMembership?: 'default' | 'leave' | 'remain' | undefined;
}

/** What {@link CloseOptions} accept. */
export const closeOptionRules: Readonly<Record<keyof CloseOptions, OptionRule>> = {
  timeoutMs: duration,
  groupMembership: oneOf(['default', 'leave', 'remain']),
};
