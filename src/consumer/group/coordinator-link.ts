import { chooseVersion, type Connection } from '../../cluster/connection.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { isKafkaError } from '../../errors/kafka-error.ts';
import type { Api, Input } from '../../protocol/api.ts';
import { LeaveGroup } from '../../protocol/generated/leave-group.ts';
import { quote } from '../../util/option-rules.ts';

/** The coordinator of a group, as its member talks to it: on a connection of its own. */
export class CoordinatorLink {
  readonly #cluster: Cluster;
  readonly #groupId: string;
  readonly #lane: string;

  constructor(cluster: Cluster, groupId: string, lane: string) {
    this.#cluster = cluster;
    this.#groupId = groupId;
    this.#lane = lane;
  }

  async connection(): Promise<Connection> {
    const nodeId = await this.#cluster.coordinator('group', this.#groupId);
    return this.#cluster.connection(nodeId, this.#lane);
  }

  async send<Req, Res>(api: Api<Req, Res>, message: Input<Req>, timeoutMs: number, background = false): Promise<Res> {
    const connection = await this.connection();
    return connection.send(api, chooseVersion(api, connection.versions), message, { timeoutMs, background });
  }

  forget(): void {
    this.#cluster.forgetCoordinator('group', this.#groupId);
  }

  /** Leaves a classic group; never rejects. Not in the group's own lane: there it would wait behind a join that is held back. */
  async leave(memberId: string, groupInstanceId: string | undefined, reason: string): Promise<void> {
    const groupId = this.#groupId;
    const member = { memberId, reason, ...(groupInstanceId === undefined ? {} : { groupInstanceId }) };
    await this.quietly(
      this.#cluster.request({
        api: LeaveGroup,
        to: { kind: 'coordinator', type: 'group', key: groupId },
        doing: `Cannot leave group ${quote(groupId)}`,
        retry: 'never',
        message: (version) => (version >= 3 ? { groupId, members: [member] } : { groupId, memberId }),
        errorCode: (answer) => answer.errorCode,
      }),
    );
  }

  /** Does not fail where `leaving` does: the session ends by itself, only later. */
  async quietly(leaving: Promise<unknown>): Promise<void> {
    try {
      await leaving;
    } catch (error) {
      if (isKafkaError(error, 'UNKNOWN_MEMBER_ID') || !(error instanceof Error)) return;
      this.#cluster.events.publish('warning', { message: `Could not leave group ${quote(this.#groupId)}`, error });
    }
  }
}
