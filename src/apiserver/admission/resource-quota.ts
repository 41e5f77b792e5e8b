/**
 * ResourceQuotas: a write that would use more than its namespace has left is refused, any other is charged to `status.used` before it is stored. The charge is
 * a compare-and-swap, so that several servers together let no more in than one would. What was charged for a write that then failed is given back by the
 * controller (`controllers/resourcequota`), which counts what there is. After k8s.io/apiserver/pkg/admission/plugin/resourcequota.
 */
import {
  type Amounts,
  above,
  added,
  amountsOf,
  increase,
  only,
  sameAmounts,
  shown,
  textsOf,
  withoutZeros,
} from '../../api/quota/amounts.ts';
import type { Evaluator } from '../../api/quota/evaluator.ts';
import { evaluatorOf, isInAll } from '../../api/quota/quota.ts';
import { type KubeObject, namespaces, resourceQuotas } from '../../api/resource-types.ts';
import type { ResourceQuota } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { Change, ObjectStore } from '../resource/object-store.ts';
import { isStatusError } from '../status/status-error.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

interface QuotaDeps {
  readonly lookup: Pick<Lookup, 'list' | 'fresh'>;
  readonly objects: Pick<ObjectStore, 'change' | 'registry'>;
  readonly clock: Pick<Clock, 'now'>;
}

/** A write that waits for its charge. */
interface Waiting {
  readonly request: AdmissionRequest;
  readonly evaluator: Evaluator;
  readonly settle: (err?: unknown) => void;
}

export function resourceQuota(deps: QuotaDeps): AdmissionPlugin {
  const charges = new Charges(deps);
  return {
    validate(request) {
      const { operation, row, subresource, object, old } = request;
      if (isWriteOf(request, namespaces) || (operation !== 'CREATE' && operation !== 'UPDATE')) return;
      const evaluator = evaluatorOf(row.type.group, row.type.resource);
      if (!evaluator?.handles({ operation, subresource, object, old })) return;
      return charges.ask(request, evaluator);
    },
  };
}

/** One namespace's writes are charged together: while one charge is written the next gather. */
class Charges {
  readonly #d: QuotaDeps;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(deps: QuotaDeps) {
    this.#d = deps;
  }

  ask(request: AdmissionRequest, evaluator: Evaluator): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (err?: unknown): void => (err === undefined ? resolve() : reject(err as Error));
      const known = this.#waiting.get(request.namespace);
      if (known) {
        known.push({ request, evaluator, settle });
        return;
      }
      this.#waiting.set(request.namespace, [{ request, evaluator, settle }]);
      void this.#work(request.namespace);
    });
  }

  async #work(namespace: string): Promise<void> {
    for (let batch = this.#take(namespace); batch.length > 0; batch = this.#take(namespace)) {
      await this.#charge(namespace, batch).catch((err: unknown) => {
        for (const { settle } of batch) settle(err);
      });
    }
    this.#waiting.delete(namespace);
  }

  #take(namespace: string): readonly Waiting[] {
    const batch = this.#waiting.get(namespace) ?? [];
    if (batch.length > 0) this.#waiting.set(namespace, []);
    return batch;
  }

  async #charge(namespace: string, batch: readonly Waiting[]): Promise<void> {
    const { lookup } = this.#d;
    let quotas = lookup.list(resourceQuotas, namespace);
    const errors = (): unknown[] => batch.map(({ request, evaluator }) => refusal(() => this.#check(request, evaluator, quotas)));
    let found = errors();
    if (found.some((err) => err !== undefined)) {
      // Another server, or the controller, may have made room just now.
      await lookup.fresh();
      quotas = lookup.list(resourceQuotas, namespace);
      found = errors();
    }
    let open: readonly Waiting[] = batch.filter(({ request, settle }, i) => {
      // A dry run is held to what there is, and charged nothing.
      if (found[i] !== undefined || request.dryRun) settle(found[i]);
      return found[i] === undefined && !request.dryRun;
    });
    for (const quota of quotas) if (open.length > 0) open = await this.#chargeTo(quota, open);
    for (const { settle } of open) settle();
  }

  /** Throws 403. */
  #check(request: AdmissionRequest, evaluator: Evaluator, quotas: readonly ResourceQuota[]): void {
    for (const quota of quotas) this.#after(quota, request, evaluator);
  }

  /** What is used once the write is done; undefined where the quota is not concerned. Throws 403. */
  #after(quota: ResourceQuota, request: AdmissionRequest, evaluator: Evaluator): Amounts | undefined {
    const { object } = request;
    const hard = amountsOf(quota.status?.hard);
    const names = Object.keys(hard).filter((name) => evaluator.counts(name));
    if (!object || names.length === 0 || !isInAll(evaluator, quota, object)) return undefined;
    const { name } = quota.metadata;
    const lacks = evaluator.lacks(names, object);
    if (lacks !== undefined) throw refused(request, `failed quota: ${name}: ${lacks}`);
    const used = amountsOf(quota.status?.used);
    const known = names.every((one) => one in used);
    if (!known) throw refused(request, `status unknown for quota: ${name}, resources: ${names.join(',')}`);
    const more = only(withoutZeros(this.#delta(quota, request, evaluator)), Object.keys(hard));
    if (Object.keys(more).length === 0) return undefined;
    const next = added(used, more);
    const exceeded = request.subresource === 'status' ? [] : above(only(next, Object.keys(more)), hard);
    if (exceeded.length > 0) {
      const [asked, had, limited] = [more, used, hard].map((amounts) => shown(only(amounts, exceeded)));
      throw refused(request, `exceeded quota: ${name}, requested: ${asked}, used: ${had}, limited: ${limited}`);
    }
    return next;
  }

  #delta(quota: ResourceQuota, request: AdmissionRequest, evaluator: Evaluator): Amounts {
    const { object, old } = request;
    const now = this.#d.clock.now();
    const usage = object ? evaluator.usage(object, now) : {};
    const negative = Object.keys(usage).filter((name) => (usage[name]?.nano ?? 0n) < 0n);
    if (negative.length > 0) throw refused(request, `quota usage is negative for resource(s): ${negative.toSorted().join(',')}`);
    // What was in no such scope before was not charged before.
    return old && isInAll(evaluator, quota, old) ? increase(usage, evaluator.usage(old, now)) : usage;
  }

  /** Those that fit, all charged by one write. The others are told. */
  async #chargeTo(quota: ResourceQuota, open: readonly Waiting[]): Promise<readonly Waiting[]> {
    const { name, namespace = '' } = quota.metadata;
    const row = this.#d.objects.registry.rowFor(resourceQuotas);
    let fits: readonly Waiting[] = open;
    let errors: readonly (readonly [Waiting, unknown])[] = [];
    const attempt = (current: ResourceQuota): ResourceQuota => {
      const refusals: [Waiting, unknown][] = [];
      let running = current;
      fits = open.filter((one) => {
        const err = refusal(() => {
          const used = this.#after(running, one.request, one.evaluator);
          if (used) running = { ...running, status: { ...running.status, used: textsOf(used) } };
        });
        if (err !== undefined) refusals.push([one, err]);
        return err === undefined;
      });
      errors = refusals;
      return running;
    };
    const before = attempt(quota);
    // Nothing of it is about this quota.
    if (sameAmounts(amountsOf(before.status?.used), amountsOf(quota.status?.used)) && errors.length === 0) return fits;
    try {
      const charged = (current: KubeObject): Change => ({ kind: 'put', object: attempt(current as ResourceQuota) });
      await this.#d.objects.change(row, namespace, name, charged, { dryRun: false });
    } catch (err) {
      // It was deleted meanwhile: nobody has to keep to it.
      if (!isStatusError(err, 'NotFound')) throw err;
      return open;
    }
    for (const [{ settle }, err] of errors) settle(err);
    return fits;
  }
}

/** What a check threw; undefined: it passed. */
function refusal(check: () => void): unknown {
  try {
    check();
    return undefined;
  } catch (err) {
    return err;
  }
}
