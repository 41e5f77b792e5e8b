/** The bootstrap tokens of a cluster, on any API server: made, listed, deleted, as kubeadm does; and the command by which a machine joins with one. */
import {
  type BootstrapToken,
  bootstrapTokenName,
  bootstrapTokenOf,
  bootstrapTokenSecret,
  bootstrapTokenType,
} from '../../api/bootstrap-token.ts';
import { configMaps, secrets } from '../../api/resource-types.ts';
import type { ConfigMap, Secret } from '../../api/schema/types.ts';
import { isAlreadyExists, isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import { publicKeyHash } from '../discovery/public-key-hash.ts';
import { type Token, tokenText } from './token.ts';

const namespace = 'kube-system';

/** Throws USAGE when there is one of its id. */
export async function createToken(client: Client, token: BootstrapToken): Promise<void> {
  try {
    await client.create<Secret>(secrets, bootstrapTokenSecret(token));
  } catch (err) {
    if (!isAlreadyExists(err)) throw err;
    throw new KnownError('USAGE', `Cannot create the token: a token with id "${token.id}" already exists`, {
      hint: `Leave the token out for a new one, or take that one away: fairlead token delete ${token.id}`,
    });
  }
}

/** Those that are none, though they say so, are left out. */
export async function listTokens(client: Client): Promise<BootstrapToken[]> {
  const { items } = await client.list<Secret>(secrets, { namespace, fieldSelector: `type=${bootstrapTokenType}` });
  return items.flatMap((secret) => bootstrapTokenOf(secret) ?? []);
}

/** Throws USAGE when there is none of the id. */
export async function deleteToken(client: Client, id: string): Promise<void> {
  try {
    await client.delete(secrets, bootstrapTokenName(id), { namespace });
  } catch (err) {
    if (!isNotFound(err)) throw err;
    throw new KnownError('USAGE', `Cannot delete the token "${id}": there is none of that id`, { hint: 'fairlead token list shows them' });
  }
}

/**
 * What to run on a machine that joins. Where the API server is, cluster-info says, since nodes read that; else the kubeconfig. The authority is that
 * of the kubeconfig. Throws BAD_CONFIG when it has none.
 */
export async function joinCommandFor(client: Client, token: Token): Promise<string> {
  const { ca, server } = client.transport.config;
  if (ca === undefined)
    throw new KnownError('BAD_CONFIG', "Cannot tell how to join: the kubeconfig has no authority for the server's certificate", {
      hint: 'Use that of an administrator: --kubeconfig /etc/kubernetes/admin.conf',
    });
  const told = await client.get<ConfigMap>(configMaps, 'cluster-info', { namespace: 'kube-public' }).catch((err: unknown) => {
    if (isNotFound(err) || isForbidden(err)) return undefined;
    throw err;
  });
  const { host } = new URL(serverIn(told?.data?.kubeconfig) ?? server);
  return `fairlead join ${host.includes(':', host.lastIndexOf(']') + 1) ? host : `${host}:443`} --token ${tokenText(token)} --discovery-token-ca-cert-hash ${publicKeyHash(ca)}`;
}

/** The command for a machine that becomes one more control plane. */
export function controlPlaneJoin(joinCommand: string, certificateKey: string): string {
  return `${joinCommand} --control-plane --certificate-key ${certificateKey}`;
}

/** The URL in a kubeconfig with one cluster. */
function serverIn(kubeconfig: string | undefined): string | undefined {
  return /\bserver"?:\s*"?(https:\/\/[^"\s]+)/.exec(kubeconfig ?? '')?.[1];
}
