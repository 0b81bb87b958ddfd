import { UsageError } from '../errors/kafka-error.ts';
import { quote } from '../util/option-rules.ts';

/** A pattern that the coordinator evaluates, in the syntax of RE2/J; only members of the new protocol may use it (KIP-848). */
export interface Re2Pattern {
  /** The pattern; a topic matches as a whole. Java: `SubscriptionPattern`. */
  readonly re2: string;
}

/**
 * What a consumer may subscribe to: a topic by name, all topics whose name a `RegExp` finds (evaluated here; `^` and `$` match whole
 * names), or a pattern that the coordinator evaluates.
 */
export type TopicSelector = string | RegExp | Re2Pattern;

/** What a consumer is subscribed to. */
export interface Subscription {
  readonly names: readonly string[];
  readonly patterns: readonly RegExp[];
  readonly re2: string | undefined;
}

/**
 * Takes the argument of `subscribe` apart.
 *
 * @throws UsageError INVALID_ARGUMENT
 */
export function parseSubscription(given: TopicSelector | readonly TopicSelector[]): Subscription {
  const selectors: readonly unknown[] = Array.isArray(given) ? given : [given];
  const names = new Set<string>();
  const patterns: RegExp[] = [];
  let re2: string | undefined;
  if (selectors.length === 0) throw refused('nothing', 'give at least one topic, or call unsubscribe');
  for (const selector of selectors) {
    if (typeof selector === 'string' && selector !== '') names.add(selector);
    else if (selector instanceof RegExp) patterns.push(stateless(selector));
    else if (isRe2(selector) && re2 === undefined) re2 = selector.re2;
    else if (isRe2(selector)) throw refused('two patterns of the broker', 'join them with |');
    else throw refused(quote(selector), "give the name of a topic, a RegExp, { re2: 'pattern' }, or a list of these");
  }
  return { names: [...names], patterns, re2 };
}

/** With `g` or `y` a RegExp goes on where it stopped the last time: it would find every other topic. */
function stateless(pattern: RegExp): RegExp {
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
}

function isRe2(selector: unknown): selector is Re2Pattern {
  if (typeof selector !== 'object' || selector === null || !('re2' in selector)) return false;
  return typeof selector.re2 === 'string' && selector.re2 !== '';
}

function refused(what: string, advice: string): UsageError {
  return new UsageError(`Cannot subscribe to ${what}: ${advice}`, { code: 'INVALID_ARGUMENT' });
}
