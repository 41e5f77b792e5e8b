/**
 * The certificates between API servers and the store that they share: an authority of its own, as kubeadm has one for etcd, since whoever
 * reaches the store reads every Secret. Members and clients know each other by it alone.
 */
import { join } from 'node:path';
import { ensureAuthority, ensurePair } from './pki.ts';

/** `store`: the engine's name, such as `etcd`. */
interface StorePkiOptions {
  /** That of the control plane: the authority goes to etcd/ca.crt below it. */
  readonly pkiDir: string;
  readonly store: string;
  readonly now: number;
}

/** Makes what is missing of the authority, and of the certificate of the API servers: apiserver-etcd-client.crt. */
export async function ensureStorePki({ pkiDir, store, now }: StorePkiOptions): Promise<void> {
  const name = `apiserver-${store}-client`;
  const signed = [join(pkiDir, `${name}.crt`)];
  const authority = await ensureAuthority(join(pkiDir, store), 'ca', `${store}-ca`, now, { signed });
  const client = { commonName: `kube-apiserver-${store}-client`, usages: ['client'] } as const;
  await ensurePair(authority, pkiDir, name, client, now);
}

export interface StoreMemberOptions extends StorePkiOptions {
  /** Receives etcd.crt and etcd.key. */
  readonly dir: string;
  readonly member: string;
  readonly addresses: readonly string[];
}

/** Makes a member's certificate, which it shows to clients and to other members. */
export async function ensureStoreMemberPki({ pkiDir, store, dir, member, addresses, now }: StoreMemberOptions): Promise<void> {
  const signed = [join(dir, `${store}.crt`)];
  const authority = await ensureAuthority(join(pkiDir, store), 'ca', `${store}-ca`, now, { signed });
  const names = { commonName: member, dnsNames: ['localhost', member], ips: ['127.0.0.1', ...addresses] };
  await ensurePair(authority, dir, store, { ...names, usages: ['server', 'client'] }, now);
}
