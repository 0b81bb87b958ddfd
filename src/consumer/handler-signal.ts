/** What a handler of `run` learns of its work being of no use any more. */
export class HandlerSignal {
  /** Ends the whole run. */
  readonly stop: () => void;
  /** It waits for `close()` itself, so nobody may wait for it. */
  isLeft = false;
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  constructor(stop: () => void) {
    this.stop = stop;
  }

  /** Made when somebody asks for it: most handlers do not. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Whether its work is of no use any more: what it does is not counted as processed, what it throws ends nothing. */
  get isUnwanted(): boolean {
    return this.#reason !== undefined;
  }

  abort(why: string): void {
    if (this.#reason !== undefined) return;
    this.#reason = new DOMException(why, 'AbortError');
    this.#controller?.abort(this.#reason);
  }
}
