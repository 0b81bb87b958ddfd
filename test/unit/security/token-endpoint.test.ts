import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import type { KafkaError } from '../../../src/errors/kafka-error.ts';
import type { OAuthGrant } from '../../../src/security/oauth-grant.ts';
import { askTokenEndpoint, type TokenEndpoint } from '../../../src/security/token-endpoint.ts';
import { unsignedToken } from '../../support/unsigned-token.ts';

const SECRET = 'open sesame:41%';
const NOW = 1_700_000_000_000;

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let origin = '';
let answer: Answer;
let seen: { method: string; headers: IncomingMessage['headers']; form: URLSearchParams }[] = [];

const json =
  (body: object, status = 200): Answer =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

before(async () => {
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const form = new URLSearchParams(Buffer.concat(pieces).toString());
      seen.push({ method: request.method ?? '', headers: request.headers, form });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => void (seen = []));
after(() => {
  server.closeAllConnections();
  server.close();
});

const secret: OAuthGrant = { clientId: 'ann', clientSecret: SECRET };

function ask(grant: OAuthGrant = secret, more: Partial<TokenEndpoint> = {}, signal = new AbortController().signal) {
  const url = new URL('/token?tenant=a', origin);
  return askTokenEndpoint({ url, grant, parameters: {}, wallMs: () => NOW, ...more })(signal);
}

async function failure(promise: Promise<unknown>): Promise<KafkaError> {
  const error = await promise.then(
    () => assert.fail('it gave a token'),
    (reason: unknown) => reason as KafkaError,
  );
  assert.equal(error.code, 'TOKEN_UNAVAILABLE');
  assert.match(error.message, /^Cannot get a token from http:\/\/127\.0\.0\.1:\d+\/token: /);
  assert.ok(!inspect(error, { depth: Infinity }).includes(SECRET), 'the secret shows');
  return error;
}

describe('askTokenEndpoint', () => {
  it('posts a form, name and secret in the header as RFC 6749 has them', async () => {
    answer = json({ access_token: 'abc', token_type: 'Bearer', expires_in: 300 });
    assert.deepEqual(await ask(secret, { parameters: { scope: 'kafka read', audience: 'a&b' } }), {
      value: 'abc',
      expiresAtMs: NOW + 300_000,
    });
    const [request] = seen;
    assert.equal(request?.method, 'POST');
    assert.equal(request.headers['content-type'], 'application/x-www-form-urlencoded;charset=UTF-8');
    assert.equal(request.headers.accept, 'application/json');
    assert.equal(request.headers.authorization, `Basic ${Buffer.from('ann:open+sesame%3A41%25').toString('base64')}`);
    assert.deepEqual(Object.fromEntries(request.form), {
      grant_type: 'client_credentials',
      scope: 'kafka read',
      audience: 'a&b',
    });
  });

  it('puts name and secret among the fields if told so', async () => {
    answer = json({ access_token: 'abc' });
    await ask({ ...secret, clientAuthentication: 'post' });
    assert.equal(seen[0]?.headers.authorization, undefined);
    assert.equal(seen[0]?.form.get('client_id'), 'ann');
    assert.equal(seen[0]?.form.get('client_secret'), SECRET);
  });

  it('asks with an assertion in place of a secret, a fresh one each time', async () => {
    answer = json({ access_token: 'abc' });
    let signed = 0;
    const clientAssertion = async () => `signed-${++signed}`;
    await ask({ clientId: 'ann', clientAssertion });
    await ask({ clientId: 'ann', clientAssertion });
    assert.deepEqual(
      seen.map(({ form }) => Object.fromEntries(form)),
      ['signed-1', 'signed-2'].map((assertion) => ({
        grant_type: 'client_credentials',
        client_id: 'ann',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      })),
    );
    assert.equal(seen[0]?.headers.authorization, undefined);
  });

  it('asks by the assertion of somebody else, with a client of its own or without', async () => {
    answer = json({ access_token: 'abc' });
    const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'signed' };
    await ask({ assertion: 'signed' });
    await ask({ assertion: () => 'signed', clientId: 'ann' });
    await ask({ assertion: 'signed', ...secret });
    assert.deepEqual(
      seen.map(({ form }) => Object.fromEntries(form)),
      [grant, { ...grant, client_id: 'ann' }, grant],
    );
    assert.deepEqual(
      seen.map(({ headers }) => headers.authorization !== undefined),
      [false, false, true],
    );
  });

  it('shows no assertion that a provider repeats, and refuses what is none', async () => {
    for (const grant of [
      { assertion: 'open-signature' },
      { clientId: 'ann', clientAssertion: () => 'open-signature' },
    ]) {
      answer = json({ error: 'invalid_grant', error_description: 'open-signature is stale' }, 400);
      assert.match((await failure(ask(grant))).message, /status 400: invalid_grant, \[redacted\] is stale$/);
    }
    for (const given of [undefined, '', 'two words', { jwt: 'x' }]) {
      const clientAssertion = () => given as string;
      await assert.rejects(ask({ clientId: 'ann', clientAssertion }), {
        name: 'AuthenticationError',
        code: 'TOKEN_UNAVAILABLE',
        message: /Cannot use the clientAssertion that was given for OAUTHBEARER/,
      });
    }
  });

  it('reads when a token expires: from its life, else from the token itself', async () => {
    const token = unsignedToken('ann', NOW + 60_000);
    for (const [body, expiresAtMs] of [
      [{ access_token: token, expires_in: 300 }, NOW + 300_000],
      [{ access_token: token, expires_in: '300' }, NOW + 300_000],
      [{ access_token: token }, NOW + 60_000],
      [{ access_token: token, expires_in: 0 }, NOW + 60_000],
      [{ access_token: 'opaque' }, undefined],
      [{ access_token: 'a.b.c' }, undefined],
    ] as const) {
      answer = json(body);
      assert.equal((await ask()).expiresAtMs, expiresAtMs, JSON.stringify(body));
    }
  });

  it('gives up on a refusal, with the words of the provider and without the secret in them', async () => {
    answer = json({ error: 'invalid_client', error_description: `no ${SECRET}\u0007 here` }, 401);
    const error = await failure(ask());
    assert.equal(error.name, 'AuthenticationError');
    assert.match(error.message, /status 401: invalid_client, no \[redacted\] {2}here$/);
  });

  it('calls it passing when the provider is away, busy or broken', async () => {
    for (const status of [408, 429, 500, 502, 503, 504]) {
      answer = json({ error: 'later' }, status);
      const error = await failure(ask());
      assert.deepEqual([error.name, error.retriable], ['NetworkError', true], String(status));
    }
    answer = (request) => request.socket.destroy();
    assert.equal((await failure(ask())).retriable, true);
    const { port } = server.address() as AddressInfo;
    const refused = await failure(ask(secret, { url: new URL(`http://127.0.0.1:${port === 1 ? 2 : 1}/token`) }));
    assert.equal(refused.retriable, true);
    assert.match(refused.message, /it cannot be reached \(.*(ECONNREFUSED|bad port|refused)/i);
  });

  it('follows no redirection: the request holds the secret', async () => {
    answer = (_, response) => response.writeHead(307, { location: `${origin}/elsewhere` }).end();
    const error = await failure(ask());
    assert.match(error.message, /status 307; give the address that it redirects to/);
    assert.equal(seen.length, 1);
  });

  for (const [what, body] of [
    ['no JSON', '<html>'],
    ['no object', '"abc"'],
    ['no token', '{"token_type":"Bearer"}'],
    ['a token that is no text', '{"access_token":{"a":1}}'],
    ['a token that would end the message', '{"access_token":"a\\u0001b"}'],
    ['nothing', ''],
  ] as const) {
    it(`says that an answer with ${what} is none of a token endpoint`, async () => {
      answer = (_, response) => response.end(body);
      const error = await failure(ask());
      assert.equal(error.name, 'AuthenticationError');
      assert.match(error.message, /no access_token; check that it is a token endpoint$/);
    });
  }

  it('reads no more than a token can have', async () => {
    let written = 0;
    let isGone = false;
    answer = (_, response) => {
      response.on('close', () => (isGone = true));
      const write = (): void => {
        while (!isGone && written < 64 * 1024 * 1024) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536, 'x'))) return void response.once('drain', write);
        }
        response.end();
      };
      write();
    };
    assert.match((await failure(ask())).message, /more than 262144 bytes/);
    assert.ok(written < 32 * 1024 * 1024, `${written} bytes were taken`);
  });

  it('ends with its signal', async () => {
    const abort = new AbortController();
    answer = () => abort.abort(new Error('nobody waits'));
    assert.match((await failure(ask(secret, {}, abort.signal))).message, /cannot be reached \(nobody waits\)/);
  });
});
