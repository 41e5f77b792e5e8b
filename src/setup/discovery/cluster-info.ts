/**
 * ConfigMap kube-public/cluster-info, which anybody may read: a kubeconfig that says where the cluster is and whom to trust, and for each
 * bootstrap token a signature over it (RFC 7515 §7.2.2, detached), so that whoever knows a token can tell that it was not made up. Pure.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ConfigMap } from '../../api/schema/types.ts';
import type { Token } from '../token/token.ts';

export const clusterInfoName = 'cluster-info';
export const clusterInfoNamespace = 'kube-public';

export interface ClusterInfo {
  readonly server: string;
  readonly caPem: string;
}

interface Kubeconfig {
  readonly clusters?: readonly { readonly cluster: { readonly server?: string; readonly 'certificate-authority-data'?: string } }[];
}

/** Written as JSON, which is YAML too, and signed byte for byte. */
export function clusterInfoObject({ server, caPem }: ClusterInfo): ConfigMap {
  const cluster = { server, 'certificate-authority-data': Buffer.from(caPem).toString('base64') };
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: '', cluster }],
    contexts: [],
    users: [],
    'current-context': '',
  };
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: clusterInfoName, namespace: clusterInfoNamespace },
    data: { kubeconfig: `${JSON.stringify(kubeconfig, undefined, 2)}\n` },
  };
}

/** What is in it for a token: `unsigned` while nobody has signed for the token, `forged` when it was signed with another secret. */
export function verifyClusterInfo({ data = {} }: ConfigMap, { id, secret }: Token): 'signed' | 'unsigned' | 'forged' {
  const [header = '', body, signature = ''] = (data[`jws-kubeconfig-${id}`] ?? '').split('.');
  if (!header || body !== '' || !signature) return 'unsigned';
  const { alg, kid } = headerOf(header);
  // The algorithm is settled: one that the header may choose could be "none".
  if (alg !== 'HS256' || kid !== id) return 'forged';
  const payload = Buffer.from(data.kubeconfig ?? '').toString('base64url');
  const wanted = createHmac('sha256', secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, 'base64url');
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? 'signed' : 'forged';
}

function headerOf(text: string): { readonly alg?: string; readonly kid?: string } {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString()) as { alg?: string; kid?: string };
  } catch {
    return {};
  }
}

/** Undefined when the kubeconfig in it says neither where nor whom. kubeadm's is YAML. */
export function readClusterInfo({ data = {} }: ConfigMap, parse: (text: string) => unknown): ClusterInfo | undefined {
  const config = parse(data.kubeconfig ?? '') as Kubeconfig | undefined;
  const { server, 'certificate-authority-data': ca } = config?.clusters?.[0]?.cluster ?? {};
  return server === undefined || ca === undefined ? undefined : { server, caPem: Buffer.from(ca, 'base64').toString() };
}
