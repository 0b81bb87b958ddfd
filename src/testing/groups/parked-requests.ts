import { deferred, type Deferred } from '../../util/deferred.ts';

/** Requests whose answers come later, by the number that names them in a machine's effects. */
export class ParkedRequests<T> {
  readonly #waiting = new Map<number, Deferred<T | undefined>>();
  #lastId = 0;

  /** Hands the number of a new request to `ask`; the answer is what that or a later call of {@link answer} gives. */
  park(ask: (requestId: number) => void): Promise<T | undefined> {
    const requestId = ++this.#lastId;
    const waiting = deferred<T | undefined>();
    this.#waiting.set(requestId, waiting);
    ask(requestId);
    return waiting.promise;
  }

  /** Answers a request; undefined if nothing is to be sent. */
  answer(requestId: number, answer: T | undefined): void {
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    waiting?.resolve(answer);
  }

  get size(): number {
    return this.#waiting.size;
  }
}
