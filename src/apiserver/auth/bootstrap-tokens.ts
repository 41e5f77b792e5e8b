/** Bootstrap tokens: Secrets in kube-system with which a new node asks for its first certificate. */
import { createHash, timingSafeEqual } from 'node:crypto';
import {
  bootstrapGroupPattern,
  bootstrapTokenLifeMs,
  bootstrapTokenName,
  bootstrapTokenNamespace,
  bootstrapTokenOf,
  bootstrapTokenPattern,
} from '../../api/bootstrap-token.ts';
import type { Clock } from '../../clock/clock.ts';
import type { AuthObjects } from './auth-objects.ts';
import { authenticatedGroup, bootstrappersGroup, type UserInfo } from './user-info.ts';

/** The user of a bootstrap token, or undefined when it is not one, unknown, expired, or not for authentication. */
export function bootstrapUser(token: string, objects: AuthObjects, clock: Clock): UserInfo | undefined {
  const [, id, secret] = bootstrapTokenPattern.exec(token) ?? [];
  if (!id || !secret) return undefined;
  const object = objects.secret(bootstrapTokenNamespace, bootstrapTokenName(id));
  const found = object && !object.metadata.deletionTimestamp ? bootstrapTokenOf(object) : undefined;
  if (!found || !sameSecret(found.secret, secret) || !found.usages.includes('authentication')) return undefined;
  if (bootstrapTokenLifeMs(object ?? {}, clock.now()) <= 0) return undefined;
  if (!found.groups.every((group) => bootstrapGroupPattern.test(group))) return undefined;
  const groups = [...new Set([bootstrappersGroup, ...found.groups])];
  return { name: `system:bootstrap:${id}`, groups: [...groups, authenticatedGroup] };
}

/** In constant time, whatever the lengths. */
function sameSecret(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
