/** Which objects the pods of each node use: what a kubelet may read. */
import { objectKey } from '../../api/object-key.ts';
import { claimNameOf } from '../../api/placement/claim-name.ts';
import type { Container, EphemeralContainer, PersistentVolume, Pod, Volume } from '../../api/schema/types.ts';
import { mirrorPodAnnotationKey } from '../../api/well-known.ts';

export type UsedKind = 'configmaps' | 'secrets' | 'serviceaccounts' | 'persistentvolumeclaims' | 'pods';

export class NodeGraph {
  /** Node → `kind/namespace/name` → by how many pods. */
  readonly #uses = new Map<string, Map<string, number>>();
  readonly #pods = new Map<string, { readonly node: string; readonly uses: ReadonlySet<string> }>();
  /** PersistentVolume → the claim that it is for. */
  readonly #claims = new Map<string, { readonly namespace: string; readonly name: string }>();

  put(pod: Pod): void {
    this.delete(pod);
    const node = pod.spec?.nodeName;
    if (!node) return;
    const uses = usesOf(pod);
    this.#pods.set(objectKey(pod), { node, uses });
    const counts = this.#uses.get(node) ?? new Map<string, number>();
    this.#uses.set(node, counts);
    for (const use of uses) counts.set(use, (counts.get(use) ?? 0) + 1);
  }

  delete(pod: Pod): void {
    const key = objectKey(pod);
    const known = this.#pods.get(key);
    if (!known) return;
    this.#pods.delete(key);
    const counts = this.#uses.get(known.node)!;
    for (const use of known.uses) {
      const count = counts.get(use)! - 1;
      if (count === 0) counts.delete(use);
      else counts.set(use, count);
    }
    if (counts.size === 0) this.#uses.delete(known.node);
  }

  putVolume({ metadata, spec }: PersistentVolume): void {
    const { namespace, name } = spec?.claimRef ?? {};
    if (namespace && name) this.#claims.set(metadata.name, { namespace, name });
    else this.#claims.delete(metadata.name);
  }

  deleteVolume({ metadata }: PersistentVolume): void {
    this.#claims.delete(metadata.name);
  }

  /** Whether a pod of the node uses the claim that the PersistentVolume is for. */
  usesVolume(node: string, volume: string): boolean {
    const claim = this.#claims.get(volume);
    return claim !== undefined && this.uses(node, 'persistentvolumeclaims', claim.namespace, claim.name);
  }

  /** Whether a pod of the node uses the object. */
  uses(node: string, kind: UsedKind, namespace: string, name: string): boolean {
    return this.#uses.get(node)?.has(`${kind}/${namespace}/${name}`) ?? false;
  }
}

function usesOf(pod: Pod): Set<string> {
  const { namespace, name, annotations } = pod.metadata;
  const uses = new Set<string>();
  const add: Add = (kind, used) => {
    if (used) uses.add(`${kind}/${namespace}/${used}`);
  };
  add('pods', name);
  // A mirror pod is written by the kubelet itself, which must not gain access by what it writes there.
  if (annotations?.[mirrorPodAnnotationKey] === undefined) visitReferences(pod, add);
  return uses;
}

type Add = (kind: UsedKind, name: string | undefined) => void;

/** Tells of every object that a kubelet reads to run the pod; a reference without a name comes too. */
export function visitReferences(pod: Pod, add: Add): void {
  const { name } = pod.metadata;
  const spec = pod.spec!;
  add('serviceaccounts', spec.serviceAccountName);
  for (const secret of spec.imagePullSecrets ?? []) add('secrets', secret.name);
  for (const container of [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])])
    addContainer(container, add);
  for (const volume of spec.volumes ?? []) addVolume(volume, name, add);
}

function addContainer(container: Container | EphemeralContainer, add: Add): void {
  for (const source of container.envFrom ?? []) {
    add('configmaps', source.configMapRef?.name);
    add('secrets', source.secretRef?.name);
  }
  for (const { valueFrom } of container.env ?? []) {
    add('configmaps', valueFrom?.configMapKeyRef?.name);
    add('secrets', valueFrom?.secretKeyRef?.name);
  }
}

function addVolume(volume: Volume, pod: string, add: Add): void {
  add('configmaps', volume.configMap?.name);
  add('secrets', volume.secret?.secretName);
  add('persistentvolumeclaims', claimNameOf(pod, volume));
  for (const source of volume.projected?.sources ?? []) {
    add('configmaps', source.configMap?.name);
    add('secrets', source.secret?.name);
  }
  add('secrets', volume.csi?.nodePublishSecretRef?.name);
  add('secrets', volume.azureFile?.secretName);
  for (const source of [volume.cephfs, volume.cinder, volume.flexVolume, volume.rbd, volume.iscsi, volume.scaleIO, volume.storageos]) {
    add('secrets', source?.secretRef?.name);
  }
}
