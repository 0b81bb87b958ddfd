import { quote } from '../../util/option-rules.ts';
import { CoordinatorLink } from './coordinator-link.ts';
import type { ReaderTask } from './holding.ts';
import { MemberDriver, type MemberHooks, type MemberMachine } from './member-driver.ts';
import type { MembershipParts } from './membership.ts';
import type { ReadingEffect, ReadingInput } from './reading-messages.ts';

/** What decides for a member that has a reader. */
export interface ReadingMachine<Input, Effect> extends MemberMachine<Input | ReadingInput, Effect> {
  readonly readerWaits: boolean;
  /** Whether something waits for the reader. */
  readonly needsReader: boolean;
  readonly isSettled: boolean;
}

/** What memberships of both protocols have in common: a machine with its driver, a reader that it gives tasks to, and a coordinator. */
export class ReadingMember<Input, Effect> {
  readonly link: CoordinatorLink;
  readonly #parts: MembershipParts;
  readonly #machine: ReadingMachine<Input, Effect>;
  readonly #driver: MemberDriver<Input | ReadingInput, Effect>;
  readonly #tasks: ReaderTask[] = [];
  #seenAsks = 0;

  /** @param hooks `perform` leaves to {@link ReadingMember.perform} what is the same in both protocols */
  constructor(
    parts: MembershipParts,
    machine: ReadingMachine<Input, Effect>,
    hooks: Omit<MemberHooks<Input | ReadingInput, Effect>, 'beforeTick'>,
  ) {
    this.#parts = parts;
    this.#machine = machine;
    this.link = new CoordinatorLink(parts.cluster, parts.groupId, parts.lane);
    this.#driver = new MemberDriver<Input | ReadingInput, Effect>(parts.cluster.clock, machine, {
      perform: hooks.perform,
      onPerformed: () => {
        hooks.onPerformed?.();
        if (this.needsReader) parts.onReaderNeeded();
      },
      beforeTick: () => this.#readerLeftMeanwhile(),
      refusal: hooks.refusal,
    });
  }

  get lastFailure(): Error | undefined {
    return this.#driver.lastFailure;
  }

  get needsReader(): boolean {
    return this.#tasks.length > 0 || this.#machine.needsReader;
  }

  get isSettled(): boolean {
    return this.#machine.isSettled && this.#tasks.length === 0;
  }

  handle(input: Input | ReadingInput): void {
    this.#driver.handle(input);
  }

  request(attempt: number, run: () => Promise<Input | ReadingInput>): Promise<void> {
    return this.#driver.request(attempt, run);
  }

  readerOverdue(): void {
    const { maxPollIntervalMs } = this.#parts.options;
    this.handle({ kind: 'expired', reason: `a handler took longer than maxPollIntervalMs (${maxPollIntervalMs} ms)` });
  }

  async runReaderTasks(): Promise<void> {
    for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
      try {
        await this.#parts.runTask(task);
      } finally {
        this.handle({ kind: 'taskDone' });
      }
    }
  }

  end(input: Extract<ReadingInput, { kind: 'leave' }>): void {
    this.#driver.end(input);
  }

  perform(effect: ReadingEffect): void {
    const { cluster, groupId } = this.#parts;
    switch (effect.kind) {
      case 'forgetCoordinator':
        return this.link.forget();
      case 'runTask':
        this.#tasks.push(effect.task);
        return;
      case 'endAssignment':
        return this.#parts.endAssignment();
      case 'heartbeatFailed':
        return cluster.events.publish('group.heartbeat.failed', { groupId, error: effect.error });
      case 'fail':
        return this.#parts.onFatal(effect.error);
      default:
        effect satisfies never;
    }
  }

  tellLeft(memberId: string, reason: string): void {
    const { cluster, groupId, inHand } = this.#parts;
    cluster.events.publish('group.left', { groupId, memberId, reason: `${reason}; in hand: ${inHand()}` });
  }

  /** The event loop stood still for longer than `session` lasts: `the session`, where the member knows how long. */
  tellBlocked(durationMs: number, session: string): void {
    const { cluster, groupId, options } = this.#parts;
    cluster.events.publish('warning', {
      message:
        `The event loop was blocked for about ${Math.round(durationMs)} ms, longer than ${session} of group ${quote(groupId)} lasts ` +
        `(${options.sessionTimeoutMs} ms): the partitions may belong to other members by now`,
    });
  }

  /** A reader that is served from what is ready does not tell each time that it came and went. */
  #readerLeftMeanwhile(): ReadingInput | undefined {
    const asks = this.#parts.askCount();
    const hasLeft = asks !== this.#seenAsks && !this.#machine.readerWaits;
    this.#seenAsks = asks;
    return hasLeft ? { kind: 'readerLeft' } : undefined;
  }
}
