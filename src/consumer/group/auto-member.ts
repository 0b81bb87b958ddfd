import { chooseVersion } from '../../cluster/connection.ts';
import { retryBackoff } from '../../cluster/options.ts';
import { KafkaError } from '../../errors/kafka-error.ts';
import { asError } from '../../errors/thrown.ts';
import { ConsumerGroupHeartbeat } from '../../protocol/generated/consumer-group-heartbeat.ts';
import { backoffMs } from '../../util/backoff.ts';
import { delay } from '../../util/delay.ts';
import { quote } from '../../util/option-rules.ts';
import { isPassingFailure, type CommitIdentity } from '../offset-client.ts';
import { ConsumerGroupMember } from './consumer-group-member.ts';
import { CoordinatorLink } from './coordinator-link.ts';
import { GroupMember } from './group-member.ts';
import type { LeaveMode } from './reading-messages.ts';
import type { Membership, MembershipParts } from './membership.ts';

/** The feature that a cluster finalizes when its groups may use the new protocol. */
const GROUP_FEATURE = 'group.version';

/** A member that asks its coordinator, when the first reader comes, which protocol there is, and is a member by that from then on. */
export class AutoMember implements Membership {
  readonly #parts: MembershipParts;
  readonly #closing = new AbortController();
  #member: Membership | undefined;
  #deciding: Promise<void> | undefined;
  #isSubscribed = false;
  #readerWaits = false;
  #failure: Error | undefined;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** The member that it has become; undefined before. */
  get chosen(): Membership | undefined {
    return this.#member;
  }

  get identity(): CommitIdentity {
    return this.#member?.identity ?? { generationId: -1, memberId: '' };
  }

  get lastFailure(): Error | undefined {
    return this.#member?.lastFailure ?? this.#failure;
  }

  get needsReader(): boolean {
    return this.#member?.needsReader ?? false;
  }

  get isSettled(): boolean {
    return this.#member?.isSettled ?? false;
  }

  subscribed(): void {
    this.#isSubscribed = true;
    this.#member?.subscribed();
  }

  readerCame(): void {
    this.#readerWaits = true;
    if (this.#member === undefined) this.#deciding ??= this.#decide();
    this.#member?.readerCame();
  }

  readerLeft(): void {
    this.#readerWaits = false;
    this.#member?.readerLeft();
  }

  readerOverdue(): void {
    this.#member?.readerOverdue();
  }

  rejoin(reason: string): void {
    this.#member?.rejoin(reason);
  }

  async refused(identity: CommitIdentity, errorCode: number): Promise<boolean> {
    return (await this.#member?.refused(identity, errorCode)) ?? false;
  }

  async runReaderTasks(): Promise<void> {
    await this.#member?.runReaderTasks();
  }

  async leave(reason: string, mode: LeaveMode): Promise<void> {
    this.#closing.abort();
    await this.#member?.leave(reason, mode);
  }

  async #decide(): Promise<void> {
    const { cluster, groupId, lane } = this.#parts;
    const link = new CoordinatorLink(cluster, groupId, lane);
    for (let failures = 1; !this.#closing.signal.aborted; failures++) {
      try {
        const { versions } = await link.connection();
        if (this.#closing.signal.aborted) return;
        return this.#become((versions.finalizedFeature(GROUP_FEATURE) ?? 0) >= 1 && speaks(versions));
      } catch (cause) {
        const error = asError(cause);
        this.#failure = error;
        if (!isPassingFailure(error)) return this.#parts.onFatal(error);
        link.forget();
        await delay(
          cluster.clock,
          backoffMs(retryBackoff(cluster.options), failures, cluster.random()),
          this.#closing.signal,
        );
      }
    }
  }

  #become(isNew: boolean): void {
    const { topics, groupId, onFatal, onReaderNeeded } = this.#parts;
    const { re2 } = topics();
    if (!isNew && re2 !== undefined) {
      const message = `Cannot join group ${quote(groupId)}: the cluster has no groups of the new protocol, which the pattern ${quote(re2)} needs; use a RegExp`;
      return onFatal(new KafkaError(message, { code: 'UNSUPPORTED_VERSION' }));
    }
    const member = isNew ? new ConsumerGroupMember(this.#parts) : new GroupMember(this.#parts);
    this.#member = member;
    if (this.#isSubscribed) member.subscribed();
    if (this.#readerWaits) member.readerCame();
    onReaderNeeded();
  }
}

function speaks(versions: Parameters<typeof chooseVersion>[1]): boolean {
  try {
    return chooseVersion(ConsumerGroupHeartbeat, versions) >= 0;
  } catch {
    return false;
  }
}
