/** The objects that a binding gives to its policy as `params`. */
import { cloneJson } from '../../../api/codec/json-clone.ts';
import type { Registry } from '../../../api/registry/registry.ts';
import type { ResourceRow } from '../../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../../api/resource-types.ts';
import type { ParamKind, ParamRef } from '../../../api/schema/types.ts';
import { labelSelectorOf } from '../../../api/selector/label.ts';
import { messageOf } from '../../../errors/known-error.ts';
import type { Lookup } from '../../cache/lookup.ts';
import { inVersionOf } from '../../resource/remote-view.ts';

/** What is wrong with how a policy or binding is put together; `failurePolicy` says what that means. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export interface ParamDeps {
  readonly lookup: Lookup;
  readonly registry: Registry;
}

/** Throws ConfigurationError. */
export function paramRowOf({ apiVersion = '', kind = '' }: ParamKind, registry: Registry): ResourceRow {
  const row = registry.rowOfKind(apiVersion, kind);
  if (row?.storedAs !== undefined) return row;
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  throw new ConfigurationError(`failed to find resource referenced by paramKind: '${group}/${version}, Kind=${kind}'`);
}

/** One undefined where the policy is evaluated without; none where it is not evaluated. Throws ConfigurationError. */
export async function paramsOf(
  row: ResourceRow | undefined,
  ref: ParamRef | undefined,
  namespace: string,
  { lookup, registry }: ParamDeps,
): Promise<(KubeObject | undefined)[]> {
  if (!row || !ref) return [undefined];
  const where = namespaceOf(row, ref, namespace);
  const found = ref.name ? await named(row, ref.name, where, lookup) : selected(row, ref, where, lookup);
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny')
    throw new ConfigurationError('no params found for policy binding with `Deny` parameterNotFoundAction');
  return Promise.all(found.map((object) => inVersion(object, row, registry)));
}

function namespaceOf({ type }: ResourceRow, ref: ParamRef, namespace: string): string {
  if (!type.namespaced) {
    if (ref.namespace) throw new ConfigurationError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
    return '';
  }
  const where = ref.namespace || namespace;
  if (where === '') throw new ConfigurationError('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  return where;
}

async function named({ type }: ResourceRow, name: string, namespace: string, lookup: Lookup): Promise<KubeObject[]> {
  const found = await lookup.find(type, name, namespace);
  return found ? [found] : [];
}

function selected({ type }: ResourceRow, { selector }: ParamRef, namespace: string, lookup: Lookup): KubeObject[] {
  const { matches } = labelSelectorOf(selector ?? {});
  return lookup.list(type, namespace).filter(({ metadata }) => matches(metadata.labels ?? {}));
}

async function inVersion(object: KubeObject, row: ResourceRow, registry: Registry): Promise<KubeObject> {
  const identity = { apiVersion: apiVersionOf(row.type), kind: row.type.kind };
  const stored = row.remote ? registry.rowOfKind(object.apiVersion, object.kind) : undefined;
  if (!stored || stored === row) return { ...(row.conversion ? row.conversion.fromStored(cloneJson(object)) : object), ...identity };
  const converted = await inVersionOf(stored, row, cloneJson(object)).catch((err: unknown) => {
    throw new ConfigurationError(messageOf(err));
  });
  return { ...converted, ...identity };
}
