/** Where a broker listens. */
export interface Endpoint {
  /** A host name, or an IPv4 or IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}
