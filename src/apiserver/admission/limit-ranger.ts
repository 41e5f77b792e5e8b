/**
 * LimitRanges: what containers that say nothing request and are limited to, and how much a container, a pod and a claim may ask for.
 * After plugin/pkg/admission/limitranger.
 */

import { compareQuantity, formatQuantity, parseQuantity, type Quantity } from '../../api/quantity/quantity.ts';
import { type Amounts, amountsOf, none } from '../../api/quota/amounts.ts';
import { specAmounts } from '../../api/quota/pod-amounts.ts';
import { limitRanges, persistentVolumeClaims, pods } from '../../api/resource-types.ts';
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '../../api/schema/types.ts';
import type { Lookup } from '../cache/lookup.ts';
import { type AdmissionPlugin, type AdmissionRequest, isWriteOf, refused } from './admission.ts';

const annotation = 'kubernetes.io/limit-ranger';

export function limitRanger(lookup: Pick<Lookup, 'list'>): AdmissionPlugin {
  return {
    mutate(request) {
      if (!isLimited(request) || request.row.type.resource !== pods.resource) return;
      for (const range of lookup.list(limitRanges, request.namespace)) setDefaults(request.object as Pod, range);
    },
    validate(request) {
      if (!isLimited(request)) return;
      for (const range of lookup.list(limitRanges, request.namespace)) {
        const wrong = [...new Set(violations(request, range))];
        if (wrong.length > 0) throw refused(request, wrong.length === 1 ? wrong.join() : `[${wrong.join(', ')}]`);
      }
    },
  };
}

/** What containers ask for is fixed once the pod is there, but for a resize. */
function isLimited(request: AdmissionRequest): boolean {
  const { operation, old } = request;
  if (old?.metadata.deletionTimestamp !== undefined) return false;
  if (operation === 'CREATE') return isWriteOf(request, pods) || isWriteOf(request, persistentVolumeClaims);
  return operation === 'UPDATE' && (isWriteOf(request, pods, 'resize') || isWriteOf(request, persistentVolumeClaims));
}

/** Says in an annotation what it has set. */
function setDefaults(pod: Pod, { spec }: LimitRange): void {
  const items = (spec?.limits ?? []).filter((item) => item.type === 'Container');
  const requests = Object.assign({}, ...items.map((item) => item.defaultRequest ?? {}));
  const limits = Object.assign({}, ...items.map((item) => item.default ?? {}));
  const told = (container: Container, called: string): string[] => {
    const of = (side: 'requests' | 'limits', values: Record<string, string>): string[] => {
      const missing = Object.keys(values).filter((name) => container.resources?.[side]?.[name] === undefined);
      if (missing.length === 0) return [];
      const set = Object.fromEntries(missing.map((name) => [name, values[name] ?? '']));
      container.resources = { ...container.resources, [side]: { ...container.resources?.[side], ...set } };
      return [`${missing.toSorted().join(', ')} ${side.slice(0, -1)} for ${called} ${container.name}`];
    };
    return [...of('requests', requests), ...of('limits', limits)];
  };
  const all = [
    ...(pod.spec?.containers ?? []).flatMap((container) => told(container, 'container')),
    ...(pod.spec?.initContainers ?? []).flatMap((container) => told(container, 'init container')),
  ];
  if (all.length === 0) return;
  pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: `LimitRanger plugin set: ${all.join('; ')}` };
}

function violations({ row, object }: AdmissionRequest, { spec }: LimitRange): string[] {
  const items = spec?.limits ?? [];
  if (row.type.resource === pods.resource) return items.flatMap((item) => podViolations(item, object as Pod));
  const asked = amountsOf((object as PersistentVolumeClaim).spec?.resources?.requests);
  return items
    .filter((item) => item.type === 'PersistentVolumeClaim')
    .flatMap((item) => [
      ...each(item, 'min', (bound) => tooLittle(bound, asked, {})),
      ...each(item, 'max', (bound) => tooMuch(bound, asked, asked, 'request')),
    ]);
}

function podViolations(item: LimitRangeItem, { spec }: Pod): string[] {
  if (!spec) return [];
  if (item.type === 'Pod') return sideViolations(item, specAmounts(spec, 'requests'), specAmounts(spec, 'limits'));
  if (item.type !== 'Container') return [];
  return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
    sideViolations(item, amountsOf(resources?.requests), amountsOf(resources?.limits)),
  );
}

function sideViolations(item: LimitRangeItem, requests: Amounts, limits: Amounts): string[] {
  return [
    ...each(item, 'min', (bound) => tooLittle(bound, requests, limits)),
    ...each(item, 'max', (bound) => tooMuch(bound, requests, limits, 'limit')),
    ...each(item, 'maxLimitRequestRatio', (bound) => tooFarApart(bound, requests, limits)),
  ];
}

interface Bound {
  readonly name: string;
  /** Container, Pod, PersistentVolumeClaim. */
  readonly type: string;
  readonly amount: Quantity;
}

function each(item: LimitRangeItem, key: 'min' | 'max' | 'maxLimitRequestRatio', check: (bound: Bound) => string | undefined): string[] {
  const bounds = Object.entries(item[key] ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return bounds.flatMap(([name, text]) => check({ name, type: item.type, amount: parseQuantity(text) }) ?? []);
}

function tooLittle({ name, type, amount }: Bound, requests: Amounts, limits: Amounts): string | undefined {
  const text = `minimum ${name} usage per ${type} is ${formatQuantity(amount)}`;
  const [request, limit] = [requests[name], limits[name]];
  if (!request) return `${text}.  No request is specified`;
  if (compareQuantity(request, amount) < 0) return `${text}, but request is ${formatQuantity(request)}`;
  if (limit && compareQuantity(limit, amount) < 0) return `${text}, but limit is ${formatQuantity(limit)}`;
  return undefined;
}

/** `bounded` is what must be said: the limit, or of a claim, which has none that counts, the request. */
function tooMuch({ name, type, amount }: Bound, requests: Amounts, bounded: Amounts, called: 'limit' | 'request'): string | undefined {
  const text = `maximum ${name} usage per ${type} is ${formatQuantity(amount)}`;
  const [request, limit] = [requests[name], bounded[name]];
  if (!limit) return `${text}.  No ${called} is specified`;
  if (compareQuantity(limit, amount) > 0) return `${text}, but ${called} is ${formatQuantity(limit)}`;
  if (request && compareQuantity(request, amount) > 0) return `${text}, but request is ${formatQuantity(request)}`;
  return undefined;
}

function tooFarApart({ name, type, amount }: Bound, requests: Amounts, limits: Amounts): string | undefined {
  const text = `${name} max limit to request ratio per ${type} is ${formatQuantity(amount)}`;
  const { nano: request } = requests[name] ?? none;
  const { nano: limit } = limits[name] ?? none;
  if (request === 0n) return `${text}, but no request is specified or request is 0`;
  if (limit === 0n) return `${text}, but no limit is specified or limit is 0`;
  if (limit * 1_000_000_000n <= amount.nano * request) return undefined;
  return `${text}, but provided ratio is ${(Number(limit) / Number(request)).toFixed(6)}`;
}
