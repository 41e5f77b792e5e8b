/** Pods near others or apart from them, in the domains of a label. */
import type { Affinity, Pod, PodAffinity, PodAffinityTerm } from '../../api/schema/types.ts';
import { labelSelectorOf, type Selector } from '../../api/selector/label.ts';
import type { Cluster } from '../cluster.ts';
import type { NodeInfo } from '../node-info.ts';
import type { Difference, Plugin, Reason } from '../plugin.ts';

const unlikeAffinity = ["node(s) didn't match pod affinity rules"];
const unlikeAntiAffinity = ["node(s) didn't match pod anti-affinity rules"];
const unlikeExisting = ["node(s) didn't satisfy existing pods anti-affinity rules"];

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

/** Domains (`key=value`) that a pod on the node keeps this pod out of. */
function forbiddenBy(existing: Pod, node: NodeInfo, pod: Pod, cluster: Cluster): string[] {
  const terms = existing.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return terms.flatMap((raw) => {
    const domain = node.labels[raw.topologyKey];
    return domain !== undefined && termOf(raw, existing, cluster).fits(pod) ? [`${raw.topologyKey}=${domain}`] : [];
  });
}

/** Domains that pods which run already keep this pod out of, with how many do. */
function forbiddenDomains(pod: Pod, cluster: Cluster): ReadonlyMap<string, number> {
  const out = new Map<string, number>();
  for (const node of cluster.nodes)
    for (const existing of node.podsWithAffinity.values())
      for (const domain of forbiddenBy(existing, node, pod, cluster)) out.set(domain, (out.get(domain) ?? 0) + 1);
  return out;
}

/** Adds up weights by domain (`key=value`). */
class Weights {
  readonly #byDomain = new Map<string, number>();

  add(key: string, value: string | undefined, weight: number): void {
    if (value === undefined || weight === 0) return;
    const domain = `${key}=${value}`;
    this.#byDomain.set(domain, (this.#byDomain.get(domain) ?? 0) + weight);
  }

  /** The sum for a node; undefined when there are no weights, and every node is as good as another. */
  scorer(): ((node: NodeInfo) => number) | undefined {
    if (this.#byDomain.size === 0) return undefined;
    const topologyKeys = new Set([...this.#byDomain.keys()].map((domain) => domain.slice(0, domain.indexOf('='))));
    return (node) => {
      let sum = 0;
      for (const key of topologyKeys) sum += this.#byDomain.get(`${key}=${node.labels[key]}`) ?? 0;
      return sum;
    };
  }
}

interface WeightedTerm {
  readonly raw: PodAffinityTerm;
  readonly weight: number;
}

/** Terms that a pod prefers to fulfil, weighted: those of anti-affinity count against. */
function preferredTerms(pod: Pod): WeightedTerm[] {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const weighted = (affinity: PodAffinity | undefined, sign: number): WeightedTerm[] =>
    (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((p) => ({ raw: p.podAffinityTerm, weight: sign * p.weight }));
  return [...weighted(podAffinity, 1), ...weighted(podAntiAffinity, -1)];
}

/** What pods that run prefer of those that come, or must have near them: asked for each that comes, so put together once. */
class TermsOnOthers {
  readonly #requiredWeight: number;
  readonly #known = new WeakMap<Affinity, readonly WeightedTerm[]>();

  constructor(requiredWeight: number) {
    this.#requiredWeight = requiredWeight;
  }

  of(pod: Pod): readonly WeightedTerm[] {
    const affinity = pod.spec?.affinity;
    if (!affinity) return [];
    let terms = this.#known.get(affinity);
    if (!terms) {
      const required = affinity.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      terms = [...required.map((raw) => ({ raw, weight: this.#requiredWeight })), ...preferredTerms(pod)];
      this.#known.set(affinity, terms);
    }
    return terms;
  }
}

/** What this pod prefers of others, and what others prefer of (or must have near) it. */
function preferences(own: readonly WeightedTerm[], pod: Pod, cluster: Cluster, onOthers: TermsOnOthers): Weights {
  const weights = new Weights();
  for (const { raw, weight } of own) {
    const term = termOf(raw, pod, cluster);
    for (const [domain, n] of domainsWith(term, cluster)) weights.add(term.topologyKey, domain, weight * n);
  }
  for (const node of cluster.nodes)
    for (const existing of node.podsWithAffinity.values())
      for (const { raw, weight } of onOthers.of(existing))
        if (termOf(raw, existing, cluster).fits(pod)) weights.add(raw.topologyKey, node.labels[raw.topologyKey], weight);
  return weights;
}

/** A term with the domains in which pods that fit it run, and how many do. */
interface Placed extends Term {
  readonly domains: ReadonlyMap<string, number>;
}

function placed(raw: readonly PodAffinityTerm[] = [], pod: Pod, cluster: Cluster): Placed[] {
  return raw.map((t) => termOf(t, pod, cluster)).map((term) => ({ ...term, domains: domainsWith(term, cluster) }));
}

/** How many more pods that fit the term are on a node. */
function more({ fits }: Term, { gone, come }: Difference): number {
  return come.filter(fits).length - gone.filter(fits).length;
}

/** What is required: of the pods near a node by the one that comes, and by those of it. */
class Required {
  readonly #pod: Pod;
  readonly #cluster: Cluster;
  readonly #near: readonly Placed[];
  readonly #apart: readonly Placed[];
  readonly #forbidden: ReadonlyMap<string, number>;

  constructor(pod: Pod, cluster: Cluster) {
    const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
    this.#pod = pod;
    this.#cluster = cluster;
    this.#near = placed(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution, pod, cluster);
    this.#apart = placed(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution, pod, cluster);
    this.#forbidden = forbiddenDomains(pod, cluster);
  }

  against(node: NodeInfo, difference: Difference): readonly Reason[] | undefined {
    if (!this.#isNear(node, difference)) return unlikeAffinity;
    if (this.#apart.some((term) => near(term, node, difference) > 0)) return unlikeAntiAffinity;
    return this.#isForbidden(node, difference) ? unlikeExisting : undefined;
  }

  #isNear(node: NodeInfo, difference: Difference): boolean {
    if (this.#near.every((term) => near(term, node, difference) > 0)) return true;
    // The first pod of a group that wants to be near itself may go anywhere.
    return this.#near.every((term) => {
      const isAlone =
        term.domains.size === 0 || (term.domains.size === 1 && near(term, node, difference) === 0 && near(term, node, none) > 0);
      return isAlone && term.fits(this.#pod) && node.labels[term.topologyKey] !== undefined;
    });
  }

  #isForbidden(node: NodeInfo, { gone, come }: Difference): boolean {
    const by = (pods: readonly Pod[]): string[] => pods.flatMap((existing) => forbiddenBy(existing, node, this.#pod, this.#cluster));
    if (by(come).length > 0) return true;
    const without = by(gone);
    for (const [domain, n] of this.#forbidden) {
      const at = domain.indexOf('=');
      const isHere = node.labels[domain.slice(0, at)] === domain.slice(at + 1);
      if (isHere && n > without.filter((one) => one === domain).length) return true;
    }
    return false;
  }
}

const none: Difference = { gone: [], come: [] };

/** How many pods that fit the term are in the node's domain. */
function near(term: Placed, node: NodeInfo, difference: Difference): number {
  const domain = node.labels[term.topologyKey];
  return domain === undefined ? 0 : (term.domains.get(domain) ?? 0) + more(term, difference);
}

export interface InterPodAffinityOptions {
  /** What it counts to be near a pod that must have such a one near it. */
  readonly hardPodAffinityWeight?: number;
  /** What others prefer counts only for a pod that prefers something itself. */
  readonly ignorePreferredTermsOfExistingPods?: boolean;
}

/** https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity */
export function interPodAffinityWith({
  hardPodAffinityWeight = 1,
  ignorePreferredTermsOfExistingPods = false,
}: InterPodAffinityOptions = {}): Plugin {
  const onOthers = new TermsOnOthers(hardPodAffinityWeight);
  return {
    name: 'InterPodAffinity',
    scoring: { weight: 2, scale: 'spread' },
    prepare(pod, cluster) {
      const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
      if (!podAffinity && !podAntiAffinity && cluster.affinityPods === 0) return undefined;
      const required = new Required(pod, cluster);
      const own = preferredTerms(pod);
      const scores = own.length > 0 || !ignorePreferredTermsOfExistingPods;
      const score = scores ? preferences(own, pod, cluster, onOthers).scorer() : undefined;
      return {
        filter: (node, difference) => required.against(node, difference),
        // No pod that goes brings one that is wanted.
        yields: (node) => required.against(node, none) !== unlikeAffinity,
        ...(score ? { score } : {}),
      };
    },
  };
}

export const interPodAffinity: Plugin = interPodAffinityWith();
