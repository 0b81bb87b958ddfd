export type { SaslAuthenticator, SaslContext, SaslConversation } from './sasl-conversation.ts';
export type { SaslCustomOptions, SaslOptions, SaslPasswordOptions } from './sasl-options.ts';
export type { TlsMaterial, TlsOptions } from './tls-options.ts';
