/**
 * A Service that comes to thousands of chains at once. The tools take seconds for them: they are written part by part, with changes of others between these, and
 * then led to in one change. Until then the Service is served as it was before. Pure.
 */
import type { RuleEdit } from '../../../linux/iptables/section.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import type { Part } from './changes.ts';
import { inParts, metAtOnce, type OwnChains } from './own-chains.ts';
import type { ServiceRules } from './render-service.ts';

/** So many chains that come at once are written in one go: some tenths of a second. */
const manyChains = 2000;

function* newChains(before: ServiceRules, after: ServiceRules): Generator<string> {
  for (const name of after.chains.keys()) if (!before.chains.has(name)) yield name;
}

const usesUdp = ({ ports }: ServicePlan): boolean => ports.some(({ protocol }) => protocol === 'udp');

/** Whether to write it part by part. Flows of UDP are cleaned up after a change: where some are served already it is one. */
export function isFilledLater(plan: ServicePlan, before: ServiceRules, after: ServiceRules): boolean {
  if (after.chains.size <= manyChains || (usesUdp(plan) && before.chains.size > 0)) return false;
  return [...newChains(before, after)].length > manyChains;
}

/** Whether a plan is still one of so many endpoints, roughly. */
export function isLarge(plan: ServicePlan | undefined): plan is ServicePlan {
  return (plan?.ports ?? []).reduce((sum, { cluster, local }) => sum + Math.max(cluster.length, local.length), 0) > manyChains;
}

/** How a Service that was not there is served until its chains are there. A packet that nothing drops would be tracked, and go nowhere for as long as its client tries. */
export function waiting(plan: ServicePlan): ServicePlan {
  const ports = plan.ports.map((port) => {
    const frontends = port.frontends.map((frontend) => ({ ...frontend, inside: 'drop', outside: 'drop' }) as const);
    return { ...port, frontends, cluster: [], local: [] };
  });
  return { ...plan, ports };
}

function edited(rules: readonly string[], edits: readonly RuleEdit[]): string[] {
  const after = [...rules];
  for (const edit of edits) after.splice(edit.at - 1, edit.kind === 'insert' ? 0 : 1, ...(edit.kind === 'remove' ? [] : [edit.rule]));
  return after;
}

export class Filling {
  /** What serves it until then. */
  readonly meanwhile: ServiceRules;
  readonly #chains: Map<string, readonly string[]>;
  readonly #parts: Iterator<Part>;
  #isDone = false;

  constructor(meanwhile: ServiceRules, { chains }: ServiceRules) {
    this.meanwhile = meanwhile;
    this.#chains = new Map(meanwhile.chains);
    const held = (name: string): readonly string[] | undefined => meanwhile.chains.get(name);
    const differing = new Map([...chains].filter(([name, rules]) => held(name)?.join('\n') !== rules.join('\n')));
    const own: OwnChains = { chains: differing, wanted: chains, held, isSame: (a, b) => a === b };
    // Those come with what leads to the others.
    for (const name of new Set(metAtOnce(own))) differing.delete(name);
    this.#parts = inParts([own]);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** What the kernel has of it. */
  get held(): ServiceRules {
    return { chains: this.#chains, shared: this.meanwhile.shared };
  }

  /** The next parts, to be written one after the other. */
  take(count: number): Part[] {
    const parts: Part[] = [];
    while (parts.length < count && !this.#isDone) {
      const next = this.#parts.next();
      if (next.done) this.#isDone = true;
      else parts.push(next.value);
    }
    return parts;
  }

  wrote({ fill, append, edit }: Part): void {
    for (const [name, rules] of fill ?? []) this.#chains.set(name, rules);
    for (const [name, rules] of append ?? []) this.#chains.set(name, [...(this.#chains.get(name) ?? []), ...rules]);
    for (const [name, edits] of edit ?? []) this.#chains.set(name, edited(this.#chains.get(name) ?? [], edits));
  }
}
