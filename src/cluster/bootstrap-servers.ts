import { UsageError } from '../errors/kafka-error.ts';
import type { Endpoint } from '../network/endpoint.ts';
import { endpointText } from '../util/endpoint-text.ts';
import { quote } from '../util/option-rules.ts';

const DEFAULT_PORT = 9092;

/**
 * The endpoints of `bootstrapServers`: an array or one comma-separated text of `host`, `host:port`, `[ipv6]:port`.
 *
 * @throws UsageError INVALID_OPTION that names the entry which cannot be used
 */
export function parseBootstrapServers(servers: string | readonly string[]): readonly Endpoint[] {
  const entries = (typeof servers === 'string' ? [servers] : servers).flatMap((text) => text.split(','));
  const named = entries.map((entry) => entry.trim()).filter((entry) => entry.length > 0);
  if (named.length === 0) {
    throw invalid('Cannot use bootstrapServers: it names no server; give at least one, such as "localhost:9092"');
  }
  const seen = new Map<string, Endpoint>();
  for (const entry of named) {
    const endpoint = parseServer(entry);
    seen.set(endpointText(endpoint), endpoint);
  }
  return Object.freeze([...seen.values()]);
}

function parseServer(entry: string): Endpoint {
  if (/^[a-z][a-z0-9+._-]*:\/\//i.test(entry)) {
    throw bad(entry, 'it is a URL; give host:port, and the option tls if the port speaks TLS');
  }
  if (/^[0-9a-f]*:[0-9a-f.]*:[0-9a-f:.]*$/i.test(entry)) {
    throw bad(entry, `an IPv6 address stands in brackets: "[${entry}]:${DEFAULT_PORT}"`);
  }
  const parts = /^(?:\[([0-9a-f:.%a-z]+)\]|([^:[\]\s/@]+))(?::(\d+))?$/i.exec(entry);
  if (parts === null) throw bad(entry, 'it must be host:port');
  const host = parts[1] ?? parts[2] ?? '';
  const port = parts[3] === undefined ? DEFAULT_PORT : Number(parts[3]);
  if (port < 1 || port > 65_535) throw bad(entry, 'the port must be from 1 to 65535');
  return Object.freeze({ host, port });
}

function bad(entry: string, why: string): UsageError {
  // Somebody who writes user:password@host must not find the password in a log.
  const shown = entry.includes('@') ? `...${entry.slice(entry.lastIndexOf('@'))}` : entry;
  return invalid(`Cannot use bootstrapServers entry ${quote(shown)}: ${why}`);
}

function invalid(message: string): UsageError {
  return new UsageError(message, { code: 'INVALID_OPTION' });
}
