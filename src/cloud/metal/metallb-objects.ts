/**
 * Pools as MetalLB's custom resources say them since version 0.13: IPAddressPool, and L2Advertisement for who tells of which. They become the fields of
 * the configuration file, so that one reader knows what is right. Pure.
 */

import { type Fields, fieldsOf, listOf, type Pool, readPools, refuseOthers, selectorIn, wrongPools } from './pools.ts';

interface MetallbObject {
  readonly kind: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: Fields;
}

/** Pools of the documents of a text: one of the configuration file, or MetalLB's objects. Throws BAD_CONFIG. */
export function readDocuments(documents: readonly unknown[]): Pool[] {
  const [first, ...others] = documents;
  const isFile = others.length === 0 && !(typeof first === 'object' && first !== null && 'kind' in first);
  if (isFile) return readPools(first);
  const objects = documents.flatMap((one) => objectsOf(one));
  const advertisements = objects.filter(({ kind }) => kind === 'L2Advertisement');
  const pools = objects.filter(({ kind }) => kind === 'IPAddressPool').map((one) => poolFields(one, advertisements));
  refuseUnknownPools(advertisements, pools);
  return readPools({ 'address-pools': pools });
}

/** An object, or those of a List, as `kubectl get -o yaml` gives them. */
function objectsOf(value: unknown): MetallbObject[] {
  if (value === null || value === undefined) return [];
  const { apiVersion, kind, metadata, spec, items } = fieldsOf(value, 'a document');
  if (kind === 'List') return (listOf(items, 'items of a List') ?? []).flatMap(objectsOf);
  const { name, labels } = fieldsOf(metadata ?? {}, `metadata of a ${kind}`);
  const isKnown = String(apiVersion).startsWith('metallb.io/') && (kind === 'IPAddressPool' || kind === 'L2Advertisement');
  if (!isKnown)
    throw wrongPools(
      `nobody here speaks what ${kind} "${name}" says; a pool without an L2Advertisement is told by nobody, for routes of your own`,
    );
  return [
    {
      kind,
      name: String(name),
      labels: labelsIn(labels, `labels of ${kind} "${name}"`),
      spec: fieldsOf(spec ?? {}, `spec of ${kind} "${name}"`),
    },
  ];
}

/** As text, which is what selectors compare. */
function labelsIn(labels: unknown, what: string): MetallbObject['labels'] {
  return Object.fromEntries(Object.entries(fieldsOf(labels ?? {}, what)).map(([key, value]) => [key, String(value)]));
}

/** Without an advertisement a pool gives addresses that nobody tells of, as in MetalLB. */
function poolFields(pool: MetallbObject, advertisements: readonly MetallbObject[]): Fields {
  const { addresses, autoAssign, avoidBuggyIPs, serviceAllocation, ...others } = pool.spec;
  refuseOthers(others, `pool "${pool.name}"`);
  const [told, ...more] = advertisements.filter((one) => concerns(one, pool));
  if (more.length > 0)
    throw wrongPools(`pool "${pool.name}" has ${more.length + 1} L2Advertisements: write one, with the nodes and interfaces of all`);
  return {
    name: pool.name,
    addresses,
    protocol: told ? 'layer2' : 'routed',
    ...(autoAssign === undefined ? {} : { 'auto-assign': autoAssign }),
    ...(avoidBuggyIPs === undefined ? {} : { 'avoid-buggy-ips': avoidBuggyIPs }),
    ...(serviceAllocation === undefined ? {} : { 'service-allocation': allocationFields(serviceAllocation, pool.name) }),
    ...(told ? announcingFields(told) : {}),
  };
}

function allocationFields(value: unknown, pool: string): Fields {
  const { namespaceSelectors, serviceSelectors, ...same } = fieldsOf(value, `serviceAllocation of pool "${pool}"`);
  return {
    ...same,
    ...(namespaceSelectors === undefined ? {} : { 'namespace-selectors': selectorsFields(namespaceSelectors, pool) }),
    ...(serviceSelectors === undefined ? {} : { 'service-selectors': selectorsFields(serviceSelectors, pool) }),
  };
}

/** An empty list chooses nothing in particular, so all. */
function announcingFields({ name, spec }: MetallbObject): Fields {
  const { ipAddressPools: _pools, ipAddressPoolSelectors: _selectors, nodeSelectors, interfaces, ...others } = spec;
  refuseOthers(others, `L2Advertisement "${name}"`);
  const [nodes, links] = [listOf(nodeSelectors, `nodeSelectors of "${name}"`) ?? [], listOf(interfaces, `interfaces of "${name}"`) ?? []];
  return {
    ...(nodes.length > 0 ? { 'node-selectors': selectorsFields(nodes, name) } : {}),
    ...(links.length > 0 ? { interfaces: links } : {}),
  };
}

function selectorsFields(value: unknown, of: string): Fields[] {
  return (listOf(value, `selectors of "${of}"`) ?? []).map((one) => {
    const { matchLabels, matchExpressions, ...others } = fieldsOf(one, `a selector of "${of}"`);
    refuseOthers(others, `a selector of "${of}"`);
    return {
      ...(matchLabels === undefined ? {} : { 'match-labels': matchLabels }),
      ...(matchExpressions === undefined ? {} : { 'match-expressions': matchExpressions }),
    };
  });
}

/** One that names no pools and chooses none concerns all. */
function concerns({ name, spec }: MetallbObject, pool: MetallbObject): boolean {
  const named = listOf(spec.ipAddressPools, `ipAddressPools of "${name}"`) ?? [];
  const selectors = selectorsFields(spec.ipAddressPoolSelectors, name).map((one) => selectorIn(one, `L2Advertisement "${name}"`));
  if (named.length === 0 && selectors.length === 0) return true;
  return named.includes(pool.name) || selectors.some((one) => one.matches(pool.labels));
}

function refuseUnknownPools(advertisements: readonly MetallbObject[], pools: readonly Fields[]): void {
  for (const { name, spec } of advertisements)
    for (const pool of listOf(spec.ipAddressPools, `ipAddressPools of "${name}"`) ?? [])
      if (!pools.some((one) => one.name === pool)) throw wrongPools(`L2Advertisement "${name}" names pool "${pool}", which is not there`);
}
