/** Volumes of pods that are claims: the PersistentVolume behind one is brought to the pod. */
import { mkdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isReachedFrom, modeOf } from '../../api/placement/volume-claim.ts';
import type { PersistentVolume, PersistentVolumeSpec, Pod, Volume } from '../../api/schema/types.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import { allContainers, isReadOnly, specOf, uidOf } from '../pod/spec.ts';
import { type ClaimSource, claimedVolume } from './claimed-volume.ts';
import { giveToGroup } from './group-ownership.ts';
import { prepareHostPath } from './host-path.ts';
import { bindsOf, type MountPoint } from './mount-points.ts';
import { isInside } from './sub-path.ts';

export interface ClaimVolumesOptions {
  /** Where the directories of all pods are. */
  readonly podsDir: string;
  readonly exec: Exec;
  readonly source: ClaimSource;
  readonly mounts: () => Promise<readonly MountPoint[]>;
  /** An event about the pod. */
  readonly warn: (pod: Pod, reason: string, message: string) => void;
}

export class ClaimVolumes {
  readonly #options: ClaimVolumesOptions;
  /** Uid of a pod → name of a volume → path. */
  readonly #paths = new Map<string, Map<string, string>>();

  constructor(options: ClaimVolumesOptions) {
    this.#options = options;
  }

  /** Gives the path of the volume. What has been set up is not looked at again. */
  async setUp(pod: Pod, volume: Volume): Promise<string> {
    const known = this.#paths.get(uidOf(pod))?.get(volume.name);
    if (known !== undefined) return known;
    const found = await claimedVolume(pod, volume, this.#options.source);
    checkMode(pod, volume, found);
    const path = await this.#reach(pod, volume, found);
    const paths = this.#paths.get(uidOf(pod)) ?? new Map<string, string>();
    this.#paths.set(uidOf(pod), paths.set(volume.name, path));
    return path;
  }

  /** The pod has none mounted any more. */
  forget(uid: string): void {
    this.#paths.delete(uid);
  }

  async #reach(pod: Pod, volume: Volume, found: PersistentVolume): Promise<string> {
    const { hostPath, local, mountOptions = [], nodeAffinity } = found.spec ?? {};
    if (!hostPath && !local) throw new Error(`no volume plugin matched: PersistentVolumes of kind ${kindOf(found)} are not supported`);
    if (nodeAffinity && !isReachedFrom(await this.#options.source.node(), found)) throw new Error('no matching NodeSelectorTerms');
    if (local) return await this.#mountLocal(pod, volume, found, local.path);
    if (mountOptions.length > 0) throw new Error('mount options are not supported for this volume type');
    await prepareHostPath(hostPath!.path, hostPath!.type ?? '');
    return hostPath!.path;
  }

  /** Under the volume's name in the pod, which may have one claim twice. */
  async #mountLocal(pod: Pod, volume: Volume, found: PersistentVolume, path: string): Promise<string> {
    const place = join(this.#options.podsDir, uidOf(pod), 'volumes/kubernetes.io~local-volume', volume.name);
    const mounts = await this.#options.mounts();
    if (mounts.some((mount) => mount.path === place)) return place;
    const stats = await stat(path).catch(() => undefined);
    if (!stats) throw new Error(`path ${JSON.stringify(path)} does not exist`);
    if (!stats.isDirectory()) throw new Error(`local volumes that are no directory are not supported: ${JSON.stringify(path)}`);
    // Before the mount: a kubelet that is killed in between begins anew.
    await this.#giveToGroup(pod, volume, found, path, mounts);
    await mkdir(place, { recursive: true, mode: 0o750 });
    const options = [...(isReadOnly(volume) ? ['ro'] : []), ...(found.spec?.mountOptions ?? [])];
    await mustRun(this.#options.exec, 'mount', ['--bind', ...(options.length > 0 ? ['-o', options.join(',')] : []), path, place]);
    return place;
  }

  /** By the first pod that mounts it only: those that have it already would find it changed under them. */
  async #giveToGroup(pod: Pod, volume: Volume, found: PersistentVolume, path: string, mounts: readonly MountPoint[]): Promise<void> {
    const { fsGroup: group, fsGroupChangePolicy } = specOf(pod).securityContext ?? {};
    if (group === undefined) return;
    const isMounted = bindsOf(await realpath(path), mounts).some((mount) => isInside(mount.path, this.#options.podsDir));
    if (!isMounted) {
      if (!isReadOnly(volume)) await giveToGroup(path, group, fsGroupChangePolicy);
      return;
    }
    const { gid } = await stat(path);
    const { name } = found.metadata;
    const text = `The requested fsGroup is ${group}, but the volume ${name} has GID ${gid}. The volume may not be shareable.`;
    if (gid !== group) this.#options.warn(pod, 'AlreadyMountedVolume', text);
  }
}

/** Volumes come as directories; a device is given to no container yet. */
function checkMode(pod: Pod, { name }: Volume, found: PersistentVolume): void {
  const mode = modeOf(found);
  const containers = allContainers(pod);
  const isIn = (list: 'volumeMounts' | 'volumeDevices'): boolean => containers.some((c) => c[list]?.some((one) => one.name === name));
  if (mode !== 'Filesystem' && isIn('volumeMounts'))
    throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in volumeMounts`);
  if (mode !== 'Block' && isIn('volumeDevices'))
    throw new Error(`volume ${name} has volumeMode ${mode}, but is specified in volumeDevices`);
  if (mode !== 'Filesystem') throw new Error(`volumes of volumeMode ${mode} are not supported`);
}

/** What is not a kind of volume in a PersistentVolume's spec. */
const common: ReadonlySet<string> = new Set<keyof PersistentVolumeSpec>([
  ...(['accessModes', 'capacity', 'claimRef', 'mountOptions', 'nodeAffinity', 'persistentVolumeReclaimPolicy'] as const),
  ...(['storageClassName', 'volumeAttributesClassName', 'volumeMode'] as const),
]);

function kindOf({ spec = {} }: PersistentVolume): string {
  if (spec.csi) return `csi (driver ${spec.csi.driver})`;
  return Object.keys(spec).find((key) => !common.has(key)) ?? 'none';
}
