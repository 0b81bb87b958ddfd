/** What brokers see of this client in their metrics (KIP-511). A test holds the version equal to that of the package. */
export const clientSoftware = { name: 'kavka', version: '0.1.0' } as const;
