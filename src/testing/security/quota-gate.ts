import { Fetch, type FetchResponse } from '../../protocol/generated/fetch.ts';
import { Produce } from '../../protocol/generated/produce.ts';
import type { Input } from '../../protocol/api.ts';
import type { ArrivedRequest, RequestGate } from '../server/dispatcher.ts';
import { ClientQuotas } from './client-quotas.ts';

/** As long as Kafka's window: `quota.window.size.seconds` times `quota.window.num`. */
const WINDOW_MS = 11_000;

interface Counted {
  readonly atMs: number;
  readonly bytes: number;
}

/**
 * Slows those down who write or read more bytes than their quota: the answer names the time that brings the rate of the last
 * eleven seconds down to it, and for as long the client is not served (KIP-219).
 */
export class QuotaGate implements RequestGate {
  readonly #counted = new Map<string, Counted[]>();

  answered(request: ArrivedRequest, answer: object): object | undefined {
    const { context, handler } = request;
    const isFetch = handler.api.key === Fetch.key;
    if (!isFetch && handler.api.key !== Produce.key) return undefined;
    const key = isFetch ? 'consumer_byte_rate' : 'producer_byte_rate';
    const user = context.connection.principal.slice(context.connection.principal.indexOf(':') + 1);
    const limit = context.cluster.service(ClientQuotas).limit(user, context.clientId ?? '', key);
    if (limit === undefined) return undefined;
    const bytes = isFetch ? fetchedBytes(answer) : request.sizeBytes;
    const scope = `${context.broker.id} ${key} ${limit.scope}`;
    const throttleTimeMs = this.#count(scope, bytes, limit.value, context.cluster.clock.nowMs());
    if (throttleTimeMs === 0) return undefined;
    return { ...answer, throttleTimeMs };
  }

  /** How long the client must wait, in milliseconds. */
  #count(scope: string, bytes: number, bytesPerSecond: number, nowMs: number): number {
    const kept = (this.#counted.get(scope) ?? []).filter(({ atMs }) => atMs > nowMs - WINDOW_MS);
    kept.push({ atMs: nowMs, bytes });
    this.#counted.set(scope, kept);
    const total = kept.reduce((sum, each) => sum + each.bytes, 0);
    // The window is never taken for shorter than all but its last second, so that a first burst does not count as a rate.
    const spanMs = Math.max(nowMs - (kept[0]?.atMs ?? nowMs), WINDOW_MS - 1000);
    const overMs = (total / bytesPerSecond) * 1000 - spanMs;
    return Math.max(0, Math.min(Math.ceil(overMs), WINDOW_MS));
  }
}

function fetchedBytes(answer: object): number {
  let bytes = 0;
  for (const topic of (answer as Input<FetchResponse>).responses ?? []) {
    for (const { records } of topic.partitions ?? []) bytes += records?.length ?? 0;
  }
  return bytes;
}
