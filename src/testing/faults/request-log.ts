import type { Api } from '../../protocol/api.ts';
import type { ArrivedRequest, Reply, RequestGate } from '../server/dispatcher.ts';
import type { ApiName, ApiSelector, ResponseOf } from './api-names.ts';
import { matches, testRequestOf, type RequestFilter, type TestRequest } from './test-request.ts';

/** What became of a request. */
export type RequestOutcome =
  /** It is being handled. */
  | 'waiting'
  | 'answered'
  /** No answer was due: a Produce with `acks: 0`. */
  | 'unanswered'
  /** Its connection was closed without an answer. */
  | 'disconnected'
  /** It will never be answered, and its connection stays open. */
  | 'silent';

/** A request with what became of it. */
export interface LoggedRequest<A extends ApiSelector = ApiName> extends TestRequest<A> {
  /** What became of it. */
  readonly outcome: RequestOutcome;
  /** The answer, decoded as a client reads it; undefined where there is none, or not yet. */
  readonly answer: ResponseOf<A> | undefined;
}

/** What an entry takes besides its bytes. */
const entryBytes = 512;

class LogEntry implements LoggedRequest {
  readonly api: string;
  readonly version: number;
  readonly brokerId: number;
  readonly clientId: string | null;
  readonly connectionId: number;
  readonly timeMs: number;
  readonly message: TestRequest['message'];
  outcome: RequestOutcome = 'waiting';
  sizeBytes: number;
  readonly #api: Api<unknown, object>;
  #reply: object | undefined;

  constructor(request: ArrivedRequest) {
    const { api, version, brokerId, clientId, connectionId, timeMs, message } = testRequestOf(request);
    this.api = api;
    this.version = version;
    this.brokerId = brokerId;
    this.clientId = clientId;
    this.connectionId = connectionId;
    this.timeMs = timeMs;
    this.message = message;
    this.sizeBytes = request.sizeBytes + entryBytes;
    this.#api = request.handler.api as Api<unknown, object>;
  }

  get answer(): ResponseOf<ApiName> | undefined {
    if (this.#reply === undefined) return undefined;
    // Handlers leave out what has its default: what the client reads is whole.
    const bytes = this.#api.encodeResponse(this.#reply, this.version);
    return this.#api.decodeResponse(bytes, this.version) as ResponseOf<ApiName>;
  }

  end(reply: Reply): void {
    this.outcome = outcomeOf(reply);
    if (typeof reply === 'object') this.#reply = reply;
  }
}

/** The requests of late, oldest first, in bounded memory. */
export class RequestLog implements RequestGate {
  readonly #maxBytes: number;
  readonly #entries = new Map<ArrivedRequest, LogEntry>();
  #sizeBytes = 0;
  #forgotten = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many requests were let go to keep within the memory that the log may take. */
  get forgotten(): number {
    return this.#forgotten;
  }

  around(request: ArrivedRequest, next: () => Promise<Reply>): Promise<Reply> {
    if (this.#maxBytes > 0) this.#add(request);
    return next();
  }

  ended(request: ArrivedRequest, reply: Reply, answerBytes: number): void {
    const entry = this.#entries.get(request);
    if (entry === undefined) return;
    entry.end(reply);
    entry.sizeBytes += answerBytes;
    this.#sizeBytes += answerBytes;
    this.#forget();
  }

  find<A extends ApiSelector>(filter: RequestFilter<A>): LoggedRequest<A>[] {
    const found = [...this.#entries.values()].filter((entry) => matches(filter, entry as TestRequest));
    return found as LoggedRequest<ApiName>[];
  }

  clear(): void {
    this.#entries.clear();
    this.#sizeBytes = 0;
    this.#forgotten = 0;
  }

  #add(request: ArrivedRequest): void {
    const entry = new LogEntry(request);
    this.#entries.set(request, entry);
    this.#sizeBytes += entry.sizeBytes;
    this.#forget();
  }

  #forget(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#sizeBytes <= this.#maxBytes) return;
      this.#entries.delete(key);
      this.#sizeBytes -= entry.sizeBytes;
      this.#forgotten++;
    }
  }
}

function outcomeOf(reply: Reply): RequestOutcome {
  if (reply === 'disconnect') return 'disconnected';
  if (reply === 'silence') return 'silent';
  return reply === undefined ? 'unanswered' : 'answered';
}
