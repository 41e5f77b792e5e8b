import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { Selector } from '../../api/selector/label.ts';
import { isInvalid, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { claim } from './claim.ts';
import { controllerRef } from './owner.ts';

/** Adopts and releases as `claim` says; gives what the owner has then. `finalizer` goes on what is adopted and off what is released. */
export async function claimAll<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  ownerType: ResourceType,
  owner: KubeObject,
  selector: Selector,
  candidates: readonly T[],
  finalizer?: string,
): Promise<T[]> {
  const { owned, adopt, release } = claim(owner, selector, candidates);
  const all = [...owned];
  // What an owner leaves behind on purpose (`--cascade=orphan`) must not be taken back on old news of the owner.
  for (const orphan of adopt.length > 0 && (await isStillThere(client, ownerType, owner)) ? adopt : []) {
    const { name, namespace = '', uid } = orphan.metadata;
    // The uid guards against an object of that name that came meanwhile.
    const ownerReferences = [...(orphan.metadata.ownerReferences ?? []), controllerRef(owner)];
    const finalizers = finalizer ? { finalizers: [...new Set([...(orphan.metadata.finalizers ?? []), finalizer])] } : {};
    const metadata = { uid, ownerReferences, ...finalizers };
    const adopted = await client.patch(type, name, { metadata }, { namespace }).catch(ignoreGone);
    if (adopted) all.push(adopted);
  }
  for (const lost of release) {
    const { name, namespace = '', uid } = lost.metadata;
    const ownerReferences = (lost.metadata.ownerReferences ?? []).filter((o) => o.uid !== owner.metadata.uid);
    const finalizers = finalizer ? { finalizers: (lost.metadata.finalizers ?? []).filter((f) => f !== finalizer) } : {};
    const metadata = { uid, ownerReferences: ownerReferences.length > 0 ? ownerReferences : null, ...finalizers };
    await client.patch(type, name, { metadata }, { namespace }).catch(ignoreGone);
  }
  return all;
}

async function isStillThere(client: Client, type: ResourceType, owner: KubeObject): Promise<boolean> {
  const { name, namespace = '', uid } = owner.metadata;
  const now = (await client.get(type, name, { namespace }).catch(ignoreGone))?.metadata;
  return now?.uid === uid && now?.deletionTimestamp === undefined;
}

function ignoreGone(err: unknown): undefined {
  if (isNotFound(err) || isInvalid(err)) return undefined;
  throw err;
}
