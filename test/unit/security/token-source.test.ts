import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AuthenticationError, type KafkaError } from '../../../src/errors/kafka-error.ts';
import type { BearerToken } from '../../../src/security/bearer-token.ts';
import { TokenSource } from '../../../src/security/token-source.ts';
import { deferred } from '../../../src/util/deferred.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const LIFE_MS = 100_000;

/** Tokens that live for {@link LIFE_MS}, unless `answer` says what happens instead. */
function setUp() {
  const clock = new FakeClock(0);
  const troubles: { error: KafkaError; expiresAtMs: number }[] = [];
  const asked: AbortSignal[] = [];
  const state = {
    answer: async (): Promise<BearerToken> => ({ value: `t${asked.length}`, expiresAtMs: clock.wallMs() + LIFE_MS }),
  };
  const source = new TokenSource(
    (signal) => {
      asked.push(signal);
      return state.answer();
    },
    clock,
    () => 0,
  );
  const get = () => source.get((error, expiresAtMs) => void troubles.push({ error, expiresAtMs }));
  return { clock, state, source, get, troubles, asked };
}

describe('TokenSource', () => {
  it('asks once for all who come together', async () => {
    const { get, asked } = setUp();
    const tokens = await Promise.all([get(), get(), get()]);
    assert.deepEqual(tokens, Array(3).fill({ value: 't1', wasHeld: false }));
    assert.equal(asked.length, 1);
  });

  it('renews a token after four fifths of its life', async () => {
    const { clock, get } = setUp();
    await get();
    await clock.advance(LIFE_MS * 0.8 - 1);
    assert.deepEqual(await get(), { value: 't1', wasHeld: true });
    await clock.advance(1);
    assert.deepEqual(await get(), { value: 't2', wasHeld: false });
  });

  it('goes on with a token that is still good when there is no new one, and tells', async () => {
    const { clock, state, get, troubles } = setUp();
    await get();
    await clock.advance(LIFE_MS * 0.8);
    const cause = new Error('away');
    state.answer = () => Promise.reject(cause);
    assert.deepEqual(await get(), { value: 't1', wasHeld: true });
    assert.equal(troubles.length, 1);
    assert.equal(troubles[0]?.expiresAtMs, LIFE_MS);
    assert.equal(troubles[0]?.error.cause, cause);
    await clock.advance(LIFE_MS * 0.2 - 2000);
    assert.deepEqual(await get(), { value: 't1', wasHeld: true });
    await clock.advance(1);
    await assert.rejects(get(), { code: 'TOKEN_UNAVAILABLE', retriable: true, cause, message: /\(away\)$/ });
    assert.equal(troubles.length, 2);
  });

  it('asks again after a failure', async () => {
    const { state, get } = setUp();
    const { answer } = state;
    state.answer = () => Promise.reject(new Error('away'));
    await assert.rejects(get(), { code: 'TOKEN_UNAVAILABLE' });
    state.answer = answer;
    assert.equal((await get()).value, 't2');
  });

  it('hands on what says itself whether it passes', async () => {
    const { state, get } = setUp();
    const error = new AuthenticationError('no such client', { code: 'SASL_AUTHENTICATION_FAILED' });
    state.answer = () => Promise.reject(error);
    await assert.rejects(get(), error);
  });

  it('asks for another when the broker refuses the one that is held', async () => {
    const { source, get } = setUp();
    await get();
    source.forget('another');
    assert.equal((await get()).value, 't1');
    source.forget('t1');
    assert.deepEqual(await get(), { value: 't2', wasHeld: false });
  });

  it('gives up who does not answer, and asks anew', async () => {
    const { clock, state, get, asked } = setUp();
    const { answer } = state;
    const late = deferred<BearerToken>();
    state.answer = () => late.promise;
    const first = get();
    const rejected = assert.rejects(first, { name: 'TimeoutError', code: 'TOKEN_UNAVAILABLE', retriable: true });
    await clock.advance(29_999);
    assert.equal(asked[0]?.aborted, false);
    await clock.advance(1);
    await rejected;
    assert.equal(asked[0]?.aborted, true);
    state.answer = answer;
    assert.equal((await get()).value, 't2');
    late.resolve({ value: 'late', expiresAtMs: undefined });
    assert.equal((await get()).value, 't2');
    assert.equal(clock.pending, 0);
  });

  it('keeps no token that has expired already, or of which nobody knows when it will', async () => {
    for (const expiresAtMs of [undefined, 0, -1]) {
      const { state, source, get, asked } = setUp();
      state.answer = async () => ({ value: 'x', expiresAtMs });
      assert.deepEqual(await get(), { value: 'x', wasHeld: false });
      assert.deepEqual(source.secrets, ['x'], 'but it is not to be shown');
      await get();
      assert.equal(asked.length, 2);
    }
  });
});
