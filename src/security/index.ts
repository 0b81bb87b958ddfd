export type { OAuthToken } from './bearer-token.ts';
export type { SaslExtensions } from './oauth-bearer.ts';
export type { OAuthAssertion } from './oauth-grant.ts';
export type { OAuthTokenProvider, SaslTokenEndpointOptions, SaslTokenOptions } from './oauth-options.ts';
export type { SaslAuthenticator, SaslContext, SaslConversation } from './sasl-conversation.ts';
export type {
  SaslCustomOptions,
  SaslDelegationTokenOptions,
  SaslOptions,
  SaslPasswordOptions,
} from './sasl-options.ts';
export type { TlsMaterial, TlsOptions } from './tls-options.ts';
