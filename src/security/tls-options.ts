import { isIP } from 'node:net';
import type { ConnectionOptions, PeerCertificate, SecureContext, SecureVersion } from 'node:tls';
import { UsageError } from '../errors/kafka-error.ts';
import {
  anyOf,
  boolean,
  findOptionProblem,
  listOf,
  nonEmptyString,
  oneOf,
  type OptionRule,
} from '../util/option-rules.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { nodeTls } from './node-tls.ts';
import { REDACTED } from '../util/redaction.ts';

/** PEM or DER, as Node takes it. */
export type TlsMaterial = string | Uint8Array;

/** How connections are encrypted. Names and meanings are those of Node's `tls.connect`. */
export interface TlsOptions {
  /** The authorities to trust instead of those that Node brings. Java: `ssl.truststore.certificates`. */
  readonly ca?: TlsMaterial | readonly TlsMaterial[] | undefined;
  /** Our own certificate, with its chain, where the broker asks for one. Java: `ssl.keystore.certificate.chain`. */
  readonly cert?: TlsMaterial | readonly TlsMaterial[] | undefined;
  /** The private key of {@link cert}. Java: `ssl.keystore.key`. */
  readonly key?: TlsMaterial | undefined;
  /** Certificate and key in one PKCS #12 file. Java: `ssl.keystore.location`. */
  readonly pfx?: TlsMaterial | undefined;
  /** Opens {@link key} or {@link pfx}. Java: `ssl.key.password`. */
  readonly passphrase?: string | undefined;
  /**
   * The name that the broker's certificate must have, where it is not the host that we connect to.
   *
   * @defaultValue the broker's host name
   */
  readonly servername?: string | undefined;
  /**
   * Whether a broker must prove who it is. With `false` anybody in between can read and change everything: for experiments only.
   *
   * @defaultValue true
   */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Checks the name in the certificate, instead of Node's own check: answers with an error to refuse. */
  readonly checkServerIdentity?: ((host: string, certificate: PeerCertificate) => Error | undefined) | undefined;
  /** @defaultValue TLSv1.2 */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** @defaultValue TLSv1.3 */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** The ciphers to allow, as OpenSSL lists them. Java: `ssl.cipher.suites`. */
  readonly ciphers?: string | undefined;
}

const versions: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3'];
const material: OptionRule = anyOf(nonEmptyString, {
  expected: 'bytes',
  accepts: (value) => value instanceof Uint8Array && value.length > 0,
});
const rules: Readonly<Record<keyof TlsOptions, OptionRule>> = {
  ca: anyOf(material, listOf(material)),
  cert: anyOf(material, listOf(material)),
  key: material,
  pfx: material,
  passphrase: { expected: 'a string', accepts: (value) => typeof value === 'string' },
  servername: nonEmptyString,
  rejectUnauthorized: boolean,
  checkServerIdentity: { expected: 'a function', accepts: (value) => typeof value === 'function' },
  minVersion: oneOf(versions),
  maxVersion: oneOf(versions),
  ciphers: nonEmptyString,
};
const otherNames = {
  host: 'the host is that of bootstrapServers; use servername for the name in the certificate',
  serverName: 'did you mean servername?',
  enabled: 'leave out tls to have none',
};

/** TLS as the network uses it: checked, its keys read once, and out of reach of `util.inspect`. */
export class TlsSettings {
  readonly rejectUnauthorized: boolean;
  readonly #options: TlsOptions;
  readonly #context: SecureContext;

  /** @throws UsageError if a certificate or key cannot be read, or the options do not fit together */
  constructor(options: TlsOptions) {
    const problem = findOptionProblem(options, rules, 'tls', otherNames);
    if (problem !== undefined) throw new UsageError(problem.message, { code: problem.code });
    this.#options = options;
    this.rejectUnauthorized = options.rejectUnauthorized ?? true;
    this.#context = secureContext(options);
  }

  /** What `tls.connect` needs for a broker of this host name, beside address and port. */
  connectOptions(host: string): ConnectionOptions {
    // A trailing dot makes a name absolute for DNS; certificates are written without it.
    const identity = this.#options.servername ?? host.replace(/\.$/, '');
    const check = this.#options.checkServerIdentity ?? nodeTls().checkServerIdentity;
    return {
      secureContext: this.#context,
      rejectUnauthorized: this.rejectUnauthorized,
      checkServerIdentity: (_host, certificate) => check(identity, certificate),
      // RFC 6066: no address in the server name; Node would warn.
      ...(isIP(identity) === 0 ? { servername: identity } : {}),
    };
  }

  toJSON(): object {
    const secret = new Set(['key', 'pfx', 'passphrase', 'ca', 'cert']);
    const given = Object.entries(this.#options).filter(([, value]) => value !== undefined);
    return Object.fromEntries(given.map(([name, value]) => [name, secret.has(name) ? REDACTED : value]));
  }

  static {
    inspectAs(this, (instance) => instance.toJSON(), 'TlsSettings');
  }
}

/** Checks `tls`; `true` means Node's own authorities, `false` and `undefined` no encryption. */
export function resolveTlsOptions(options: boolean | TlsOptions | TlsSettings | undefined): TlsSettings | undefined {
  if (options === undefined || options === false) return undefined;
  if (options instanceof TlsSettings) return options;
  return new TlsSettings(options === true ? {} : options);
}

function secureContext(options: TlsOptions): SecureContext {
  const { ca, cert, key, pfx, passphrase, minVersion = 'TLSv1.2', maxVersion, ciphers } = options;
  if (pfx === undefined && (cert === undefined) !== (key === undefined)) {
    throw unusable(`${cert === undefined ? 'key' : 'cert'} is given without ${cert === undefined ? 'cert' : 'key'}`);
  }
  const given = { ca, cert, key, pfx, passphrase, minVersion, maxVersion, ciphers };
  try {
    return nodeTls().createSecureContext(
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    );
  } catch (error) {
    throw unusable(`ca, cert, key or pfx cannot be read (${reason(error)})`);
  }
}

/** OpenSSL's own words, which name a step and never repeat the input; its error object is not kept as a cause all the same. */
function reason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}

function unusable(why: string): UsageError {
  return new UsageError(`Cannot use tls: ${why}`, { code: 'INVALID_OPTION' });
}
