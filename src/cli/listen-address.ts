import { CliError } from './cli-error.ts';

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * Reads `host:port`, `[address]:port`, or a port alone, which means loopback.
 *
 * @throws CliError for anything else
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new CliError(`Cannot listen on "${text}": give a port, or host:port, such as 127.0.0.1:9092`);
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

/** Whether only programs of this machine get there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
