/** What stands where a secret was. */
export const REDACTED = '[redacted]';
/** The words of a server are shown up to here. */
const MAX_SHOWN = 200;

/** Text of a server without our secrets: a hostile one could hand them back in its error message. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.filter((secret) => secret !== '').reduce((shown, secret) => shown.replaceAll(secret, REDACTED), text);
}

/** The words of a server as they stand in a message: the beginning, on one line. Take secrets out before, or half of one is left. */
export function excerpt(text: string): string {
  return text.slice(0, MAX_SHOWN).replaceAll(/\p{Cc}/gu, ' ');
}
