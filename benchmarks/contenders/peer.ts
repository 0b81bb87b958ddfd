import { createRequire } from 'node:module';
import { peersFolder } from '../install-peers.ts';

/** Loads a peer from the folder that the harness installed it into. */
export function loadPeer(name: string, folder: URL = peersFolder): unknown {
  return createRequire(new URL('package.json', folder))(name);
}
