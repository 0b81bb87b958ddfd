import type { ReaderTask } from './holding.ts';

/** How a member goes: as its kind does, telling the coordinator, or without a word (KIP-1092). */
export type LeaveMode = 'default' | 'leave' | 'remain';

/** A request got no answer, or what was to be computed could not be; `fatal` if trying again is of no use. */
export interface RequestFailed {
  readonly kind: 'requestFailed';
  readonly attempt: number;
  readonly error: Error;
  readonly fatal: boolean;
}

/** What can happen to a member that has a reader, whichever its protocol. */
export type ReadingInput =
  | { readonly kind: 'readerCame' }
  | { readonly kind: 'readerLeft' }
  | RequestFailed
  /** The task that the reader was given is done: the listener has run. */
  | { readonly kind: 'taskDone' }
  /** A handler of `run` is at work for longer than the poll interval: the member goes, as if no reader had come. */
  | { readonly kind: 'expired'; readonly reason: string }
  | { readonly kind: 'leave'; readonly reason: string; readonly mode: LeaveMode };

/** What its driver does in the same way in either protocol. */
export type ReadingEffect =
  | { readonly kind: 'forgetCoordinator' }
  /** For the waiting reader; answer with `taskDone`. */
  | { readonly kind: 'runTask'; readonly task: ReaderTask }
  /** The partitions are not ours any more: nothing of them may be handed out or committed from now on. */
  | { readonly kind: 'endAssignment' }
  | { readonly kind: 'heartbeatFailed'; readonly error: Error }
  | { readonly kind: 'fail'; readonly error: Error };
