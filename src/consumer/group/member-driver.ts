import { KafkaError, UsageError } from '../../errors/kafka-error.ts';
import { asError } from '../../errors/thrown.ts';
import type { Clock } from '../../util/clock.ts';
import { LazyTimer } from '../../util/lazy-timer.ts';
import { isPassingFailure } from '../offset-client.ts';
import type { RequestFailed } from './reading-messages.ts';

/** What decides for a member of a group. */
export interface MemberMachine<Input, Effect> {
  readonly handle: (input: Input, nowMs: number) => void;
  readonly tick: (nowMs: number) => void;
  readonly takeEffects: () => Effect[];
  readonly nextDeadlineMs: () => number | undefined;
}

/** What a {@link MemberDriver} asks of its member. */
export interface MemberHooks<Input, Effect> {
  readonly perform: (effect: Effect) => void;
  /** All effects of what happened have been performed. */
  readonly onPerformed?: () => void;
  /** What the machine has to hear before it is told that time has passed. */
  readonly beforeTick?: () => Input | undefined;
  /** The broker's error in an answer, if there is one. */
  readonly refusal: (input: Input) => Error | undefined;
}

/** Tells the machine of a member what happens, keeps the timer for it, and has done what it decides. */
export class MemberDriver<Input, Effect> {
  readonly #clock: Clock;
  readonly #machine: MemberMachine<Input | RequestFailed, Effect>;
  readonly #hooks: MemberHooks<Input, Effect>;
  readonly #timer: LazyTimer;
  #lastFailure: Error | undefined;

  constructor(clock: Clock, machine: MemberMachine<Input | RequestFailed, Effect>, hooks: MemberHooks<Input, Effect>) {
    this.#clock = clock;
    this.#machine = machine;
    this.#hooks = hooks;
    this.#timer = new LazyTimer(clock, () => this.#tick());
  }

  /** What went wrong with the last request; undefined after an answer without an error. */
  get lastFailure(): Error | undefined {
    return this.#lastFailure;
  }

  handle(input: Input | RequestFailed): void {
    this.#machine.handle(input, this.#clock.nowMs());
    this.#act();
  }

  /** Runs a request of an attempt; what goes wrong becomes an input, too. */
  async request(attempt: number, run: () => Promise<Input>): Promise<void> {
    let input: Input | RequestFailed;
    try {
      input = await run();
      this.#lastFailure = this.#hooks.refusal(input);
    } catch (cause) {
      const error = asError(cause);
      this.#lastFailure = error;
      const fatal = error instanceof UsageError || (error instanceof KafkaError && !isPassingFailure(error));
      input = { kind: 'requestFailed', attempt, error, fatal };
    }
    this.handle(input);
  }

  /** Tells the machine the end of it: from then on no time passes for it. */
  end(input: Input): void {
    this.handle(input);
    this.#timer.clear();
  }

  #tick(): void {
    const input = this.#hooks.beforeTick?.();
    const nowMs = this.#clock.nowMs();
    if (input !== undefined) this.#machine.handle(input, nowMs);
    this.#machine.tick(nowMs);
    this.#act();
  }

  #act(): void {
    for (const effect of this.#machine.takeEffects()) this.#hooks.perform(effect);
    this.#timer.atLatest(this.#machine.nextDeadlineMs() ?? Infinity);
    this.#hooks.onPerformed?.();
  }
}
