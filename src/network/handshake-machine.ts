import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import { brokerError } from '../errors/broker-error.ts';
import { AuthenticationError, KafkaError, ProtocolError } from '../errors/kafka-error.ts';
import type { Api, Input } from '../protocol/api.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../protocol/framing.ts';
import { ApiVersions, type ApiVersionsResponse } from '../protocol/generated/api-versions.ts';
import { SaslAuthenticate, type SaslAuthenticateResponse } from '../protocol/generated/sasl-authenticate.ts';
import { SaslHandshake, type SaslHandshakeResponse } from '../protocol/generated/sasl-handshake.ts';
import { Reader } from '../protocol/wire/reader.ts';
import { excerpt } from '../util/redaction.ts';
import { quote } from '../util/option-rules.ts';
import { BrokerVersions } from './broker-versions.ts';
import { clientSoftware } from './client-software.ts';

/** A conversation longer than this is no authentication any more: GSSAPI, the longest that Kafka knows, takes four. */
const MAX_ROUNDS = 32;
/**
 * The part of a session's lifetime after which it is renewed: from here on, plus a random part of the window, so that the
 * connections of a client that started at once do not all come back at once (KIP-368; as Java).
 */
const EARLIEST_RENEWAL = 0.85;
const RENEWAL_WINDOW = 0.1;

/** What the handshake needs to know. */
export interface HandshakeOptions {
  /** The start of error messages: `Cannot connect to broker kafka:9092`. */
  readonly doing: string;
  readonly clientId: string;
  /** The version of ApiVersions to ask first: what this broker answered to the last time. */
  readonly apiVersionsVersion?: number | undefined;
  /** The SASL mechanism on the wire; undefined for none. */
  readonly mechanism?: string | undefined;
  /** Takes our secrets out of a broker's words. */
  readonly redact?: ((text: string) => string) | undefined;
}

/** What a finished handshake knows of the broker. */
export interface HandshakeResult {
  readonly versions: BrokerVersions;
  /** The version of ApiVersions that the broker answered to, for the next connection. */
  readonly apiVersionsVersion: number;
  /** How long the authentication holds, in milliseconds (KIP-368); undefined where it does not end. */
  readonly sessionLifetimeMs: number | undefined;
}

/** What the driver must do. */
export type HandshakeEffect =
  | { readonly kind: 'send'; readonly pieces: readonly Buffer[] }
  /** Ask the SASL conversation what to say next, then call `handleToken` or `handleTokenError`. */
  | { readonly kind: 'askAuthenticator'; readonly challenge: Buffer | undefined }
  | { readonly kind: 'finish'; readonly result: HandshakeResult }
  | { readonly kind: 'fail'; readonly error: KafkaError };

/** What is known of a broker once it has told its versions. */
type Known = Omit<HandshakeResult, 'sessionLifetimeMs'>;

type HandshakeState =
  | { readonly name: 'starting' }
  | { readonly name: 'askingVersions'; readonly version: number }
  | { readonly name: 'choosingMechanism'; readonly known: Known; readonly version: number }
  | { readonly name: 'waitingForToken'; readonly known: Known; readonly round: number; readonly lifetimeMs: number }
  | { readonly name: 'authenticating'; readonly known: Known; readonly round: number; readonly version: number }
  | { readonly name: 'finished' }
  | { readonly name: 'failed' };

/**
 * What happens on a connection before its first request: ApiVersions with its fallbacks (KIP-35, KIP-511), then SASL (KIP-43,
 * KIP-152); and SASL alone, when the session of an open connection is renewed (KIP-368). Everything it decides is in this file;
 * it knows no socket, no clock, and no secret.
 */
export class HandshakeMachine {
  readonly #options: HandshakeOptions;
  readonly #effects: HandshakeEffect[] = [];
  #state: HandshakeState = { name: 'starting' };
  #correlationId = -1;
  #isRenewal = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** What is under way, for an error that says where it stopped. */
  get stage(): string {
    switch (this.#state.name) {
      case 'starting':
      case 'askingVersions':
        return 'asking for its API versions (ApiVersions)';
      case 'choosingMechanism':
      case 'waitingForToken':
      case 'authenticating':
        return `authenticating (${this.#options.mechanism ?? 'SASL'})`;
      case 'finished':
      case 'failed':
        return 'after the handshake';
    }
  }

  /** Whether the broker has said its part, and whoever knows the credentials has yet to answer. */
  get isOurTurn(): boolean {
    return this.#state.name === 'waitingForToken';
  }

  /** The number of the last request that was sent: an open connection goes on counting from there. */
  get correlationId(): number {
    return this.#correlationId;
  }

  /** Begins on a new connection. */
  start(): void {
    if (this.#state.name !== 'starting') return;
    this.#askVersions(Math.min(this.#options.apiVersionsVersion ?? ApiVersions.maxVersion, ApiVersions.maxVersion));
  }

  /**
   * Begins on a connection in use, to authenticate again.
   *
   * @param known what the first handshake found out; versions are not asked for a second time
   * @param correlationId the number of the last request on the connection
   */
  startRenewal(known: Known, correlationId: number): void {
    if (this.#state.name !== 'starting') return;
    this.#isRenewal = true;
    this.#correlationId = correlationId;
    this.#chooseMechanism(known, this.#options.mechanism ?? '');
  }

  /** A frame arrived. */
  handleFrame(frame: Buffer): void {
    try {
      this.#read(frame);
    } catch (error) {
      // Nothing else is thrown in there: what a decoder does not understand is a ProtocolError.
      this.#fail(error instanceof KafkaError ? error : new ProtocolError('Cannot read a response', { cause: error }));
    }
  }

  /** The SASL conversation answered: `undefined` says that it is content. */
  handleToken(token: Uint8Array | undefined): void {
    const state = this.#state;
    if (state.name !== 'waitingForToken') return;
    if (token === undefined) return this.#finish(state.known, state.lifetimeMs);
    if (state.round >= MAX_ROUNDS) {
      return this.#fail(this.#refusal(`the broker did not come to an end after ${MAX_ROUNDS} challenges`));
    }
    const version = commonVersion(SaslAuthenticate, state.known.versions);
    if (version === undefined) return this.#fail(this.#refusal('the broker does not know SaslAuthenticate (KIP-152)'));
    // Sent first: a token that cannot be encoded is an error of the conversation, which is still to be told.
    this.#send(SaslAuthenticate, version, { authBytes: token });
    this.#state = { name: 'authenticating', known: state.known, round: state.round + 1, version };
  }

  /** The SASL conversation refused to go on. */
  handleTokenError(error: unknown): void {
    if (this.#state.name !== 'waitingForToken') return;
    if (error instanceof KafkaError) return this.#fail(error);
    const why = 'the authenticator failed; see the cause';
    this.#fail(this.#refusal(why, error));
  }

  /** What to do now, in order. */
  takeEffects(): HandshakeEffect[] {
    return this.#effects.splice(0);
  }

  #read(frame: Buffer): void {
    const state = this.#state;
    switch (state.name) {
      case 'askingVersions':
        return this.#readVersions(frame, state.version);
      case 'choosingMechanism': {
        const response = this.#decode(SaslHandshake, state.version, frame);
        return this.#handleMechanism(response, state.known);
      }
      case 'authenticating': {
        const response = this.#decode(SaslAuthenticate, state.version, frame);
        return this.#handleAuthenticated(response, state.known, state.round);
      }
      case 'starting':
      case 'waitingForToken':
        throw new ProtocolError(`${this.#options.doing}: it answered although nothing was asked`);
      case 'finished':
      case 'failed':
        return;
      default:
        state satisfies never;
    }
  }

  #askVersions(version: number): void {
    this.#state = { name: 'askingVersions', version };
    this.#send(ApiVersions, version, {
      ...(version >= 3 && { clientSoftwareName: clientSoftware.name, clientSoftwareVersion: clientSoftware.version }),
    });
  }

  #readVersions(frame: Buffer, version: number): void {
    // A broker that does not know the version answers 35 in the format of version 0 (KIP-511), whatever was asked.
    const errorCode = errorCodeOf(frame);
    const unsupported = errorCode === brokerErrorCodes.UNSUPPORTED_VERSION && version > 0;
    const response = this.#decode(ApiVersions, unsupported ? 0 : version, frame);
    if (unsupported) return this.#askVersions(fallbackVersion(response, version));
    if (errorCode !== 0) return this.#fail(brokerError(errorCode, this.#options.doing));
    const known = { versions: new BrokerVersions(response), apiVersionsVersion: version };
    if (this.#options.mechanism === undefined) return this.#finish(known, 0);
    this.#chooseMechanism(known, this.#options.mechanism);
  }

  #chooseMechanism(known: Known, mechanism: string): void {
    const version = commonVersion(SaslHandshake, known.versions);
    if (version === undefined || version < 1) {
      return this.#fail(this.#refusal('the broker does not know SaslHandshake version 1 (KIP-152)'));
    }
    this.#state = { name: 'choosingMechanism', known, version };
    this.#send(SaslHandshake, version, { mechanism });
  }

  #handleMechanism({ errorCode, mechanisms }: SaslHandshakeResponse, known: Known): void {
    if (errorCode === 0) {
      this.#state = { name: 'waitingForToken', known, round: 0, lifetimeMs: 0 };
      this.#effects.push({ kind: 'askAuthenticator', challenge: undefined });
      return;
    }
    if (errorCode === brokerErrorCodes.UNSUPPORTED_SASL_MECHANISM) {
      const offered = mechanisms.slice(0, 10).map((name) => quote(this.#shown(name)));
      const mechanism = this.#options.mechanism ?? '';
      const why = `the listener does not offer the SASL mechanism ${mechanism}; it offers ${offered.join(', ') || 'none'}`;
      return this.#fail(
        new AuthenticationError(`${this.#options.doing}: ${why}`, { code: 'UNSUPPORTED_SASL_MECHANISM' }),
      );
    }
    const isWrongTime = errorCode === brokerErrorCodes.ILLEGAL_SASL_STATE;
    this.#fail(brokerError(errorCode, this.#options.doing, isWrongTime ? this.#wrongTimeHint : undefined));
  }

  #handleAuthenticated(response: SaslAuthenticateResponse, known: Known, round: number): void {
    if (response.errorCode !== 0) {
      const words = response.errorMessage === null ? undefined : this.#shown(response.errorMessage);
      return this.#fail(brokerError(response.errorCode, this.#options.doing, words));
    }
    const lifetimeMs = Number(response.sessionLifetimeMs);
    this.#state = { name: 'waitingForToken', known, round, lifetimeMs };
    this.#effects.push({ kind: 'askAuthenticator', challenge: response.authBytes });
  }

  get #wrongTimeHint(): string {
    return this.#isRenewal
      ? 'this broker does not authenticate a connection again, or not so soon'
      : 'this listener does not authenticate with SASL; leave out sasl or use another port';
  }

  #finish(known: Known, lifetimeMs: number): void {
    this.#state = { name: 'finished' };
    const sessionLifetimeMs = lifetimeMs > 0 ? lifetimeMs : undefined;
    this.#effects.push({ kind: 'finish', result: { ...known, sessionLifetimeMs } });
  }

  #fail(error: KafkaError): void {
    this.#state = { name: 'failed' };
    this.#effects.push({ kind: 'fail', error });
  }

  #refusal(why: string, cause?: unknown): AuthenticationError {
    return new AuthenticationError(`${this.#options.doing}: ${why}`, { code: 'SASL_AUTHENTICATION_FAILED', cause });
  }

  #shown(text: string): string {
    return excerpt(this.#options.redact?.(text) ?? text);
  }

  #send<Req>(api: Api<Req, unknown>, version: number, message: Input<Req>): void {
    const correlationId = nextCorrelationId(this.#correlationId);
    const pieces = encodeRequestFrame(api, message, version, correlationId, this.#options.clientId);
    this.#correlationId = correlationId;
    this.#effects.push({ kind: 'send', pieces });
  }

  #decode<Res>(api: Api<unknown, Res>, version: number, frame: Buffer): Res {
    const reader = new Reader(frame, `${api.name} response version ${version}`);
    const { correlationId } = decodeResponseHeader(reader, api.responseHeaderVersion(version));
    if (correlationId !== this.#correlationId) {
      const why = `it answered request ${correlationId}, but request ${this.#correlationId} was asked`;
      throw new ProtocolError(`${this.#options.doing}: ${why}`);
    }
    const response = api.readResponse(reader, version);
    reader.finish();
    return response;
  }
}

/** Correlation ids of a connection count up and begin again at 0: a negative one is nobody's. */
export function nextCorrelationId(last: number): number {
  return (last + 1) & 0x7fff_ffff;
}

/**
 * After how many milliseconds of a session it is to be renewed.
 *
 * @param chance from 0 to 1
 * @returns Infinity for a session that does not end
 */
export function renewalDelayMs(sessionLifetimeMs: number | undefined, chance: number): number {
  return sessionLifetimeMs === undefined ? Infinity : sessionLifetimeMs * (EARLIEST_RENEWAL + RENEWAL_WINDOW * chance);
}

/** ApiVersions answers with header version 0 and an error code first, in every version. */
function errorCodeOf(frame: Buffer): number {
  const reader = new Reader(frame, 'ApiVersions response');
  decodeResponseHeader(reader, 0);
  return reader.int16();
}

/**
 * The version to ask next: the highest that the refusal lists, 0 if it lists none. Kafka 4.3 refuses version 5 listing 0 to 4.
 * Always below the one refused, so that a broker which refuses everything comes to an end.
 */
function fallbackVersion(response: ApiVersionsResponse, refused: number): number {
  const listed = response.apiKeys.find(({ apiKey }) => apiKey === ApiVersions.key);
  return Math.max(0, Math.min(listed?.maxVersion ?? 0, refused - 1));
}

function commonVersion(
  api: Pick<Api<never, never>, 'key' | 'minVersion' | 'maxVersion'>,
  versions: BrokerVersions,
): number | undefined {
  const broker = versions.range(api.key);
  if (broker === undefined) return undefined;
  const version = Math.min(broker.max, api.maxVersion);
  return version >= Math.max(broker.min, api.minVersion) ? version : undefined;
}
