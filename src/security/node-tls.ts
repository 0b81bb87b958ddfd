import type * as NodeTls from 'node:tls';

/**
 * Node's TLS, loaded when it is used first: it takes 2 MB and some of the time to import this package, which who does not encrypt need
 * not spend.
 */
export function nodeTls(): typeof NodeTls {
  return process.getBuiltinModule('node:tls');
}
