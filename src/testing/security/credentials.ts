import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import type { ClusterState } from '../state/cluster-state.ts';

/** SCRAM's two hashes, as Kafka numbers them: 1 and 2. */
export const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
/** One of {@link scramMechanisms}. */
export type ScramMechanism = (typeof scramMechanisms)[number];

/** What a broker keeps of a password: enough to check a proof, too little to make one. */
export interface ScramCredential {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** A {@link ScramCredential} as JSON. */
export interface SavedCredential {
  readonly mechanism: ScramMechanism;
  readonly name: string;
  readonly iterations: number;
  readonly salt: string;
  readonly storedKey: string;
  readonly serverKey: string;
}

const INITIAL_ITERATIONS = 4096;
const SALT_BYTES = 16;

/** Who may log in, with what; a service of the cluster's state. */
export class Credentials {
  readonly #cluster: ClusterState;
  readonly #passwords = new Map<string, string>();
  readonly #scram: ReadonlyMap<ScramMechanism, Map<string, ScramCredential>> = new Map(
    scramMechanisms.map((mechanism) => [mechanism, new Map<string, ScramCredential>()]),
  );

  constructor(cluster: ClusterState) {
    this.#cluster = cluster;
  }

  /** Lets a user in by each mechanism that takes a password. */
  addUser(name: string, password: string): void {
    this.#passwords.set(name, password);
    const salt = Buffer.from(Array.from({ length: SALT_BYTES }, () => Math.floor(this.#cluster.random() * 256)));
    for (const mechanism of scramMechanisms) {
      const salted = pbkdf2Sync(password, salt, INITIAL_ITERATIONS, hashBytes(mechanism), hashOf(mechanism));
      this.setScram(name, mechanism, { salt, iterations: INITIAL_ITERATIONS, saltedPassword: salted });
    }
  }

  /** For PLAIN. */
  hasPassword(name: string, password: string): boolean {
    return this.#passwords.get(name) === password;
  }

  scram(name: string, mechanism: ScramMechanism): ScramCredential | undefined {
    return this.#scram.get(mechanism)?.get(name);
  }

  /** All users with a credential for SCRAM, in order. */
  scramUsers(): string[] {
    return [...new Set([...this.#scram.values()].flatMap((users) => [...users.keys()]))].sort();
  }

  setScram(
    name: string,
    mechanism: ScramMechanism,
    given: { readonly salt: Buffer; readonly iterations: number; readonly saltedPassword: Buffer },
  ): void {
    const hash = hashOf(mechanism);
    const clientKey = hmac(hash, given.saltedPassword, 'Client Key');
    this.#scram.get(mechanism)?.set(name, {
      salt: Buffer.from(given.salt),
      iterations: given.iterations,
      storedKey: createHash(hash).update(clientKey).digest(),
      serverKey: hmac(hash, given.saltedPassword, 'Server Key'),
    });
  }

  /** What was set by requests and options, for SCRAM; passwords for PLAIN come with the options each time. */
  snapshot(): readonly SavedCredential[] {
    return [...this.#scram].flatMap(([mechanism, users]) =>
      [...users].map(([name, { salt, iterations, storedKey, serverKey }]) => ({
        mechanism,
        name,
        iterations,
        salt: salt.toString('base64'),
        storedKey: storedKey.toString('base64'),
        serverKey: serverKey.toString('base64'),
      })),
    );
  }

  /** Users of the options are there already and stay as they are. */
  restore(saved: readonly SavedCredential[]): void {
    for (const { mechanism, name, iterations, ...keys } of saved) {
      const users = this.#scram.get(mechanism);
      if (users === undefined || this.#passwords.has(name)) continue;
      const [salt, storedKey, serverKey] = [keys.salt, keys.storedKey, keys.serverKey].map((text) =>
        Buffer.from(text, 'base64'),
      );
      if (salt !== undefined && storedKey !== undefined && serverKey !== undefined)
        users.set(name, { salt, iterations, storedKey, serverKey });
    }
  }

  /** Whether there was one. */
  removeScram(name: string, mechanism: ScramMechanism): boolean {
    return this.#scram.get(mechanism)?.delete(name) === true;
  }
}

/** Node's name of a mechanism's hash. */
export function hashOf(mechanism: ScramMechanism): 'sha256' | 'sha512' {
  return mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512';
}

function hashBytes(mechanism: ScramMechanism): number {
  return mechanism === 'SCRAM-SHA-256' ? 32 : 64;
}

export function hmac(hash: 'sha256' | 'sha512', key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text, 'utf8').digest();
}
