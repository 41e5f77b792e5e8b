/** Keeps the APIServices of what this server serves itself. Every server of a cluster does, and all of them the same. */
import { type ApiService, apiServices, localAvailability, withAvailability } from '../../api/aggregation/aggregation.ts';
import { builtInServices, customService, customServiceNames, localAction } from '../../api/aggregation/local.ts';
import { cloneJson } from '../../api/codec/json-clone.ts';
import { customResourceDefinitions } from '../../api/custom/definition.ts';
import { subresourceOf } from '../../api/registry/lifecycle.ts';
import type { Registry } from '../../api/registry/registry.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import { onAbort } from '../../clock/aborted.ts';
import { WorkQueue } from '../../clock/work-queue.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type Background, ownWrite } from '../bootstrap/ensure.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { Deleter } from '../resource/deleter.ts';
import type { Writer } from '../resource/writer.ts';
import { isStatusError } from '../status/status-error.ts';

/** The server answers before it begins with them. */
const settleMs = 200;
/** How many are written side by side, so that the store commits them in groups. */
const lanes = 16;

export interface LocalServicesDeps extends Background {
  /** As it is when this is made: without what definitions bring. */
  readonly registry: Registry;
  readonly lookup: Lookup;
  readonly writer: Pick<Writer, 'create' | 'update'>;
  readonly deleter: Pick<Deleter, 'delete'>;
}

export class LocalServices {
  readonly #d: LocalServicesDeps;
  readonly #row: ResourceRow;
  readonly #builtIn: ReadonlyMap<string, ApiService>;
  readonly #queue: WorkQueue;
  readonly #atStart = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(deps: LocalServicesDeps) {
    this.#d = deps;
    this.#row = deps.registry.rowFor(apiServices);
    this.#builtIn = builtInServices(deps.registry.rows.map(({ type }) => type));
    this.#queue = new WorkQueue(deps.clock);
  }

  follow(): void {
    const { lookup } = this.#d;
    const add = (names: readonly string[]): void => {
      for (const name of names) this.#queue.add(name);
    };
    for (const { metadata } of lookup.list(apiServices)) this.#atStart.add(metadata.name);
    add([...this.#builtIn.keys()]);
    lookup.follow(apiServices, {
      put: ({ metadata }) => add([metadata.name]),
      delete: ({ metadata }) => add([metadata.name]),
    });
    lookup.follow(customResourceDefinitions, {
      put: (now, before) => {
        const old = before();
        add([...(old ? customServiceNames(old) : []), ...customServiceNames(now)]);
      },
      delete: (old) => add(customServiceNames(old)),
    });
  }

  /** Until the signal aborts. */
  async keep(): Promise<void> {
    const { clock, signal } = this.#d;
    using _ = onAbort(signal, () => this.#queue.close());
    await clock.sleep(settleMs, signal).catch(() => {});
    await Promise.all(Array.from({ length: lanes }, () => this.#lane()));
  }

  async #lane(): Promise<void> {
    for (let name = await this.#queue.take(); name !== undefined; name = await this.#queue.take()) {
      try {
        await this.#reconcile(name);
        this.#queue.forget(name);
      } catch (err) {
        // Written, or gone, meanwhile: it is looked at again anyway.
        if (!isStatusError(err, 'NotFound') && !isStatusError(err, 'Conflict') && !isStatusError(err, 'AlreadyExists')) {
          this.#d.log.warn('cannot see to an APIService of this server', { name, error: messageOf(err) });
          this.#queue.addRateLimited(name);
        }
      }
      this.#queue.done(name);
    }
  }

  async #reconcile(name: string): Promise<void> {
    const { lookup, writer, deleter } = this.#d;
    const current = lookup.get(apiServices, name);
    const wanted = this.#builtIn.get(name) ?? customService(name, lookup.list(customResourceDefinitions));
    const action = localAction({ current, wanted, isSeen: this.#seen.has(name), wasThere: this.#atStart.has(name) });
    if (action === 'create') await writer.create(this.#row, '', cloneJson(wanted!), ownWrite());
    else if (action === 'update') await this.#update(name, (now) => ({ ...now, spec: cloneJson(wanted?.spec ?? {}) }));
    else if (action === 'delete')
      await deleter.delete(this.#row, '', name, { preconditions: { uid: current!.metadata.uid ?? '' } }, ownWrite());
    else if (current && !current.spec?.service) await this.#tell(current);
    this.#seen.add(name);
  }

  /** That it is available: one that was made with a Service, and has none any more, does not say so by itself. */
  async #tell(current: ApiService): Promise<void> {
    const now = this.#d.clock.now();
    if (!withAvailability(current, localAvailability, now)) return;
    const status = subresourceOf(this.#row, 'status') as PartSubresource;
    await this.#update(
      current.metadata.name,
      (object) => {
        const told = object.spec?.service ? undefined : withAvailability(object, localAvailability, now);
        return told ? { ...object, status: told } : object;
      },
      status,
    );
  }

  async #update(name: string, revise: (current: ApiService) => ApiService, part?: PartSubresource): Promise<void> {
    await this.#d.writer.update(
      { row: this.#row, namespace: '', name, part },
      (current) => revise(cloneJson(current) as ApiService),
      ownWrite(),
    );
  }
}
