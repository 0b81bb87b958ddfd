import type { Connection } from '../cluster/connection.ts';

/** What a lane keeps in its list. */
interface Listed {
  isListed: boolean;
}

/** What goes to one broker: its partitions with something to send, its connection, and how many requests it has not answered. */
export class BrokerLane<Queue extends Listed> {
  readonly nodeId: number;
  /** Partitions that may have something to send; each asks for its turn in this order. */
  readonly listed: Queue[] = [];
  inFlight = 0;
  isConnecting = false;
  /** Attempts to connect that failed in a row. */
  failures = 0;
  /** No attempt to connect before this. */
  retryAtMs = 0;
  lastError: Error | undefined;
  /** Since when something waits and nothing has moved; undefined while nothing waits. */
  #stalledSinceMs: number | undefined;
  #connection: Connection | undefined;

  constructor(nodeId: number) {
    this.nodeId = nodeId;
  }

  /** The connection to use, if there is one. */
  connection(): Connection | undefined {
    if (this.#connection?.isOpen !== true) this.#connection = undefined;
    return this.#connection;
  }

  /** Whether another connection may be made now. */
  mayConnect(nowMs: number): boolean {
    return !this.isConnecting && this.inFlight === 0 && this.#connection === undefined && nowMs >= this.retryAtMs;
  }

  use(connection: Connection): void {
    this.#connection = connection;
    this.failures = 0;
  }

  /** It was looked at: does something wait, and has something been sent or answered? */
  noteProgress(hasMoved: boolean, nowMs: number): void {
    if (this.listed.length === 0) this.#stalledSinceMs = undefined;
    else if (hasMoved) this.#stalledSinceMs = nowMs;
    else this.#stalledSinceMs ??= nowMs;
  }

  /** How long something has been waiting without anything moving, in milliseconds. */
  stalledForMs(nowMs: number): number {
    return this.#stalledSinceMs === undefined ? 0 : nowMs - this.#stalledSinceMs;
  }

  list(queue: Queue): void {
    if (queue.isListed) return;
    queue.isListed = true;
    this.listed.push(queue);
  }

  /** The partition at this place has nothing to send, or is led by another broker now. */
  unlist(at: number): void {
    const [queue] = this.listed.splice(at, 1);
    if (queue !== undefined) queue.isListed = false;
  }

  /** The first one goes to the end: nobody is always served last. */
  rotate(): void {
    const first = this.listed.shift();
    if (first !== undefined) this.listed.push(first);
  }
}
