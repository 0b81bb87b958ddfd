import { AuthenticationError, NetworkError, type KafkaError } from '../errors/kafka-error.ts';

const untrusted: ReadonlySet<string> = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_CHAIN_TOO_LONG',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
]);

/** What is wrong here or there, where the broker's or our own settings have to change. */
const advice: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate of the broker has expired',
  CERT_NOT_YET_VALID: 'the certificate of the broker is not valid yet; check the clock of this machine',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the broker offers no TLS version that is allowed here',
};

/** What the broker says when it ends the handshake. OpenSSL's releases put different words before `ALERT`. */
const alerts: Readonly<Record<string, string>> = {
  PROTOCOL_VERSION: 'the broker allows no TLS version that is allowed here',
  HANDSHAKE_FAILURE: 'the broker refused the handshake; it may ask for a certificate: give tls.cert and tls.key',
  CERTIFICATE_REQUIRED: 'the broker asks for a certificate: give tls.cert and tls.key',
  BAD_CERTIFICATE: 'the broker asks for a certificate, or refused ours: check tls.cert and tls.key',
  UNKNOWN_CA: 'the broker does not know the authority that signed our certificate',
  CERTIFICATE_UNKNOWN: 'the broker does not accept our certificate',
  CERTIFICATE_EXPIRED: 'our certificate has expired',
  CERTIFICATE_REVOKED: 'our certificate has been revoked',
};

/** Seen when the other side answers in plain text. */
const notTls: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_RECORD_LAYER_FAILURE',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_UNEXPECTED_MESSAGE',
]);

/**
 * The error for what a TLS socket failed with; undefined if the failure is not about TLS.
 *
 * @param doing the start of the message: `Cannot connect to broker kafka:9093`
 */
export function tlsError(error: Error, doing: string): KafkaError | undefined {
  const code = errorCode(error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const why = `the broker's certificate is for another host name; connect by a name that is in it, or set tls.servername (${error.message})`;
    return new AuthenticationError(`${doing}: ${why}`, {
      code: 'TLS_HOST_NAME_MISMATCH',
      cause: withoutCertificate(error),
    });
  }
  if (untrusted.has(code)) {
    const why = `no trusted authority signed the broker's certificate (${code}); give its authority in tls.ca`;
    return new AuthenticationError(`${doing}: ${why}`, { code: 'TLS_UNTRUSTED_CERTIFICATE', cause: error });
  }
  if (notTls.has(code)) {
    const why = 'the port does not speak TLS; use another port, or leave out tls';
    return new NetworkError(`${doing}: ${why}`, { code: 'NOT_KAFKA', cause: error });
  }
  const alert = /^ERR_SSL_.*_ALERT_([A-Z_]+)$/.exec(code)?.[1];
  const known = advice[code] ?? (alert === undefined ? undefined : alerts[alert]);
  if (known !== undefined) return new AuthenticationError(`${doing}: ${known}`, { code: 'TLS_FAILED', cause: error });
  if (!/^(ERR_SSL_|ERR_TLS_|CERT_|EPROTO)/.test(code)) return undefined;
  // What has no line above may be the network's doing as well, so it is worth another try.
  return new NetworkError(`${doing}: TLS failed (${code})`, { code: 'TLS_FAILED', retriable: true, cause: error });
}

/** Node attaches the whole certificate, which would fill a page of every log that shows the error. */
function withoutCertificate(error: Error): Error {
  return Object.assign(new Error(error.message), { code: errorCode(error) });
}

function errorCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
