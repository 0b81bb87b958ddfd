import type { CallOptions } from '../cluster/request.ts';
import { brokerErrorCodes } from '../errors/broker-error-codes.ts';
import type { Api, Input } from '../protocol/api.ts';
import { CreateDelegationToken } from '../protocol/generated/create-delegation-token.ts';
import { DescribeDelegationToken } from '../protocol/generated/describe-delegation-token.ts';
import { ExpireDelegationToken } from '../protocol/generated/expire-delegation-token.ts';
import { RenewDelegationToken } from '../protocol/generated/renew-delegation-token.ts';
import { inspectAs } from '../util/custom-inspect.ts';
import { REDACTED } from '../util/redaction.ts';
import type { AdminCall } from './admin-call.ts';
import type { ItemCheck } from './item-check.ts';
import { principalParts, principalText } from './principals.ts';

/** How a delegation token is made. */
export interface CreateDelegationTokenOptions extends CallOptions {
  /** Who may prolong it beside its owner, such as `['User:worker-pool']`. @defaultValue nobody */
  readonly renewers?: readonly string[] | undefined;
  /** Whom it lets in, who makes it if none is given; another one takes the right to `createTokens` (KIP-373, brokers from 3.3). */
  readonly owner?: string | undefined;
  /** After so long it cannot be prolonged any more. @defaultValue what the broker has: a week, and never more than that */
  readonly maxLifetimeMs?: number | undefined;
}

/** How a delegation token is prolonged. */
export interface RenewDelegationTokenOptions extends CallOptions {
  /** For how long from now, but not beyond the end of its life. @defaultValue what the broker has: a day */
  readonly renewPeriodMs?: number | undefined;
}

/** How a delegation token is ended. */
export interface ExpireDelegationTokenOptions extends CallOptions {
  /** After so long from now. @defaultValue at once */
  readonly expiryPeriodMs?: number | undefined;
}

/** Which delegation tokens are described. */
export interface DescribeDelegationTokensOptions extends CallOptions {
  /** Only tokens of these principals, such as `['User:alice']`. @defaultValue all that we may see: our own, and those that we may prolong */
  readonly owners?: readonly string[] | undefined;
}

/** All of a {@link DelegationToken}. */
export interface DelegationTokenFields {
  /** Its public name, which stands in place of a user name. */
  readonly tokenId: string;
  /** What proves it, as base64: it stands in place of a password and is as secret; `console.log` does not show it, JSON does. */
  readonly hmac: string;
  /** Whom it lets in: `User:alice`. */
  readonly owner: string;
  /** Who made it; undefined from brokers before 3.3, where it is the owner. */
  readonly requester: string | undefined;
  /** Who may prolong it beside the owner. */
  readonly renewers: readonly string[];
  /** When it was made, in milliseconds since 1970. */
  readonly issueTimestampMs: number;
  /** When it ends unless it is prolonged. */
  readonly expiryTimestampMs: number;
  /** Beyond this it cannot be prolonged. */
  readonly maxTimestampMs: number;
}

/** A token with which others connect as its owner, without knowing the owner's password: `sasl: { mechanism, delegationToken }` (KIP-48). Java: `DelegationToken`. */
export class DelegationToken implements DelegationTokenFields {
  readonly tokenId: string;
  readonly hmac: string;
  readonly owner: string;
  readonly requester: string | undefined;
  readonly renewers: readonly string[];
  readonly issueTimestampMs: number;
  readonly expiryTimestampMs: number;
  readonly maxTimestampMs: number;

  /** @internal What {@link Admin} answers with. */
  constructor(fields: DelegationTokenFields) {
    this.tokenId = fields.tokenId;
    this.hmac = fields.hmac;
    this.owner = fields.owner;
    this.requester = fields.requester;
    this.renewers = fields.renewers;
    this.issueTimestampMs = fields.issueTimestampMs;
    this.expiryTimestampMs = fields.expiryTimestampMs;
    this.maxTimestampMs = fields.maxTimestampMs;
  }

  static {
    inspectAs(this, (instance) => ({ ...instance, hmac: REDACTED }), 'DelegationToken');
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What is wrong with what a delegation token is named by; it is not shown, as it may be a secret in the wrong place. */
export const tokenHmac: ItemCheck = (item) => {
  const hmac = hmacOf(item);
  if (typeof hmac === 'string' && hmac !== '' && BASE64.test(hmac)) return undefined;
  return 'give the delegation token, or its hmac as base64';
};

/** Makes a token. */
export async function createDelegationToken(
  call: AdminCall,
  { renewers = [], owner, maxLifetimeMs }: CreateDelegationTokenOptions,
): Promise<DelegationToken> {
  const answer = await call.request({
    api: CreateDelegationToken,
    to: { kind: 'any' },
    message: (version) => {
      const parts = owner === undefined ? undefined : principalParts(owner);
      return {
        renewers: renewers.map(principalParts),
        maxLifetimeMs: BigInt(maxLifetimeMs ?? -1),
        ...(version >= 3 && {
          ownerPrincipalType: parts?.principalType ?? null,
          ownerPrincipalName: parts?.principalName ?? null,
        }),
      };
    },
    versions: { min: owner === undefined ? 1 : 3 },
    errorCode: ({ errorCode }) => errorCode,
    errorMessage: ({ errorCode }) => adviceOn(errorCode),
  });
  return new DelegationToken({
    tokenId: answer.tokenId,
    hmac: answer.hmac.toString('base64'),
    owner: principalText(answer),
    requester: requesterOf(answer),
    renewers: [...renewers],
    issueTimestampMs: Number(answer.issueTimestampMs),
    expiryTimestampMs: Number(answer.expiryTimestampMs),
    maxTimestampMs: Number(answer.maxTimestampMs),
  });
}

/** Prolongs a token; answers when it ends now. */
export function renewDelegationToken(
  call: AdminCall,
  token: DelegationTokenFields | string,
  { renewPeriodMs = -1 }: RenewDelegationTokenOptions,
): Promise<number> {
  const message = { hmac: hmacBytes(token), renewPeriodMs: BigInt(renewPeriodMs) };
  return askForExpiry(call, RenewDelegationToken, message);
}

/** Ends a token; answers when. */
export function expireDelegationToken(
  call: AdminCall,
  token: DelegationTokenFields | string,
  { expiryPeriodMs = -1 }: ExpireDelegationTokenOptions,
): Promise<number> {
  const message = { hmac: hmacBytes(token), expiryTimePeriodMs: BigInt(expiryPeriodMs) };
  return askForExpiry(call, ExpireDelegationToken, message);
}

async function askForExpiry<Req>(
  call: AdminCall,
  api: Api<Req, { readonly errorCode: number; readonly expiryTimestampMs: bigint }>,
  message: Input<Req>,
): Promise<number> {
  const { expiryTimestampMs } = await call.request({
    api,
    to: { kind: 'any' },
    message,
    errorCode: ({ errorCode }) => errorCode,
    errorMessage: ({ errorCode }) => adviceOn(errorCode),
  });
  return Number(expiryTimestampMs);
}

/** The tokens that we may see. */
export async function describeDelegationTokens(
  call: AdminCall,
  { owners }: DescribeDelegationTokensOptions,
): Promise<DelegationToken[]> {
  const { tokens } = await call.request({
    api: DescribeDelegationToken,
    to: { kind: 'any' },
    message: { owners: owners?.map(principalParts) ?? null },
    errorCode: ({ errorCode }) => errorCode,
    errorMessage: ({ errorCode }) => adviceOn(errorCode),
  });
  return tokens.map(
    (token) =>
      new DelegationToken({
        tokenId: token.tokenId,
        hmac: token.hmac.toString('base64'),
        owner: principalText(token),
        requester: requesterOf(token),
        renewers: token.renewers.map(principalText),
        issueTimestampMs: Number(token.issueTimestamp),
        expiryTimestampMs: Number(token.expiryTimestamp),
        maxTimestampMs: Number(token.maxTimestamp),
      }),
  );
}

function requesterOf(token: {
  readonly tokenRequesterPrincipalType: string;
  readonly tokenRequesterPrincipalName: string;
}): string | undefined {
  const { tokenRequesterPrincipalType: principalType, tokenRequesterPrincipalName: principalName } = token;
  return principalName === '' ? undefined : principalText({ principalType, principalName });
}

function hmacOf(item: unknown): unknown {
  return typeof item === 'object' && item !== null && 'hmac' in item ? item.hmac : item;
}

function hmacBytes(token: DelegationTokenFields | string): Buffer {
  return Buffer.from(typeof token === 'string' ? token : token.hmac, 'base64');
}

/** Brokers answer with a bare code here. */
function adviceOn(code: number): string | undefined {
  switch (code) {
    case brokerErrorCodes.DELEGATION_TOKEN_AUTH_DISABLED:
      return 'the cluster has no delegation tokens; set delegation.token.secret.key for its brokers and controllers';
    case brokerErrorCodes.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED:
      return 'brokers talk about tokens only with clients that have logged in, and not with such a token';
    case brokerErrorCodes.DELEGATION_TOKEN_OWNER_MISMATCH:
      return 'only its owner and those that were named as its renewers may do that';
    default:
      return undefined;
  }
}
