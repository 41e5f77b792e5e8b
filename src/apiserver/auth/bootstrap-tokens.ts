/** Bootstrap tokens: Secrets in kube-system with which a new node asks for its first certificate. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../clock/clock.ts';
import type { AuthObjects } from './auth-objects.ts';
import { authenticatedGroup, bootstrappersGroup, type UserInfo } from './user-info.ts';

const tokenPattern = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const bootstrappers = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** The user of a bootstrap token, or undefined when it is not one, unknown, expired, or not for authentication. */
export function bootstrapUser(token: string, objects: AuthObjects, clock: Clock): UserInfo | undefined {
  const [, id, secret] = tokenPattern.exec(token) ?? [];
  if (!id || !secret) return undefined;
  const found = objects.secret('kube-system', `bootstrap-token-${id}`);
  if (found?.type !== 'bootstrap.kubernetes.io/token' || found.metadata.deletionTimestamp) return undefined;
  const data = (key: string): string => Buffer.from(found.data?.[key] ?? '', 'base64').toString();
  if (data('token-id') !== id || !sameSecret(data('token-secret'), secret)) return undefined;
  if (data('usage-bootstrap-authentication') !== 'true') return undefined;
  const expiration = data('expiration');
  // An expiration that cannot be read is taken for one that has passed.
  if (expiration && !(Date.parse(expiration) > clock.now())) return undefined;
  const extra = data('auth-extra-groups')
    .split(',')
    .map((group) => group.trim())
    .filter(Boolean);
  if (!extra.every((group) => bootstrappers.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [bootstrappersGroup, ...extra, authenticatedGroup] };
}

/** In constant time, whatever the lengths. */
function sameSecret(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
