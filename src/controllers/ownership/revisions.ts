/** The templates that a DaemonSet or StatefulSet has had, one ControllerRevision each. */

import { asGoWrites } from '../../api/codec/go-json.ts';
import { controllerRevisions, type ResourceType } from '../../api/resource-types.ts';
import type { ControllerRevision, DaemonSet, StatefulSet } from '../../api/schema/types.ts';
import { labelSelectorOf } from '../../api/selector/label.ts';
import { isAlreadyExists } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import type { ControllerContext } from '../context.ts';
import { Dependents } from './dependents.ts';
import { controllerOf, controllerRef } from './owner.ts';
import { canonical, templateHash } from './template-hash.ts';

type Owner = DaemonSet | StatefulSet;

/** The part of an owner that a revision keeps; `kubectl rollout undo` patches it back. */
function revisionData({ spec }: Owner): { readonly spec: { readonly template: object } } {
  return { spec: { template: { ...spec?.template, $patch: 'replace' } } };
}

export class Revisions<T extends Owner> {
  readonly #client: Client;
  readonly #type: ResourceType<T>;
  readonly #hashLabel: string;
  readonly #revisions: Dependents<ControllerRevision>;

  constructor(context: ControllerContext, type: ResourceType<T>, hashLabel: string) {
    this.#client = context.client;
    this.#type = type;
    this.#hashLabel = hashLabel;
    this.#revisions = new Dependents(context, controllerRevisions, type);
  }

  get informer(): Informer<ControllerRevision> {
    return this.#revisions.informer;
  }

  /** All revisions of an owner in order, that of its present template last; made or moved there when it is not. */
  async upTo(owner: T): Promise<ControllerRevision[]> {
    const claimed = await this.#revisions.claim(owner, labelSelectorOf(owner.spec?.selector ?? {}));
    const mine = claimed.toSorted((a, b) => a.revision - b.revision);
    const newest = mine.at(-1);
    const data = revisionData(owner);
    const same = mine.findLast((r) => canonical(r.data) === canonical(data));
    if (same && same === newest) return mine;
    const revision = (newest?.revision ?? 0) + 1;
    const moved = same && (await this.#revisions.patch(same, { revision }));
    const others = mine.filter((r) => r !== same);
    return [...others, moved ?? (await this.#create(owner, this.#draft(owner, data, revision)))];
  }

  /** Takes away the oldest of those that are not `live`, beyond the owner's limit. */
  async trim(owner: T, all: readonly ControllerRevision[], live: (revision: ControllerRevision) => boolean): Promise<void> {
    const old = all.filter((r) => !live(r));
    const limit = owner.spec?.revisionHistoryLimit ?? 10;
    for (const revision of old.slice(0, Math.max(old.length - limit, 0))) await this.#revisions.delete(revision);
  }

  #draft(owner: T, data: object, revision: number): ControllerRevision {
    const { name, namespace } = owner.metadata;
    const hash = templateHash(owner.spec?.template, owner.status?.collisionCount);
    return {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...owner.spec?.template.metadata?.labels, [this.#hashLabel]: hash },
        annotations: owner.metadata.annotations,
        ownerReferences: [controllerRef(owner)],
      },
      data,
      revision,
    };
  }

  async #create(owner: T, made: ControllerRevision): Promise<ControllerRevision> {
    const { namespace = '', uid } = owner.metadata;
    try {
      // A foreign server keeps the data byte by byte.
      return await this.#revisions.create({ ...made, data: asGoWrites(made.data) as object });
    } catch (err) {
      if (!isAlreadyExists(err)) throw err;
      const there = await this.#client.get(controllerRevisions, made.metadata.name, { namespace });
      // Made by the run before a restart; the informer will bring it.
      if (controllerOf(there.metadata)?.uid === uid && canonical(there.data) === canonical(made.data)) return there;
      // The name is taken by something else: count it, so that the next hash is another one.
      const collisionCount = (owner.status?.collisionCount ?? 0) + 1;
      await this.#client.update(this.#type, { ...owner, status: { ...owner.status, collisionCount } }, { subresource: 'status' });
      throw err;
    }
  }
}
