/** Who a consumer is in its group: with it a transaction's offsets are refused once the member has left (KIP-447). */
export interface ConsumerGroupMetadata {
  /** The group. */
  readonly groupId: string;
  /** -1 while it is not a member. */
  readonly generationId: number;
  /** The id that the coordinator gave it; empty while it is not a member. */
  readonly memberId: string;
  /** The `groupInstanceId` of a static member. */
  readonly groupInstanceId: string | undefined;
}
