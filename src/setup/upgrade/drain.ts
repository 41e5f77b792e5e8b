/** Empties a node as "kubectl drain" does: cordons it, evicts its pods, and waits until they are gone. With the rights of the node itself. */
import { nodes, pods } from '../../api/resource-types.ts';
import type { Node, Pod } from '../../api/schema/types.ts';
import { mirrorPodAnnotationKey } from '../../api/well-known.ts';
import { waitUntil } from '../../cli/wait-until.ts';
import { ApiError, ignoreNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import type { SetupContext } from '../setup-context.ts';

/** Says that an upgrade has cordoned the node: one that somebody else has cordoned stays so. */
export const cordonedBy = 'fairlead.dev/cordoned-by';
const upgrade = 'upgrade';

export function isCordonedByUpgrade(node: Node | undefined): boolean {
  return node?.metadata.annotations?.[cordonedBy] === upgrade;
}

export interface DrainWish {
  /** Evict also pods that nobody makes again. */
  readonly force: boolean;
  /** Evict also pods whose data in an emptyDir goes with them. */
  readonly deleteEmptyDirData: boolean;
}

type Waiting = Pick<SetupContext, 'clock' | 'signal' | 'timeoutMs'> & { readonly steps: Pick<SetupContext['steps'], 'note'> };

/** Those that have to go, or why they may not, in the words of "kubectl drain". Pure. */
export function podsToEvict(
  all: readonly Pod[],
  { force, deleteEmptyDirData }: DrainWish,
): { readonly evicted: readonly Pod[]; readonly obstacles: readonly string[] } {
  const evicted = all.filter(({ metadata }) => {
    const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
    return metadata.annotations?.[mirrorPodAnnotationKey] === undefined && controller?.kind !== 'DaemonSet';
  });
  const living = evicted.filter(({ status }) => !['Succeeded', 'Failed'].includes(status?.phase ?? ''));
  const named = (which: readonly Pod[]): string => which.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ');
  const bare = force ? [] : living.filter(({ metadata }) => !metadata.ownerReferences?.some((owner) => owner.controller === true));
  const withData = deleteEmptyDirData ? [] : living.filter(({ spec }) => spec?.volumes?.some(({ emptyDir }) => emptyDir !== undefined));
  return {
    evicted,
    obstacles: [
      ...(bare.length > 0 ? [`cannot delete Pods that declare no controller (use --force to override): ${named(bare)}`] : []),
      ...(withData.length > 0
        ? [`cannot delete Pods with local storage (use --delete-emptydir-data to override): ${named(withData)}`]
        : []),
    ],
  };
}

type DrainClient = Pick<Client, 'get' | 'list' | 'patch' | 'createSubresource'>;

/** Throws CHECK_FAILED, having cordoned nothing, for pods that may not go; TIMED_OUT when they do not go. True when there was anything to do. */
export async function drainNode(client: DrainClient, name: string, wish: DrainWish, waiting: Waiting): Promise<boolean> {
  const { signal } = waiting;
  const own = { fieldSelector: `spec.nodeName=${name}`, signal };
  const found = await client.list<Pod>(pods, own);
  const { evicted, obstacles } = podsToEvict(found.items, wish);
  if (obstacles.length > 0)
    throw new KnownError('CHECK_FAILED', `Cannot drain node "${name}": ${obstacles.join('; ')}`, {
      hint: 'Without --drain they stay where they are and live on',
    });
  const isCordoned = await cordon(client, name);
  let left = [...evicted];
  await waitUntil(
    `the pods of node "${name}" to go`,
    { ...waiting, everyMs: 500, onPatience: (text) => waiting.steps.note(text), hint: 'kubectl get poddisruptionbudgets -A' },
    async () => {
      const { items } = await client.list<Pod>(pods, own);
      left = left.filter((pod) => items.some(({ metadata }) => metadata.uid === pod.metadata.uid));
      const reasons = await Promise.all(
        left.map((pod) => evict(client, items.find((item) => item.metadata.uid === pod.metadata.uid) ?? pod, signal)),
      );
      return reasons[0];
    },
  );
  return isCordoned || evicted.length > 0;
}

/** Why it is still there. */
async function evict(client: DrainClient, { metadata }: Pod, signal: AbortSignal): Promise<string> {
  const { name, namespace = 'default', uid, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return `"${namespace}/${name}" is ending`;
  // Not another one that has taken its name.
  const deleteOptions = { apiVersion: 'v1', kind: 'DeleteOptions', ...(uid === undefined ? {} : { preconditions: { uid } }) };
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace }, deleteOptions };
  try {
    await client.createSubresource(pods, name ?? '', 'eviction', eviction, { namespace, signal }).catch(ignoreNotFound);
    return `"${namespace}/${name}" is ending`;
  } catch (err) {
    // A disruption budget does not allow it now.
    if (err instanceof ApiError && err.code === 429) return `"${namespace}/${name}" stays: ${err.message}`;
    throw err;
  }
}

async function cordon(client: DrainClient, name: string): Promise<boolean> {
  const node = await client.get<Node>(nodes, name);
  if (node.spec?.unschedulable === true) return false;
  await client.patch<Node>(nodes, name, { metadata: { annotations: { [cordonedBy]: upgrade } }, spec: { unschedulable: true } });
  return true;
}

/** Only what an upgrade has cordoned. */
export async function uncordonNode(client: DrainClient, name: string): Promise<void> {
  if (!isCordonedByUpgrade(await client.get<Node>(nodes, name))) return;
  await client.patch<Node>(nodes, name, { metadata: { annotations: { [cordonedBy]: null } }, spec: { unschedulable: null } });
}
