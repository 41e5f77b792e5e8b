/**
 * What every control plane of a cluster must have alike: its authorities, the key of service account tokens, and what reaches the store. It
 * travels in the Secret kube-system/kubeadm-certs, each file encrypted, as kubeadm's do; or somebody copies the files. Pure.
 */
import { join } from 'node:path';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Secret } from '../../api/schema/types.ts';
import { storeFiles } from '../config/shared-store.ts';
import { layout } from '../layout.ts';
import { defaultTokenGroup } from '../token/token.ts';
import { seal, unseal } from './certificate-key.ts';

export const keysSecret = { name: 'kubeadm-certs', namespace: 'kube-system' } as const;

const own = ['ca.crt', 'ca.key', 'front-proxy-ca.crt', 'front-proxy-ca.key', 'sa.pub', 'sa.key'] as const;
/** With their certificates. Such a key may be kept elsewhere, as with kubeadm's external CA: what the authority signs must be laid out by hand then. */
const authorityKeys: Readonly<Record<string, string>> = { 'ca.key': 'ca.crt', 'front-proxy-ca.key': 'front-proxy-ca.crt' };
/** Under it travels where the store is: a URL may have a password in it. kubeadm has its etcd in the ClusterConfiguration alone. */
const storeName = 'fairlead-store';

/** Paths by the names under which the files travel. */
export function sharedFiles(store: string | undefined): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(own.map((name) => [name, join(layout.pkiDir, name)])), ...storeFiles(store) };
}

/** Whether a machine may be without this file, of those that it has. */
export function mayBeElsewhere(name: string, has: (name: string) => boolean): boolean {
  const certificate = authorityKeys[name];
  return certificate !== undefined && has(certificate);
}

export interface SharedKeys {
  readonly store: string | undefined;
  /** Contents by the names under which they travel; empty for a key that is kept elsewhere. */
  readonly contents: Readonly<Record<string, string>>;
}

/** Data of the Secret. */
export function sealKeys({ store, contents }: SharedKeys, key: string): Record<string, string> {
  const all = { ...contents, ...(store === undefined ? {} : { [storeName]: store }) };
  return Object.fromEntries(Object.entries(all).map(([name, text]) => [name, text && seal(key, text).toString('base64')]));
}

/** Undefined when it was sealed with another key. */
export function unsealKeys(data: Readonly<Record<string, string>>, key: string): SharedKeys | undefined {
  const entries = Object.entries(data).map(([name, text]) => [name, text && unseal(key, Buffer.from(text, 'base64'))] as const);
  if (entries.some(([, text]) => text === undefined)) return undefined;
  const { [storeName]: store, ...contents } = Object.fromEntries(entries) as Record<string, string>;
  return { store, contents };
}

/** It ends with the token that owns it, whose time is short. */
export function keysObject(data: Readonly<Record<string, string>>, owner: Secret): Secret {
  const { name = '', uid = '' } = owner.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Secret', name, uid, controller: true, blockOwnerDeletion: true }];
  return { apiVersion: 'v1', kind: 'Secret', metadata: { ...keysSecret, ownerReferences }, type: 'Opaque', data: { ...data } };
}

/** Whoever shows a token of those that join may read it, for which the key is needed besides. Names are kubeadm's. */
export function keysRoles(): KubeObject[] {
  const apiGroup = 'rbac.authorization.k8s.io';
  const metadata = { name: 'kubeadm:kubeadm-certs', namespace: keysSecret.namespace };
  const role = {
    apiVersion: `${apiGroup}/v1`,
    kind: 'Role',
    metadata,
    rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: [keysSecret.name], verbs: ['get'] }],
  };
  const binding = {
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup, kind: 'Role', name: metadata.name },
    subjects: [{ apiGroup, kind: 'Group', name: defaultTokenGroup }],
  };
  return [role, binding];
}
