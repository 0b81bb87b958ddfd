import { pbkdf2 } from 'node:crypto';

/** The hashes that SCRAM is used with, by Node's names. */
export type PasswordHash = 'sha256' | 'sha512';

const KEY_BYTES: Readonly<Record<PasswordHash, number>> = { sha256: 32, sha512: 64 };

/** The salted password of RFC 5802: PBKDF2 with the password as UTF-8, as long as the hash. */
export function saltPassword(
  hash: PasswordHash,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // On the thread pool: at 16,384 iterations the loop would stand still for 10 ms.
    pbkdf2(password, salt, iterations, KEY_BYTES[hash], hash, (error, salted) => {
      if (error !== null) reject(error);
      else resolve(salted);
    });
  });
}
