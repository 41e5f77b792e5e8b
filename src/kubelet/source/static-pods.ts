/** Pods from manifest files of this node, in the manner of the kubelet's staticPodPath. */
import { type FSWatcher, watch } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/schema/types.ts';
import { onAbort } from '../../clock/aborted.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { uidOf } from '../pod/spec.ts';

export interface StaticPodsOptions {
  readonly directory: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface StaticPodHandlers {
  set(pod: Pod): void;
  remove(pod: Pod): void;
}

const rescanMs = 20_000;
/** A file is being written in pieces, or several are put there together. */
const settleMs = 100;

export class StaticPods {
  readonly #options: StaticPodsOptions;
  #handlers: StaticPodHandlers | undefined;
  /** By file. */
  #pods = new Map<string, Pod>();
  #watcher: FSWatcher | undefined;
  #timer: { cancel(): void } | undefined;
  #scanning: Promise<void> = Promise.resolve();
  readonly #complained = new Map<string, string>();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  on(handlers: StaticPodHandlers): void {
    this.#handlers = handlers;
  }

  /** Reads the directory, then follows its changes until the signal aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o755 });
    await this.#scan();
    this.#watch();
    this.#soon(rescanMs);
    onAbort(signal, () => this.#close());
  }

  /** Without a watch, which the kernel may refuse (fs.inotify.max_user_instances), a change is seen at the next scan. */
  #watch(): void {
    const { directory, log } = this.#options;
    const complain = (err: unknown): void => log.warn(`Cannot watch "${directory}": ${messageOf(err)}`);
    try {
      this.#watcher = watch(directory, () => this.#soon(settleMs)).on('error', complain);
    } catch (err) {
      complain(err);
    }
  }

  #close(): void {
    this.#watcher?.close();
    this.#timer?.cancel();
  }

  list(): Pod[] {
    return [...this.#pods.values()];
  }

  find(namespace: string, name: string): Pod | undefined {
    return this.list().find((p) => p.metadata.namespace === namespace && p.metadata.name === name);
  }

  #soon(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => {
      this.#scanning = this.#scanning.then(() => this.#scan()).catch((err) => this.#options.log.warn(messageOf(err)));
      this.#soon(rescanMs);
    });
  }

  async #scan(): Promise<void> {
    const { directory } = this.#options;
    const found = new Map<string, Pod>();
    for (const entry of await readdir(directory)) {
      const file = join(directory, entry);
      const pod = entry.startsWith('.') ? undefined : await this.#read(file);
      if (pod) found.set(file, pod);
    }
    const before = byUid(this.#pods);
    const after = byUid(found);
    this.#pods = found;
    for (const [uid, pod] of before) if (!after.has(uid)) this.#handlers?.remove(pod);
    for (const [uid, pod] of after) if (!before.has(uid)) this.#handlers?.set(pod);
  }

  /** The pod of a manifest. One that was broken while being edited does not end the pod that runs from it. */
  async #read(file: string): Promise<Pod | undefined> {
    const { nodeName, log, clock } = this.#options;
    try {
      if (!(await stat(file)).isFile()) return undefined;
      // Most nodes have no manifests: the parser and the checks take memory.
      const { staticPod } = await import('./manifest.ts');
      const pod = staticPod(await readFile(file, 'utf8'), nodeName, clock.now());
      this.#complained.delete(file);
      return pod;
    } catch (err) {
      const why = messageOf(err);
      if (this.#complained.get(file) !== why) log.error(`Cannot use pod manifest "${file}": ${why}`);
      this.#complained.set(file, why);
      return this.#pods.get(file);
    }
  }
}

function byUid(pods: ReadonlyMap<string, Pod>): Map<string, Pod> {
  return new Map([...pods.values()].map((pod) => [uidOf(pod), pod]));
}
