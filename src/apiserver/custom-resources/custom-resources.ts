/**
 * What CustomResourceDefinitions ask for: their names are accepted or not, those that are established are rows of the registry, and one
 * that is deleted goes when its objects are gone. Definitions are followed in the store, so every server of a cluster serves those that
 * were written through another one; each may write the status, and all of them the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { customRows, storageRow } from '../../api/custom/custom.ts';
import {
  type CustomNames,
  type CustomResourceDefinition,
  cleanupFinalizer,
  customResourceDefinitions,
  hasCondition,
} from '../../api/custom/definition.ts';
import { statusOf, type TakenNames, takenNames, withCondition } from '../../api/custom/naming.ts';
import { subresourceOf } from '../../api/registry/lifecycle.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { onAbort } from '../../clock/aborted.ts';
import { WorkQueue } from '../../clock/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type Background, ownWrite } from '../bootstrap/ensure.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { WatchFeed } from '../cache/watch-feed.ts';
import type { Deleter } from '../resource/deleter.ts';
import type { Writer } from '../resource/writer.ts';
import { isStatusError } from '../status/status-error.ts';
import type { WebhookCaller } from '../webhook/webhook-caller.ts';
import { ConversionWebhook } from './conversion-webhook.ts';

/** How soon to look again at objects that finalizers hold, and at what failed. */
const retryMs = 1_000;

export interface CustomResourcesDeps extends Background {
  readonly registry: Registry;
  readonly lookup: Lookup;
  readonly feed: WatchFeed;
  readonly writer: Writer;
  readonly deleter: Deleter;
  readonly webhooks: WebhookCaller;
}

interface Installed {
  /** What its rows were made of. */
  readonly of: unknown;
  readonly rows: readonly ResourceRow[];
}

export class CustomResources {
  readonly #d: CustomResourcesDeps;
  readonly #row: ResourceRow;
  readonly #status: PartSubresource;
  readonly #installed = new Map<string, Installed>();
  /** Names of definitions to look at. */
  readonly #queue: WorkQueue;

  constructor(deps: CustomResourcesDeps) {
    this.#d = deps;
    this.#queue = new WorkQueue(deps.clock);
    this.#row = deps.registry.rowFor(customResourceDefinitions);
    this.#status = subresourceOf(this.#row, 'status') as PartSubresource;
  }

  /** Serves what is established now, and from now on. */
  follow(): void {
    this.#d.lookup.follow(customResourceDefinitions, {
      put: (definition) => {
        this.#install(definition);
        this.#queue.add(definition.metadata.name);
      },
      delete: ({ metadata, spec }) => {
        this.#uninstall(metadata.name);
        // Its names are free now.
        for (const other of this.#ofGroup(spec?.group)) this.#queue.add(other.metadata.name);
      },
    });
  }

  /** Writes what definitions are told, until the signal aborts. */
  async keep(): Promise<void> {
    const { log, signal } = this.#d;
    using _ = onAbort(signal, () => this.#queue.close());
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) {
      const again = await this.#reconcile(name).catch((err: unknown) => {
        if (!isStatusError(err, 'NotFound')) log.warn('cannot see to a CustomResourceDefinition', { name, error: messageOf(err) });
        return !isStatusError(err, 'NotFound');
      });
      if (again) this.#queue.addAfter(name, retryMs);
      this.#queue.done(name);
    }
  }

  #ofGroup(group: string | undefined): CustomResourceDefinition[] {
    return this.#d.lookup.list(customResourceDefinitions).filter(({ spec }) => spec?.group === group);
  }

  // ── serving ────────────────────────────────────────────────────────────────────────────────────────────────────

  #install(definition: CustomResourceDefinition): void {
    const { metadata, spec, status } = definition;
    const of = hasCondition(definition, 'Established') ? { uid: metadata.uid, spec, names: status?.acceptedNames } : undefined;
    if (isDeepStrictEqual(this.#installed.get(metadata.name)?.of, of)) return;
    this.#uninstall(metadata.name);
    if (of === undefined) return;
    const rows: ResourceRow[] = [];
    this.#installed.set(metadata.name, { of, rows });
    try {
      const webhook = new ConversionWebhook(definition, this.#d.webhooks);
      for (const row of customRows(definition, (objects, apiVersion) => webhook.convert(objects, apiVersion))) {
        this.#d.registry.add(row);
        rows.push(row);
      }
    } catch (err) {
      this.#d.log.warn('cannot serve a CustomResourceDefinition', { name: metadata.name, error: messageOf(err) });
    }
  }

  #uninstall(name: string): void {
    const { rows = [] } = this.#installed.get(name) ?? {};
    this.#installed.delete(name);
    for (const row of rows) this.#d.registry.remove(row);
  }

  // ── telling ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** True when it is to be looked at again later. */
  async #reconcile(name: string): Promise<boolean> {
    const definition = this.#d.lookup.get(customResourceDefinitions, name);
    if (!definition) return false;
    if (definition.metadata.deletionTimestamp !== undefined) return this.#cleanUp(definition);
    const status = (current: CustomResourceDefinition): CustomResourceDefinition['status'] =>
      statusOf(current, this.#takenBeside(current), this.#d.clock.now());
    if (status(definition))
      await this.#update(name, (current) => ({ ...current, status: status(current) ?? current.status ?? {} }), this.#status);
    return false;
  }

  /** The names of the group's other definitions, and of what is built in. */
  #takenBeside({ metadata, spec }: CustomResourceDefinition): TakenNames {
    const others = this.#ofGroup(spec?.group).filter((other) => other.metadata.name !== metadata.name);
    const custom = new Set([...this.#installed.values()].flatMap(({ rows }) => rows));
    const builtIn = this.#d.registry.rows.filter((row) => row.type.group === spec?.group && !custom.has(row));
    return takenNames([...others.map(({ status }) => status?.acceptedNames ?? {}), ...builtIn.map(namesOf)]);
  }

  async #update(
    name: string,
    revise: (current: CustomResourceDefinition) => CustomResourceDefinition,
    part?: PartSubresource,
  ): Promise<void> {
    await this.#d.writer.update(
      { row: this.#row, namespace: '', name, part },
      (current: KubeObject) => revise(structuredClone(current)),
      ownWrite(),
    );
  }

  /** Deletes the objects of a definition, then lets it go. */
  async #cleanUp(definition: CustomResourceDefinition): Promise<boolean> {
    const { name, finalizers = [] } = definition.metadata;
    if (!finalizers.includes(cleanupFinalizer)) return false;
    if (hasCondition(definition, 'Established') && (await this.#deleteObjects(definition)) > 0) {
      await this.#tellTerminating(name);
      return true;
    }
    await this.#update(name, (current) => {
      const left = (current.metadata.finalizers ?? []).filter((one) => one !== cleanupFinalizer);
      return { ...current, metadata: { ...current.metadata, finalizers: left } };
    });
    return false;
  }

  /** How many are left: those that wait for finalizers. */
  async #deleteObjects(definition: CustomResourceDefinition): Promise<number> {
    const { feed, registry, deleter } = this.#d;
    const row = storageRow(definition);
    const storedAs = row?.storedAs;
    if (!row || storedAs === undefined) return 0;
    // Where no version is served, nobody holds them.
    feed.add(storedAs);
    const cache = feed.cache(storedAs);
    await cache.loaded;
    await feed.fresh();
    await deleter.deleteAll(row, cache.range(), {}, ownWrite());
    await feed.fresh();
    const left = cache.size;
    if (!registry.stores(storedAs)) feed.drop(storedAs);
    return left;
  }

  async #tellTerminating(name: string): Promise<void> {
    const condition = {
      type: 'Terminating',
      status: 'True',
      reason: 'InstanceDeletionInProgress',
      message: 'CustomResource deletion is in progress',
    } as const;
    await this.#update(
      name,
      (current) => ({ ...current, status: withCondition(current.status ?? {}, condition, this.#d.clock.now()) }),
      this.#status,
    );
  }
}

function namesOf({ type, singular, shortNames, listKind }: ResourceRow): CustomNames {
  return { plural: type.resource, singular, shortNames: [...shortNames], kind: type.kind, listKind };
}
