/**
 * Which node announces which address: MetalLB's choice. Every node that may is put in an order by a hash of its name and the address, and the first
 * has it; so all nodes come to the same answer without asking each other, and the addresses of a cluster spread over its nodes. Pure.
 */
import { createHash } from 'node:crypto';
import type { Endpoint, EndpointSlice, Node, Service } from '../api/schema/types.ts';
import { type Labels, parseLabelSelector } from '../api/selector/label.ts';
import { announceAnnotation, announceInterfacesAnnotation, announceNodesAnnotation, labelNodeExcludeBalancers } from '../api/well-known.ts';
import { parseIp } from '../ip/ip.ts';

/** The addresses of a Service that one node is to answer for, the one by which it is chosen first. */
export function announcedAddresses({ metadata, spec, status }: Service): string[] {
  if (spec?.type !== 'LoadBalancer' || metadata.annotations?.[announceAnnotation] !== 'layer2') return [];
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => parseIp(ip ?? '') ?? []);
}

/** Whether a node of these labels may tell the addresses of the Service. Text that is no selector lets nobody: all nodes come to one answer. */
export function announcesBy({ metadata }: Service): (labels: Labels | undefined) => boolean {
  const text = metadata.annotations?.[announceNodesAnnotation];
  if (text === undefined) return () => true;
  try {
    const selectors = text.split(';').map(parseLabelSelector);
    return (labels) => selectors.some((selector) => selector.matches(labels));
  } catch {
    return () => false;
  }
}

/** The links on which the Service may be told, of those that count here; empty for all. Undefined when that is none. */
export function linksFor({ metadata }: Service, names: readonly string[]): readonly string[] | undefined {
  const wanted = (metadata.annotations?.[announceInterfacesAnnotation] ?? '').split(',').filter(Boolean);
  if (wanted.length === 0 || names.length === 0) return [...wanted, ...names];
  const both = wanted.filter((name) => names.includes(name));
  return both.length > 0 ? both : undefined;
}

/** Whether packets may come to the cluster by this node. */
export function mayAnnounce({ metadata, status }: Node): boolean {
  const isCutOff = (status?.conditions ?? []).some(({ type, status: is }) => type === 'NetworkUnavailable' && is === 'True');
  return !isCutOff && !metadata.deletionTimestamp && !Object.hasOwn(metadata.labels ?? {}, labelNodeExcludeBalancers);
}

/** The node of `candidates` that announces the addresses of the Service; undefined when nobody is to. */
export function announcerOf(service: Service, slices: readonly EndpointSlice[], candidates: readonly string[]): string | undefined {
  const [first] = announcedAddresses(service);
  const serving = servingEndpoints(slices);
  // Nobody would be served, and silence tells a client sooner than a refusal by a node that may be anywhere.
  if (first === undefined || serving.length === 0) return undefined;
  const isLocal = service.spec?.externalTrafficPolicy === 'Local';
  const able = isLocal ? candidates.filter((node) => serving.some(({ nodeName }) => nodeName === node)) : candidates;
  return able.toSorted((a, b) => Buffer.compare(rank(a, first), rank(b, first)))[0];
}

/** Those that are ready; when there are none, those that serve while they end, as the proxies have it. */
function servingEndpoints(slices: readonly EndpointSlice[]): Endpoint[] {
  const all = slices.flatMap(({ endpoints }) => endpoints ?? []);
  const ready = all.filter(({ conditions }) => conditions?.ready ?? true);
  return ready.length > 0 ? ready : all.filter(({ conditions }) => conditions?.serving && conditions.terminating);
}

function rank(node: string, address: string): Buffer {
  return createHash('sha256').update(`${node}#${address}`).digest();
}
