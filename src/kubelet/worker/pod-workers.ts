/** The workers of this node's pods, and the end of what the runtime runs for pods that nobody wants any more. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/schema/types.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Admission } from '../node/admission.ts';
import type { ContainerRecord } from '../pod/pod-runtime.ts';
import { isStatic, namespaceOf, uidOf } from '../pod/spec.ts';
import type { ListedPod } from './pleg.ts';
import { PodWorker } from './pod-worker.ts';
import type { WorkerDeps } from './worker-deps.ts';

export interface PodWorkersOptions {
  readonly deps: Omit<WorkerDeps, 'onFinished' | 'admit' | 'resizeProblem'>;
  readonly admission: Pick<Admission, 'admit' | 'resizeProblem'>;
}

export class PodWorkers {
  readonly #options: PodWorkersOptions;
  readonly #workers = new Map<string, PodWorker>();
  readonly #orphans = new Set<string>();
  /** A manifest that was taken away and came back as it was: its pod, to run again when the one before has ended. */
  readonly #successors = new Map<string, Pod>();
  #complete = false;

  constructor(options: PodWorkersOptions) {
    this.#options = options;
  }

  list(): PodWorker[] {
    return [...this.#workers.values()];
  }

  get(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  find(namespace: string, name: string): PodWorker | undefined {
    const found = this.list().filter((w) => namespaceOf(w.pod) === namespace && w.pod.metadata.name === name);
    // A pod that ends and its successor may share the name: the one that lives is meant.
    return found.find((w) => w.state === 'syncing') ?? found[0];
  }

  runningContainers(): ContainerRecord[] {
    return this.list().flatMap((w) => (w.runtime?.containers ?? []).filter((c) => c.state === 'running'));
  }

  /** A pod of this node, new or changed. */
  set(pod: Pod): void {
    const uid = uidOf(pod);
    const known = this.#workers.get(uid);
    if (known?.isGone) {
      this.#successors.set(uid, pod);
      return;
    }
    if (known) {
      known.update(pod);
      return;
    }
    const { deps, admission } = this.#options;
    const others = (): Pod[] =>
      this.list()
        .filter((w) => w.isAdmitted && w.uid !== uid)
        .map((w) => w.allocated);
    const worker = new PodWorker(pod, {
      ...deps,
      onFinished: (id) => this.#finished(id),
      admit: (p) => admission.admit(p, others),
      resizeProblem: (p) => admission.resizeProblem(p, others()),
    });
    this.#workers.set(uid, worker);
    this.#releaseNext(pod);
  }

  /** A static pod must not start beside its predecessor: they share name, ports and directories on the node. */
  #releaseNext(pod: Pod): void {
    const same = this.list().filter((w) => namespaceOf(w.pod) === namespaceOf(pod) && w.pod.metadata.name === pod.metadata.name);
    if (!isStatic(pod)) for (const worker of same) worker.release();
    else same[0]?.release();
  }

  remove(pod: Pod): void {
    this.#successors.delete(uidOf(pod));
    this.#workers.get(uidOf(pod))?.remove(pod);
  }

  requeue(uid: string): void {
    this.#workers.get(uid)?.requeue();
  }

  requeueAll(): void {
    for (const worker of this.#workers.values()) worker.requeue();
  }

  /** All sources have been read once: from now on a pod without a worker is nobody's. */
  complete(): void {
    this.#complete = true;
  }

  #finished(uid: string): void {
    const worker = this.#workers.get(uid);
    this.#workers.delete(uid);
    const successor = this.#successors.get(uid);
    this.#successors.delete(uid);
    if (successor) this.set(successor);
    if (worker) this.#releaseNext(worker.pod);
    for (const other of this.list()) if (other.waitsForRoom) other.requeue();
  }

  /** Ends what the runtime runs for pods that are not there. */
  killOrphans(listed: ReadonlyMap<string, ListedPod>): void {
    if (!this.#complete) return;
    for (const pod of listed.values()) {
      if (this.#workers.has(pod.uid) || this.#orphans.has(pod.uid)) continue;
      this.#orphans.add(pod.uid);
      void this.#killOrphan(pod)
        .catch((err) => this.#options.deps.log.warn(`Cannot end pod "${pod.namespace}/${pod.name}", which nobody wants: ${messageOf(err)}`))
        .finally(() => this.#orphans.delete(pod.uid));
    }
  }

  async #killOrphan({ uid, name, namespace }: ListedPod): Promise<void> {
    const { reader, killer, runtime, volumes, cgroups, logsRoot, log } = this.#options.deps;
    const found = await reader.read(uid, name, namespace);
    // The list was older than the end of its worker.
    if (found.sandboxes.length === 0 && found.containers.length === 0) return;
    log.info(`Ending pod "${namespace}/${name}" (${uid}): it is not there any more`);
    await killer.killPod(found, undefined, 30);
    await runtime.collect(await reader.read(uid, name, namespace), true);
    await volumes.tearDown(uid);
    const cgroup = (await cgroups.pods()).get(uid);
    if (cgroup) await cgroups.removePod(cgroup);
    await rm(join(logsRoot, `${namespace}_${name}_${uid}`), { recursive: true, force: true });
  }

  /** Removes directories and cgroups of pods that ended while nobody watched. To be called once all is known. */
  async cleanUp(listed: ReadonlySet<string>): Promise<void> {
    const { volumes, cgroups, logsRoot } = this.#options.deps;
    const isDead = (uid: string): boolean => !this.#workers.has(uid) && !listed.has(uid);
    for (const uid of await volumes.pods()) if (isDead(uid)) await volumes.tearDown(uid);
    for (const [uid, cgroup] of await cgroups.pods()) if (isDead(uid)) await cgroups.removePod(cgroup);
    for (const entry of await readdir(logsRoot).catch(() => []))
      if (isDead(entry.slice(entry.lastIndexOf('_') + 1))) await rm(join(logsRoot, entry), { recursive: true, force: true });
  }

  close(): void {
    for (const worker of this.#workers.values()) worker.close();
  }
}
