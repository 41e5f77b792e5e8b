/**
 * Volumes of pods as directories on the node, under ROOT/pods/UID/volumes/KIND/NAME as upstream lays them out. What must not reach a
 * disk (secrets, tokens, emptyDir of medium Memory) lies in one tmpfs at ROOT/memory, mounted once: a mount for each volume would
 * cost a process on the way to every pod's start, and outlive the pod when the kubelet is killed.
 */
import { chmod, chown, mkdir, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { value } from '../../api/quantity/quantity.ts';
import type { Pod, Volume } from '../../api/schema/types.ts';
import { messageOf, systemCode } from '../../errors/known-error.ts';
import { type Exec, mustRun } from '../../linux/exec.ts';
import type { NodeFacts } from '../pod/downward.ts';
import { specOf, uidOf } from '../pod/spec.ts';
import { writeAtomically } from './atomic-dir.ts';
import { ClaimVolumes } from './claim-volumes.ts';
import type { ClaimSource } from './claimed-volume.ts';
import { prepareHostPath } from './host-path.ts';
import { mountPoints } from './mount-points.ts';
import { bindSubPath, isInside } from './sub-path.ts';
import { type FileSources, volumeFiles } from './volume-files.ts';

export interface VolumeManagerOptions {
  readonly rootDir: string;
  readonly exec: Exec;
  readonly sources: FileSources;
  readonly claims: ClaimSource;
  /** An event about a pod. */
  readonly warn: (pod: Pod, reason: string, message: string) => void;
}

const kinds = {
  emptyDir: 'kubernetes.io~empty-dir',
  configMap: 'kubernetes.io~configmap',
  secret: 'kubernetes.io~secret',
  projected: 'kubernetes.io~projected',
  downwardAPI: 'kubernetes.io~downward-api',
} as const;

export class VolumeManager {
  readonly #options: VolumeManagerOptions;
  readonly #claims: ClaimVolumes;

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
    const { exec, rootDir, claims: source, warn } = options;
    this.#claims = new ClaimVolumes({ podsDir: join(rootDir, 'pods'), exec, source, mounts: mountPoints, warn });
  }

  get #memory(): string {
    return join(this.#options.rootDir, 'memory');
  }

  /** Makes the places; mounts the tmpfs unless it is there from before. */
  async prepare(): Promise<void> {
    await mkdir(join(this.#options.rootDir, 'pods'), { recursive: true, mode: 0o750 });
    await mkdir(this.#memory, { recursive: true, mode: 0o750 });
    if ((await mountPoints()).some(({ path }) => path === this.#memory)) return;
    await mustRun(this.#options.exec, 'mount', ['-t', 'tmpfs', '-o', 'mode=750,nosuid,nodev', 'tmpfs', this.#memory]);
  }

  podDir(uid: string): string {
    return join(this.#options.rootDir, 'pods', uid);
  }

  /**
   * Makes every volume of the pod, or brings the content of those that are there up to date. Gives their paths by name.
   * Throws with `MountVolume.SetUp failed for volume …`.
   */
  async setUp(pod: Pod, facts: NodeFacts): Promise<Map<string, string>> {
    const paths = await Promise.all(
      (specOf(pod).volumes ?? []).map(async (volume): Promise<[string, string]> => {
        try {
          return [volume.name, await this.#setUpOne(pod, volume, facts)];
        } catch (err) {
          throw new Error(`MountVolume.SetUp failed for volume "${volume.name}" : ${messageOf(err)}`, { cause: err });
        }
      }),
    );
    return new Map(paths);
  }

  async #setUpOne(pod: Pod, volume: Volume, facts: NodeFacts): Promise<string> {
    if (volume.hostPath) {
      await prepareHostPath(volume.hostPath.path, volume.hostPath.type ?? '');
      return volume.hostPath.path;
    }
    if (volume.persistentVolumeClaim || volume.ephemeral) return await this.#claims.setUp(pod, volume);
    const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find((k) => volume[k] !== undefined);
    if (!kind) throw new Error('no volume plugin matched: this kind of volume is not supported');
    const inMemory = kind === 'secret' || kind === 'projected' || kind === 'downwardAPI' || volume.emptyDir?.medium === 'Memory';
    const path = await this.#place(uidOf(pod), kind, volume.name, inMemory);
    const group = specOf(pod).securityContext?.fsGroup;
    const files = await volumeFiles(pod, volume, facts, this.#options.sources);
    if (files) await writeAtomically(path, files, group);
    else await this.#setUpEmptyDir(path, volume, group);
    return path;
  }

  /** Made once. From then on it is the pod's: what its containers do to mode and owner stays, as databases insist on. */
  async #setUpEmptyDir(path: string, volume: Volume, group: number | undefined): Promise<void> {
    const { medium, sizeLimit } = volume.emptyDir ?? {};
    if (medium !== undefined && medium !== '' && medium !== 'Memory') throw new Error(`storage medium "${medium}" is not supported`);
    const mode = group === undefined ? 0o777 : 0o2777;
    if (!(await exists(path))) {
      // Put in place when it is ready: a kubelet that is killed in between begins anew.
      const made = `${path}.new`;
      await mkdir(made, { recursive: true });
      if (group !== undefined) await chown(made, 0, group);
      await chmod(made, mode);
      await rename(made, path);
    }
    if (medium !== 'Memory' || sizeLimit === undefined || sizeLimit === '0') return;
    if ((await stat(path)).dev !== (await stat(dirname(path))).dev) return;
    const options = [`size=${value(sizeLimit)}`, `mode=${mode.toString(8)}`, ...(group === undefined ? [] : [`gid=${group}`])];
    await mustRun(this.#options.exec, 'mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', path]);
  }

  /** Where a volume lies; the directory above it is there. One in memory has a link where upstream would have mounted it. */
  async #place(uid: string, kind: keyof typeof kinds, name: string, inMemory: boolean): Promise<string> {
    const usual = join(this.podDir(uid), 'volumes', kinds[kind], name);
    await mkdir(dirname(usual), { recursive: true, mode: 0o755 });
    if (!inMemory) return usual;
    const real = join(this.#memory, uid, name);
    await mkdir(dirname(real), { recursive: true, mode: 0o755 });
    await symlink(real, usual).catch((err) => {
      if (systemCode(err) !== 'EEXIST') throw err;
    });
    return real;
  }

  /** Mounts a part of a volume for one container of the pod; gives the place. Mounts of the same place from before are taken away. */
  async subPath(uid: string, volumePath: string, subPath: string, container: string, index: number): Promise<string> {
    const target = join(this.podDir(uid), 'volume-subpaths', container, String(index));
    await this.#unmount(target);
    await bindSubPath(volumePath, subPath, target);
    return target;
  }

  async #unmount(place: string): Promise<void> {
    // Deepest first.
    const found = (await mountPoints()).filter(({ path }) => isInside(path, place)).sort((a, b) => b.path.length - a.path.length);
    for (const { path } of found) await mustRun(this.#options.exec, 'umount', [path]);
  }

  /** Removes all that a pod had on this node. */
  async tearDown(uid: string): Promise<void> {
    const inMemory = join(this.#memory, uid);
    // What a pod has mounted must not be deleted through.
    await this.#unmount(this.podDir(uid));
    await this.#unmount(inMemory);
    this.#claims.forget(uid);
    await rm(inMemory, { recursive: true, force: true });
    await rm(this.podDir(uid), { recursive: true, force: true });
  }

  /** The uids of pods that have something here. */
  async pods(): Promise<string[]> {
    const [onDisk, inMemory] = await Promise.all([readdir(join(this.#options.rootDir, 'pods')), readdir(this.#memory)]);
    return [...new Set([...onDisk, ...inMemory])];
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
