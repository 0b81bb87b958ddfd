import { AuthenticationError, NetworkError, type KafkaError } from '../errors/kafka-error.ts';
import type { SaslConversation } from '../security/sasl-conversation.ts';
import type { Endpoint } from './endpoint.ts';
import { HandshakeMachine, type HandshakeEffect, type HandshakeResult } from './handshake-machine.ts';
import type { NetworkSettings } from './network-options.ts';

/** What a handshake needs, and whom it tells. */
export interface HandshakeDriverOptions {
  /** The start of error messages: `Cannot connect to broker kafka:9092`. */
  readonly doing: string;
  readonly endpoint: Endpoint;
  readonly settings: NetworkSettings;
  readonly apiVersionsVersion?: number | undefined;
  readonly send: (pieces: readonly Buffer[]) => void;
  readonly finish: (result: HandshakeResult) => void;
  readonly fail: (error: KafkaError) => void;
}

/** Does what a {@link HandshakeMachine} says, with a SASL conversation of its own; the socket is its owner's. */
export class HandshakeDriver {
  readonly #options: HandshakeDriverOptions;
  readonly #machine: HandshakeMachine;
  #conversation: SaslConversation | undefined;
  #stopped = false;

  constructor(options: HandshakeDriverOptions) {
    const { doing, apiVersionsVersion, settings } = options;
    const { clientId, sasl } = settings;
    this.#options = options;
    this.#machine = new HandshakeMachine({
      doing,
      clientId,
      apiVersionsVersion,
      mechanism: sasl?.mechanism,
      redact: (text) => sasl?.redact(text) ?? text,
    });
  }

  /** What is under way, for an error that says where it stopped. */
  get stage(): string {
    return this.#machine.stage;
  }

  /** Whether it is not the broker that is waited for: see {@link HandshakeMachine.isOurTurn}. */
  get isOurTurn(): boolean {
    return this.#machine.isOurTurn;
  }

  /** The number of the last request that was sent. */
  get correlationId(): number {
    return this.#machine.correlationId;
  }

  /** Begins on a new connection. */
  start(): void {
    this.#machine.start();
    this.#act();
  }

  /** Begins on a connection in use: see {@link HandshakeMachine.startRenewal}. */
  startRenewal(known: Omit<HandshakeResult, 'sessionLifetimeMs'>, correlationId: number): void {
    this.#machine.startRenewal(known, correlationId);
    this.#act();
  }

  /** A frame arrived. */
  handleFrame(frame: Buffer): void {
    this.#machine.handleFrame(frame);
    this.#act();
  }

  /** Does nothing any more: an authenticator may still answer when the socket is gone. */
  stop(): void {
    this.#stopped = true;
  }

  #act(): void {
    if (this.#stopped) return;
    for (const effect of this.#machine.takeEffects()) this.#perform(effect);
  }

  #perform(effect: HandshakeEffect): void {
    switch (effect.kind) {
      case 'send':
        return this.#options.send(effect.pieces);
      case 'askAuthenticator':
        void this.#askAuthenticator(effect.challenge);
        return;
      case 'finish':
        return this.#options.finish(effect.result);
      case 'fail':
        return this.#options.fail(this.#unlessWorthAnother(effect.error));
    }
  }

  /** A broker that refuses what a conversation held from before is tried again with something newer; that is no fatal error. */
  #unlessWorthAnother(error: KafkaError): KafkaError {
    if (!(error instanceof AuthenticationError) || this.#conversation?.handleRefusal?.() !== true) return error;
    return new NetworkError(error.message, { code: error.code, retriable: true, cause: error });
  }

  async #askAuthenticator(challenge: Buffer | undefined): Promise<void> {
    const { settings, endpoint } = this.#options;
    try {
      const { host, port } = endpoint;
      this.#conversation ??= settings.sasl?.conversation(
        { host, port, encrypted: settings.tls !== undefined },
        (error, expiresAtMs) => settings.events.publish('sasl.token.failed', { error, expiresAtMs }),
      );
      this.#machine.handleToken(await this.#conversation?.respond(challenge));
    } catch (error) {
      this.#machine.handleTokenError(error);
    }
    this.#act();
  }
}
