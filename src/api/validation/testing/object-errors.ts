/** What a create or an update of an object would be refused for, as texts, after defaults and the row's preparation. */
import assert from 'node:assert/strict';
import { beforeCreate, beforeUpdate } from '../../registry/lifecycle.ts';
import { Registry } from '../../registry/registry.ts';
import type { KubeObject } from '../../resource-types.ts';
import { textOf } from '../field-error.ts';

const registry = new Registry();

const context = { now: new Date('2026-01-01T00:00:00Z'), uid: '8e6c0f4e-0001' };

/** An object named `web`, in the namespace `default` where its kind has one, unless `rest` says otherwise. */
export function objectOf(apiVersion: string, kind: string, rest: object): KubeObject {
  const { metadata, ...others } = rest as { metadata?: object };
  const namespaced = registry.rowOfKind(apiVersion, kind)!.type.namespaced;
  return { apiVersion, kind, metadata: { name: 'web', ...(namespaced ? { namespace: 'default' } : {}), ...metadata }, ...others };
}

export function createErrors(apiVersion: string, kind: string, rest: object): string[] {
  const row = registry.rowOfKind(apiVersion, kind)!;
  const object = objectOf(apiVersion, kind, rest);
  row.applyDefaults(object);
  return beforeCreate(row, object, context).map(textOf);
}

export function updateErrors(apiVersion: string, kind: string, before: object, after: object): string[] {
  const row = registry.rowOfKind(apiVersion, kind)!;
  const old = objectOf(apiVersion, kind, before);
  row.applyDefaults(old);
  assert.deepEqual(beforeCreate(row, old, context).map(textOf), [], 'what stands there is valid');
  const next = objectOf(apiVersion, kind, after);
  row.applyDefaults(next);
  return beforeUpdate(row, next, old).map(textOf);
}
