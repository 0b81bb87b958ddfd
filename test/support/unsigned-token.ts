/** What Kafka calls an unsecured token: a JSON Web Token without a signature, good for tests. */
export function unsignedToken(
  subject: string,
  expiresAtMs: number,
  more: Readonly<Record<string, unknown>> = {},
): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = expiresAtMs / 1000;
  return `${part({ alg: 'none' })}.${part({ sub: subject, exp, ...more })}.`;
}
