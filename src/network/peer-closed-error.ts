/** The other side ended the connection without saying why. */
export class PeerClosedError extends Error {
  constructor() {
    super('the other side closed the connection');
    this.name = 'PeerClosedError';
  }
}
