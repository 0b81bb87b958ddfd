import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { NetworkError } from '../errors/kafka-error.ts';

/** All addresses of a host, in the order to try them. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/** The system's resolver: `/etc/hosts`, DNS and whatever else the machine is set up for. */
export const systemLookUp: LookUp = async (host) => {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};

/**
 * The addresses of a host (KIP-302, KIP-602); an address is its own.
 *
 * @throws NetworkError DNS_FAILED
 */
export async function resolveHost(host: string, lookUp: LookUp): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  let addresses: readonly string[] = [];
  let cause: unknown;
  try {
    addresses = await lookUp(host);
  } catch (error) {
    cause = error;
  }
  if (addresses.length > 0) return [...new Set(addresses)];
  const why =
    cause instanceof Error && 'code' in cause ? `the resolver answered ${String(cause.code)}` : 'it has no address';
  throw new NetworkError(
    `Cannot resolve host name ${JSON.stringify(host)}: ${why}; check bootstrapServers and advertised.listeners`,
    {
      code: 'DNS_FAILED',
      retriable: true,
      cause,
    },
  );
}
