/** Lays what further control planes need into the cluster, encrypted, for two hours: `--upload-certs` of kubeadm. */
import { isDeepStrictEqual } from 'node:util';
import { bootstrapTokenLifeMs } from '../../api/bootstrap-token.ts';
import { secrets } from '../../api/resource-types.ts';
import type { Secret } from '../../api/schema/types.ts';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { ClusterPlan } from '../config/cluster-plan.ts';
import { isShared } from '../config/shared-store.ts';
import { ensureObjects } from '../init/ensure-objects.ts';
import { layout } from '../layout.ts';
import { newToken, tokenSecret } from '../token/token.ts';
import { keysObject, keysRoles, keysSecret, mayBeElsewhere, type SharedKeys, sealKeys, sharedFiles, unsealKeys } from './shared-keys.ts';

/** kubeadm's. */
const lifeMs = 2 * 3_600_000;

/** Throws BAD_CONFIG where no further control plane can be: the objects are on this machine alone. */
export function requireSharedStore(store: string | undefined): asserts store is string {
  if (isShared(store)) return;
  throw new KnownError(
    'BAD_CONFIG',
    'Cannot have more control planes: this cluster keeps its objects on one machine, which others cannot share',
    {
      hint: moveHint(store ?? `sqlite://${layout.serverDir}/state.db`),
    },
  );
}

/** Throws BAD_CONFIG before anything is made where no other control plane could join. */
export function requireMany({ store, hasEndpoint }: Pick<ClusterPlan, 'store' | 'hasEndpoint'>): void {
  requireSharedStore(store);
  if (hasEndpoint) return;
  throw new KnownError(
    'BAD_CONFIG',
    'Cannot have more control planes: the cluster has no address that stays when one of its machines goes',
    {
      hint: 'Name a load balancer, a virtual address or a name that leads to all of them: --control-plane-endpoint HOST:PORT',
    },
  );
}

/** How a cluster comes to a store that machines share. */
export function moveHint(from: string): string {
  return (
    `Move them to an etcd or a Redis, on the control plane: systemctl stop fairlead-server; fairlead store copy ${from} STORE; ` +
    'fairlead init --store STORE --control-plane-endpoint HOST:PORT --upload-certs, with STORE such as etcd=https://10.0.0.1:2379'
  );
}

/** Throws BAD_CONFIG, naming a file that is not there. */
async function readKeys(store: string): Promise<SharedKeys> {
  const contents: Record<string, string> = {};
  for (const [name, path] of Object.entries(sharedFiles(store))) {
    const text = await readIfThere(path);
    if (text === undefined && !mayBeElsewhere(name, (other) => contents[other] !== undefined))
      throw new KnownError('BAD_CONFIG', `Cannot upload what other control planes need: ${path} is not there`, {
        hint: 'Put it back, from another control plane or a backup',
      });
    contents[name] = text ?? '';
  }
  return { store, contents };
}

/** False when the very same lies there already, with time enough. */
export async function uploadKeys(client: Client, store: string, key: string, now: number): Promise<boolean> {
  const keys = await readKeys(store);
  await ensureObjects(client, keysRoles());
  if (await isThere(client, keys, key, now)) return false;
  const expires = now + lifeMs;
  // It opens nothing: it is there to end, and to take the Secret along.
  const description = 'Proxy for managing TTL for the kubeadm-certs secret';
  const owner = await client.create<Secret>(secrets, tokenSecret({ token: newToken(), description, expires, usages: [], groups: [] }));
  await client.delete(secrets, keysSecret.name, { namespace: keysSecret.namespace }).catch(ignoreNotFound);
  await client.create<Secret>(secrets, keysObject(sealKeys(keys, key), owner));
  return true;
}

async function isThere(client: Client, keys: SharedKeys, key: string, now: number): Promise<boolean> {
  const { namespace, name } = keysSecret;
  const found = await client.get<Secret>(secrets, name, { namespace }).catch(ignoreNotFound);
  const [owner] = found?.metadata.ownerReferences ?? [];
  if (!found || !owner || !isDeepStrictEqual(unsealKeys(found.data ?? {}, key), keys)) return false;
  const token = await client.get<Secret>(secrets, owner.name, { namespace }).catch(ignoreNotFound);
  return token !== undefined && bootstrapTokenLifeMs(token, now) > lifeMs / 2;
}
