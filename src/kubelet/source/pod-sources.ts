/**
 * Where pods come from: the API server, and manifest files of this node (static pods). Each static pod is shown in the API by a mirror,
 * which comes back by the watch as any pod does, and is told apart here.
 */

import { objectKey } from '../../api/object-key.ts';
import type { Pod, PodStatus } from '../../api/schema/types.ts';
import type { Informer } from '../../client/informer.ts';
import type { Clock } from '../../clock/clock.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import { fromApi, isMirror, isStatic, namespaceOf, uidOf } from '../pod/spec.ts';
import type { StatusTarget } from '../status/status-manager.ts';
import type { MirrorPods } from './mirror-pods.ts';
import type { StaticPods } from './static-pods.ts';

const mirrorRetryMs = 5000;

export interface PodSourcesOptions {
  /** The pods that are bound to this node. */
  readonly api: Informer<Pod>;
  /** undefined where nothing may come from files. */
  readonly statics: StaticPods | undefined;
  readonly mirrors: MirrorPods;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PodHandlers {
  /** A pod of this node, new or changed. */
  set(pod: Pod): void;
  /** Its source no longer has it. */
  remove(pod: Pod): void;
  /** The API shows this status of a pod; its uid is what was watched. */
  observe(uid: string, pod: Pod): void;
  /** A static pod has its mirror, which needs its status. */
  mirrored(uid: string): void;
}

export class PodSources {
  readonly #options: PodSourcesOptions;
  #handlers: PodHandlers | undefined;

  constructor(options: PodSourcesOptions) {
    this.#options = options;
  }

  on(handlers: PodHandlers): void {
    this.#handlers = handlers;
    const { api, statics } = this.#options;
    statics?.on({
      set: (pod) => {
        handlers.set(pod);
        void this.#syncMirror(pod);
      },
      remove: (pod) => {
        handlers.remove(pod);
        const mirror = api.get(objectKey(pod));
        if (mirror && isMirror(mirror)) void this.#removeMirror(mirror);
      },
    });
    api.on({
      add: (pod) => {
        if (!isMirror(pod)) handlers.set(fromApi(pod));
        // Before all are known, those that are stale cannot be told from those whose manifest is read in a moment.
        else if (api.hasSynced) this.#seenMirror(pod);
      },
      update: (pod) => {
        if (isMirror(pod)) this.#seenMirror(pod);
        else handlers.set(fromApi(pod));
        handlers.observe(uidOf(pod), pod);
      },
      delete: (pod) => {
        if (!isMirror(pod)) handlers.remove(fromApi(pod));
        // What is gone may have been a mirror, or a pod that stood in the place of one.
        const owner = this.#staticOf(pod);
        if (owner) void this.#syncMirror(owner);
      },
      synced: () => {
        for (const pod of api.list()) if (isMirror(pod)) this.#seenMirror(pod);
        for (const pod of statics?.list() ?? []) void this.#syncMirror(pod);
      },
    });
  }

  /** What stands for a pod in the API, and its status there: itself, or the mirror of a static pod once that is there. */
  target(pod: Pod): { readonly target: StatusTarget; readonly status: PodStatus } | undefined {
    const { api, mirrors } = this.#options;
    const object = isStatic(pod) ? api.get(objectKey(pod)) : pod;
    if (!object || (isStatic(pod) && !mirrors.isMirrorOf(object, pod))) return undefined;
    const target = { namespace: namespaceOf(object), name: object.metadata.name, uid: uidOf(object) };
    return { target, status: object.status ?? {} };
  }

  #staticOf(mirror: Pod): Pod | undefined {
    return this.#options.statics?.find(namespaceOf(mirror), mirror.metadata.name);
  }

  #seenMirror(mirror: Pod): void {
    const pod = this.#staticOf(mirror);
    if (pod) void this.#syncMirror(pod);
    else void this.#removeMirror(mirror);
  }

  /** Makes the mirror, or replaces that of an earlier manifest. */
  async #syncMirror(pod: Pod): Promise<void> {
    const { api, mirrors, clock, log } = this.#options;
    if (!api.hasSynced) return;
    try {
      const known = api.get(objectKey(pod));
      if (known && mirrors.isMirrorOf(known, pod) && !known.metadata.deletionTimestamp) this.#handlers?.mirrored(uidOf(pod));
      else if (!known) await mirrors.create(pod);
      // Somebody's own pod of that name is not the kubelet's to remove; the static pod goes without a mirror while it is there.
      else if (isMirror(known)) await mirrors.remove(known);
    } catch (err) {
      log.warn(`Cannot show static pod "${objectKey(pod)}" in the API: ${messageOf(err)}`);
      clock.after(mirrorRetryMs, () => {
        const still = this.#staticOf(pod);
        if (still) void this.#syncMirror(still);
      });
    }
  }

  async #removeMirror(mirror: Pod): Promise<void> {
    await this.#options.mirrors.remove(mirror).catch((err) => this.#options.log.warn(messageOf(err)));
  }
}
