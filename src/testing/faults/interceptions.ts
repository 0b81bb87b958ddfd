import { brokerErrorCodes, type BrokerErrorName } from '../../errors/broker-error-codes.ts';
import { UsageError } from '../../errors/kafka-error.ts';
import type { Api, Input } from '../../protocol/api.ts';
import { delay } from '../../util/delay.ts';
import { quote } from '../../util/option-rules.ts';
import type { ArrivedRequest, Reply, RequestGate } from '../server/dispatcher.ts';
import type { ApiName, ApiSelector, ResponseOf } from './api-names.ts';
import { awaitCondition, type WaitOptions } from '../observation/await-condition.ts';
import { errorAnswer } from './error-answers.ts';
import { describeFilter, matches, testRequestOf, type RequestFilter, type TestRequest } from './test-request.ts';

/** Whether a fault strikes before the broker has done what it was asked for, or after: then only the answer is lost or late. */
export type FaultMoment = 'before' | 'after';

/** What is done to a request that {@link TestCluster.intercept} catches: one of these. */
export type Fault<A extends ApiSelector = ApiName> =
  | {
      /** Answers with this error for everything that was asked; the broker does nothing else. */
      readonly fail: BrokerErrorName;
    }
  | {
      /** Answers with what this makes; `proceed` lets the broker do its work and gives its answer, which may be altered. */
      readonly answer: AnswerFunction<A>;
    }
  | {
      /** Waits for so long, on the cluster's clock. The connection's later requests wait too, as brokers answer in order. */
      readonly delayMs: number;
      /** @defaultValue before */
      readonly moment?: FaultMoment;
    }
  | {
      /** Waits until the interception is released. */
      readonly hold: FaultMoment;
    }
  | {
      /** Never answers; the connection stays open, and nothing that comes through it later is answered either. */
      readonly drop: FaultMoment;
    }
  | {
      /** Closes the connection instead of answering. */
      readonly disconnect: FaultMoment;
    };

/** Makes an answer to a request; fields that are left out have Kafka's defaults. */
export type AnswerFunction<A extends ApiSelector> = (
  request: TestRequest<A>,
  proceed: () => Promise<ResponseOf<A>>,
) => Input<ResponseOf<A>> | Promise<Input<ResponseOf<A>>>;

/** Which requests a fault is for, and how many of them. */
export interface InterceptFilter<A extends ApiSelector = ApiName> extends RequestFilter<A> {
  /**
   * How many requests are caught; later ones pass.
   *
   * @defaultValue all, until the interception is released
   */
  readonly times?: number;
}

/** A fault that is in force: made by {@link TestCluster.intercept}. */
export class Interception<A extends ApiSelector = ApiName> implements Disposable {
  readonly #filter: InterceptFilter<A>;
  readonly #fault: Fault<A>;
  readonly #caught: TestRequest<A>[] = [];
  readonly #released: Promise<void>;
  #release: () => void = () => undefined;
  #isReleased = false;

  /** @internal */
  constructor(filter: InterceptFilter<A>, fault: Fault<A>) {
    this.#filter = filter;
    this.#fault = fault;
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** The requests that it caught so far, oldest first. */
  get requests(): readonly TestRequest<A>[] {
    return this.#caught;
  }

  /** Whether it catches further requests. */
  get isActive(): boolean {
    return !this.#isReleased && this.#caught.length < (this.#filter.times ?? Infinity);
  }

  /** Catches nothing more, and lets go what it holds. */
  release(): void {
    this.#isReleased = true;
    this.#release();
  }

  /** The same as {@link Interception.release}. */
  [Symbol.dispose](): void {
    this.release();
  }

  /**
   * Waits until it has caught so many requests: a test that its fault happened.
   *
   * @throws `TimeoutError` `OPERATION_TIMEOUT` it did not; the message says how many it was
   */
  async caught(count = 1, options: WaitOptions = {}): Promise<void> {
    const what = `wait for ${count} intercepted ${describeFilter(this.#filter)}`;
    await awaitCondition(what, () => this.#caught.length >= count || `${this.#caught.length} were caught`, options);
  }

  /** @internal */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** @internal Whether this request is caught; it counts then. */
  catches(request: ArrivedRequest): boolean {
    if (!this.isActive) return false;
    const seen = testRequestOf(request);
    if (!matches(this.#filter, seen)) return false;
    this.#caught.push(seen);
    return true;
  }

  /** @internal What becomes of a request that was caught. */
  async handle(request: ArrivedRequest, next: () => Promise<Reply>): Promise<Reply> {
    const fault = this.#fault;
    if ('fail' in fault) return await failed(request, brokerErrorCodes[fault.fail], next);
    if ('answer' in fault) return await this.#answered(request, fault.answer, next);
    if ('drop' in fault) return await instead('silence', fault.drop, next);
    if ('disconnect' in fault) return await instead('disconnect', fault.disconnect, next);
    const moment = 'hold' in fault ? fault.hold : (fault.moment ?? 'before');
    const wait = (): Promise<void> => ('hold' in fault ? this.#hold(request) : late(request, fault.delayMs));
    if (moment === 'before') await wait();
    const reply = await next();
    if (moment === 'after') await wait();
    return reply;
  }

  #hold(request: ArrivedRequest): Promise<void> {
    const { signal } = request.context;
    return new Promise((resolve) => {
      void this.#released.then(resolve);
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async #answered(request: ArrivedRequest, answer: AnswerFunction<A>, next: () => Promise<Reply>): Promise<Reply> {
    const proceed = async (): Promise<ResponseOf<A>> => whole(request, await next()) as ResponseOf<A>;
    return (await answer(testRequestOf(request), proceed)) as object;
  }
}

/** The faults in force, in the order in which they were made: the first that catches a request has it. */
export class Interceptions implements RequestGate {
  readonly #all = new Set<Interception<ApiSelector>>();

  /** @throws UsageError for an API that does not exist, or a fault that is none */
  add<A extends ApiSelector>(filter: InterceptFilter<A>, fault: Fault<A>): Interception<A> {
    checkFault(fault);
    const { times } = filter;
    if (times !== undefined && (!Number.isInteger(times) || times < 1))
      throw refused(`times ${quote(times)}: it must be an integer from 1 on`);
    const interception = new Interception(filter, fault);
    this.#all.add(interception);
    return interception;
  }

  async around(request: ArrivedRequest, next: () => Promise<Reply>): Promise<Reply> {
    for (const interception of this.#all) {
      if (interception.isReleased) this.#all.delete(interception);
      else if (interception.catches(request)) return await interception.handle(request, next);
    }
    return await next();
  }

  releaseAll(): void {
    for (const interception of this.#all) interception.release();
    this.#all.clear();
  }
}

const kindsOfFault = ['fail', 'answer', 'delayMs', 'hold', 'drop', 'disconnect'];
const moments: readonly unknown[] = ['before', 'after'];

function checkFault(fault: object): void {
  const given: Readonly<Record<string, unknown>> = { ...fault };
  const kinds = Object.keys(given).filter((name) => kindsOfFault.includes(name));
  const [kind] = kinds;
  if (kinds.length !== 1 || kind === undefined)
    throw refused(`a fault of ${kinds.join(' and ') || 'no kind'}: give one of ${kindsOfFault.join(', ')}`);
  const value = given[kind];
  const isFine = {
    fail: () => typeof value === 'string' && Object.hasOwn(brokerErrorCodes, value),
    answer: () => typeof value === 'function',
    delayMs: () => typeof value === 'number' && Number.isFinite(value) && value >= 0,
  }[kind];
  if (!(isFine?.() ?? moments.includes(value))) throw refused(`${kind} ${quote(value)}: ${expected(kind)}`);
  const { moment } = given;
  if (moment !== undefined && (kind !== 'delayMs' || !moments.includes(moment)))
    throw refused(`moment ${quote(moment)}: ${expected('moment')}, and goes with delayMs only`);
}

function expected(kind: string): string {
  if (kind === 'fail') return "it must be Kafka's name of an error, such as NOT_LEADER_OR_FOLLOWER";
  if (kind === 'answer') return 'it must be a function';
  return kind === 'delayMs' ? 'it must be milliseconds from 0 on' : 'it must be "before" or "after"';
}

function refused(what: string): UsageError {
  return new UsageError(`Cannot intercept with ${what}`, { code: 'INVALID_ARGUMENT' });
}

async function failed(request: ArrivedRequest, errorCode: number, next: () => Promise<Reply>): Promise<Reply> {
  const { handler, message, context } = request;
  const handled = async (): Promise<unknown> => whole(request, await next());
  const api = handler.api;
  const answer = await errorAnswer(api, { request: message, version: context.version, errorCode, handled });
  if (answer === undefined) throw new Error(`Answers of ${api.name} version ${context.version} have no error code`);
  return answer;
}

async function instead(
  reply: 'silence' | 'disconnect',
  moment: FaultMoment,
  next: () => Promise<Reply>,
): Promise<Reply> {
  if (moment === 'after') await next();
  return reply;
}

function late({ context }: ArrivedRequest, ms: number): Promise<void> {
  return delay(context.cluster.clock, ms, context.signal, true);
}

/** An answer with everything in it that handlers may leave out. */
function whole({ handler, context }: ArrivedRequest, reply: Reply): unknown {
  if (typeof reply !== 'object') throw new Error(`${handler.api.name} was not answered`);
  const api = handler.api as Api<unknown, object>;
  return api.decodeResponse(api.encodeResponse(reply, context.version), context.version);
}
