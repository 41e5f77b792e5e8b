/**
 * Bootstrap tokens as Secrets of kube-system: what a new node shows before it has a certificate (upstream's cluster-bootstrap,
 * docs/reference/access-authn-authz/bootstrap-tokens).
 */
import { parseInstant } from '../clock/timestamp.ts';
import type { Secret } from './schema/types.ts';

export const bootstrapTokenType = 'bootstrap.kubernetes.io/token';
export const bootstrapTokenNamespace = 'kube-system';
/** What a token may be good for. */
export const bootstrapTokenUsages = ['signing', 'authentication'] as const;
export const bootstrapTokenPattern: RegExp = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
export const bootstrapGroupPattern: RegExp = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

const namePrefix = 'bootstrap-token-';

export interface BootstrapToken {
  /** Six characters, known to everybody. */
  readonly id: string;
  /** Sixteen, known to nobody else. */
  readonly secret: string;
  readonly description?: string | undefined;
  /** RFC 3339; without one it never ends. */
  readonly expiration?: string | undefined;
  readonly usages: readonly string[];
  /** Beside `system:bootstrappers`. */
  readonly groups: readonly string[];
}

/** Undefined when the Secret is no token, or one whose name and content are at odds. */
export function bootstrapTokenOf(secret: Secret): BootstrapToken | undefined {
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
  const [id, tokenSecret] = [text('token-id'), text('token-secret')];
  const isOne = secret.type === bootstrapTokenType && /^[a-z0-9]{6}$/.test(id) && tokenSecret !== '';
  if (!isOne || secret.metadata.name !== bootstrapTokenName(id)) return undefined;
  return {
    id,
    secret: tokenSecret,
    description: text('description') || undefined,
    expiration: text('expiration') || undefined,
    usages: bootstrapTokenUsages.filter((usage) => text(`usage-bootstrap-${usage}`) === 'true'),
    groups: text('auth-extra-groups') === '' ? [] : text('auth-extra-groups').split(','),
  };
}

export function bootstrapTokenName(id: string): string {
  return `${namePrefix}${id}`;
}

export function bootstrapTokenSecret({ id, secret, description, expiration, usages, groups }: BootstrapToken): Secret {
  const text = {
    'token-id': id,
    'token-secret': secret,
    ...(description ? { description } : {}),
    ...(expiration ? { expiration } : {}),
    ...Object.fromEntries(usages.map((usage) => [`usage-bootstrap-${usage}`, 'true'])),
    ...(groups.length > 0 ? { 'auth-extra-groups': groups.join(',') } : {}),
  };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: bootstrapTokenName(id), namespace: bootstrapTokenNamespace },
    type: bootstrapTokenType,
    data: Object.fromEntries(Object.entries(text).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  };
}

/** Milliseconds that the Secret of a token has left; infinite without an end. An end that cannot be read is taken for one that has passed. */
export function bootstrapTokenLifeMs({ data }: Pick<Secret, 'data'>, now: number): number {
  const expiration = Buffer.from(data?.expiration ?? '', 'base64').toString();
  if (expiration === '') return Number.POSITIVE_INFINITY;
  const instant = parseInstant(expiration);
  return instant ? instant.seconds * 1000 + instant.nanos / 1e6 - now : 0;
}
