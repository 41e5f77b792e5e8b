import type { Pod, PodAffinityTerm } from '../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../api/selector/label.ts';
import type { Cluster } from '../cluster.ts';
import type { NodeInfo } from '../node-info.ts';
import type { Plugin } from '../plugin.ts';

const affinity = ["node(s) didn't match pod affinity rules"];
const antiAffinity = ["node(s) didn't match pod anti-affinity rules"];
const existingAntiAffinity = ["node(s) didn't satisfy existing pods anti-affinity rules"];

interface Term {
  readonly topologyKey: string;
  readonly fits: (pod: Pod) => boolean;
}

/** Every pod that is placed asks the terms of all that run, so each is taken apart once. */
const known = new WeakMap<PodAffinityTerm, Term>();

/** A term as a question about a pod; namespaces default to that of the pod that carries the term. */
function termOf(raw: PodAffinityTerm, owner: Pod, cluster: Cluster): Term {
  let term = known.get(raw);
  if (!term) {
    term = newTerm(raw, owner, cluster);
    known.set(raw, term);
  }
  return term;
}

function newTerm(term: PodAffinityTerm, owner: Pod, cluster: Cluster): Term {
  const selector: Selector | undefined = term.labelSelector ? labelSelectorOf(term.labelSelector) : undefined;
  const byLabels = term.namespaceSelector ? labelSelectorOf(term.namespaceSelector) : undefined;
  const named = term.namespaces?.length || byLabels ? (term.namespaces ?? []) : [owner.metadata.namespace ?? ''];
  return {
    topologyKey: term.topologyKey,
    fits(pod) {
      const namespace = pod.metadata.namespace ?? '';
      if (!named.includes(namespace) && !byLabels?.matches(cluster.namespaceLabels(namespace))) return false;
      return selector?.matches(pod.metadata.labels ?? {}) ?? false;
    },
  };
}

/** `key=value` of the domains in which a pod that fits the term runs, with how many. */
function domainsWith(term: Term, cluster: Cluster): Map<string, number> {
  const domains = new Map<string, number>();
  for (const node of cluster.nodes) {
    const domain = node.labels[term.topologyKey];
    if (domain === undefined) continue;
    let n = 0;
    for (const pod of node.pods.values()) if (term.fits(pod)) n++;
    if (n > 0) domains.set(domain, (domains.get(domain) ?? 0) + n);
  }
  return domains;
}

/** Domains that pods which run already keep this pod out of. */
function forbiddenDomains(pod: Pod, cluster: Cluster): Set<string> {
  const out = new Set<string>();
  for (const node of cluster.nodes) {
    for (const existing of node.podsWithAffinity.values()) {
      for (const raw of existing.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const domain = node.labels[raw.topologyKey];
        if (domain !== undefined && termOf(raw, existing, cluster).fits(pod)) out.add(`${raw.topologyKey}=${domain}`);
      }
    }
  }
  return out;
}

/** Weights by domain: what this pod prefers of others, and what others prefer of (or must have near) it. */
function preferences(pod: Pod, cluster: Cluster): Map<string, number> {
  const out = new Map<string, number>();
  const add = (key: string, domain: string | undefined, weight: number): void => {
    if (domain !== undefined && weight !== 0) out.set(`${key}=${domain}`, (out.get(`${key}=${domain}`) ?? 0) + weight);
  };
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  for (const [preferred, sign] of [
    [podAffinity?.preferredDuringSchedulingIgnoredDuringExecution, 1],
    [podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution, -1],
  ] as const) {
    for (const { weight, podAffinityTerm } of preferred ?? []) {
      const term = termOf(podAffinityTerm, pod, cluster);
      for (const [domain, n] of domainsWith(term, cluster)) add(term.topologyKey, domain, sign * weight * n);
    }
  }
  for (const node of cluster.nodes) {
    for (const existing of node.podsWithAffinity.values()) {
      const theirs = existing.spec?.affinity;
      const weigh = (raw: PodAffinityTerm, weight: number): void => {
        if (termOf(raw, existing, cluster).fits(pod)) add(raw.topologyKey, node.labels[raw.topologyKey], weight);
      };
      for (const raw of theirs?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) weigh(raw, 1);
      for (const p of theirs?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) weigh(p.podAffinityTerm, p.weight);
      for (const p of theirs?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) weigh(p.podAffinityTerm, -p.weight);
    }
  }
  return out;
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity */
export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  weight: 2,
  scale: 'spread',
  prepare(pod, cluster) {
    const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
    const own = podAffinity !== undefined || podAntiAffinity !== undefined;
    if (!own && cluster.affinityPods === 0) return undefined;
    const terms = (raw: readonly PodAffinityTerm[] | undefined): Term[] => (raw ?? []).map((t) => termOf(t, pod, cluster));
    const wanted = terms(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution).map((term) => ({
      term,
      domains: domainsWith(term, cluster),
    }));
    const unwanted = terms(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution).map((term) => ({
      term,
      domains: domainsWith(term, cluster),
    }));
    // The first pod of a group that wants to be near itself may go anywhere.
    const isFirst = wanted.length > 0 && wanted.every(({ term, domains }) => domains.size === 0 && term.fits(pod));
    const forbidden = forbiddenDomains(pod, cluster);
    const weights = preferences(pod, cluster);
    const topologyKeys = new Set([...weights.keys()].map((k) => k.slice(0, k.indexOf('='))));
    const domainOf = (node: NodeInfo, term: Term): string | undefined => node.labels[term.topologyKey];
    return {
      filter(node) {
        for (const { term, domains } of wanted) {
          const domain = domainOf(node, term);
          if (domain === undefined || (!isFirst && !domains.has(domain))) return affinity;
        }
        for (const { term, domains } of unwanted) {
          const domain = domainOf(node, term);
          if (domain !== undefined && domains.has(domain)) return antiAffinity;
        }
        for (const key of forbidden) {
          const at = key.indexOf('=');
          if (node.labels[key.slice(0, at)] === key.slice(at + 1)) return existingAntiAffinity;
        }
        return undefined;
      },
      ...(weights.size > 0
        ? {
            score(node: NodeInfo): number {
              let sum = 0;
              for (const key of topologyKeys) sum += weights.get(`${key}=${node.labels[key]}`) ?? 0;
              return sum;
            },
          }
        : {}),
    };
  },
};
