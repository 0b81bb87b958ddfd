import { randomBytes } from 'node:crypto';
import type { BrokerPlan } from './broker-settings.ts';
import { clientAddress, racksOf, secretFiles } from './broker-settings.ts';
import { makeAuthority } from './certificates.ts';
import { listenerNames } from './options.ts';
import type { KafkaDescription, KafkaOptions, ListenerName, TestCertificates } from './options.ts';
import { freePorts } from './ports.ts';

/** Sixteen bytes as Kafka writes them; a dash in front would look like an option to the formatter. */
export function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Gives every broker its ports; in a container the internal ones are the same for all. */
export async function planBrokers(
  options: KafkaOptions,
  internal: (id: number) => { host: string; port: number; controllerPort: number } | undefined,
): Promise<BrokerPlan[]> {
  const wanted = listenersOf(options);
  const count = options.brokers ?? 1;
  const ports = await freePorts(count * (wanted.length + 2));
  const next = (): number => ports.pop() ?? 0;
  return Array.from({ length: count }, (_, index) => {
    const id = index + 1;
    const inside = internal(id) ?? { host: '127.0.0.1', port: next(), controllerPort: next() };
    return {
      id,
      rack: (options.racks ?? racksOf(count))[index],
      internalHost: inside.host,
      internalPort: inside.port,
      controllerPort: inside.controllerPort,
      ports: Object.fromEntries(wanted.map((name) => [name, next()])),
    };
  });
}

function listenersOf(options: KafkaOptions): ListenerName[] {
  const wanted = options.listeners ?? listenerNames;
  return listenerNames.filter((name) => name === 'plaintext' || wanted.includes(name));
}

export function addressesOf(brokers: readonly BrokerPlan[]): KafkaDescription['listeners'] {
  const entries = listenerNames
    .filter((name) => brokers[0]?.ports[name] !== undefined)
    .map((name) => [name, brokers.map((broker) => clientAddress(name, broker.ports[name] ?? 0))]);
  return Object.fromEntries(entries) as KafkaDescription['listeners'];
}

/** What clients need, and the files that brokers read from their secrets directory. */
export function makeSecrets(): { readonly tls: TestCertificates; readonly files: Readonly<Record<string, string>> } {
  const authority = makeAuthority('Kavka test CA');
  const server = authority.issue('localhost', ['localhost', '127.0.0.1']);
  const wrongHost = authority.issue('elsewhere.invalid', ['elsewhere.invalid']);
  const client = authority.issue('kavka test client', []);
  return {
    tls: {
      ca: authority.certificate,
      otherCa: makeAuthority('Another CA').certificate,
      clientCertificate: client.certificate,
      clientKey: client.key,
    },
    files: {
      [secretFiles.server]: server.key + server.certificate,
      [secretFiles.wrongHost]: wrongHost.key + wrongHost.certificate,
      [secretFiles.ca]: authority.certificate,
    },
  };
}
