/** A packet that was really sent, beside its predicted way: where the two part for the first time. Pure. */
import { joinHostPort } from '../../ip/ip.ts';
import type { TracedHeader } from '../../linux/nftables/trace-event.ts';
import type { Fate, FirstPacket, TraceStep } from '../mode/view.ts';

/** A rule that the kernel told of. */
export interface SeenStep extends TraceStep {
  /** Whether it took the packet away. */
  readonly drops: boolean;
  /** A rule that is none of the mode's: of a firewall, for example. */
  readonly isOther: boolean;
}

/** What came back: SYN and ACK, for example, or a reset or ICMP error. */
export type Answer = 'answered' | 'refused' | 'silent';

export interface Live {
  readonly steps: readonly SeenStep[];
  /** How the packet went on behind all rules; undefined when it did not. */
  readonly end?: {
    readonly header: TracedHeader;
    /** The interface by which it left; undefined where it stayed on the node. */
    readonly by?: string;
  };
  /** What the kernel tracks the connection as: by whom it is answered, and to whom. */
  readonly tracked?: { readonly by: string; readonly to: string };
  readonly answer: Answer;
  /** Why the kernel does not tell of the mode's rules. */
  readonly untold?: string;
}

/** A step of both, of the prediction alone, of the kernel alone, or of rules that are none of the mode's. */
export interface ComparedStep {
  readonly seen: 'both' | 'predicted' | 'real' | 'other';
  readonly step: TraceStep;
}

export interface Comparison {
  readonly steps: readonly ComparedStep[];
  /** The first difference, as a sentence; undefined when there is none. */
  readonly difference: string | undefined;
}

const isSame = (a: TraceStep, b: TraceStep): boolean => a.place === b.place && a.rule === b.rule;
const named = ({ place, rule }: TraceStep): string => `"${place} ${rule}"`;

/** How many of its steps the kernel told of in this order, from the first on. */
function sharedSteps(way: readonly TraceStep[], seen: readonly TraceStep[]): number {
  const told = way.filter(({ isUntold }) => !isUntold);
  const parts = told.findIndex((step, i) => !isSame(step, seen[i] ?? { place: '', rule: '' }));
  return parts < 0 ? told.length : parts;
}

/** The way that the kernel followed for the longest; of several the one that ends soonest after. */
function nearestWay(ways: readonly (readonly TraceStep[])[], seen: readonly TraceStep[]): readonly TraceStep[] {
  const ranked = ways.map((way) => ({ way, shared: sharedSteps(way, seen) }));
  ranked.sort((a, b) => b.shared - a.shared || a.way.length - b.way.length);
  return ranked[0]?.way ?? [];
}

/** The steps of both in one list, as far as they agree, and then what each has alone. */
function merged(way: readonly TraceStep[], seen: readonly SeenStep[]): ComparedStep[] {
  const own = seen.filter(({ isOther }) => !isOther);
  let shared = sharedSteps(way, own);
  const steps: ComparedStep[] = [];
  const waiting = [...way];
  const predicted = (until: (step: TraceStep) => boolean): void => {
    while (waiting[0] && until(waiting[0])) steps.push({ seen: 'predicted', step: waiting.shift() as TraceStep });
  };
  for (const { drops: _, isOther, ...step } of seen) {
    if (isOther) steps.push({ seen: 'other', step });
    else if (shared > 0) {
      predicted(({ isUntold }) => isUntold === true);
      // What a map gave is known to the prediction alone.
      steps.push({ seen: 'both', step: { ...step, ...waiting.shift() } });
      shared--;
    } else steps.push({ seen: 'real', step });
  }
  const real = steps.findIndex(({ seen: by }) => by === 'real');
  const behind = real < 0 ? [] : steps.splice(real);
  predicted(() => true);
  return [...steps, ...behind];
}

function ruleDifference(steps: readonly ComparedStep[], { steps: seen }: Live): string | undefined {
  const stopped = seen.find(({ drops, isOther }) => drops && isOther);
  if (stopped) return `${named(stopped)} dropped it, which is no rule of this mode`;
  const predicted = steps.find((one) => one.seen === 'predicted' && !one.step.isUntold)?.step;
  const at = steps.findIndex((one) => one.seen === 'real');
  const real = steps[at]?.step;
  if (!predicted && !real) return undefined;
  const other = (at < 0 ? steps : steps.slice(0, at)).findLast((one) => one.seen === 'other')?.step;
  const behind = other ? `, behind ${named(other)}, which is no rule of this mode` : '';
  if (!predicted) return `the kernel applied ${named(real as TraceStep)}, which was not predicted${behind}`;
  return `${named(predicted)} was predicted, and the kernel ${real ? `applied ${named(real)}` : 'did not apply it'}${behind}`;
}

const endName = ({ to, port }: { readonly to: string; readonly port: number }): string => joinHostPort(to, port);

function passedDifference(fate: Fate & { kind: 'passed' }, packet: FirstPacket, { end }: Live): string | undefined {
  if (!end)
    return 'it was to go on, and did not come out behind the rules: the kernel itself stopped it (a route that is missing, rp_filter, another hook)';
  const { header } = end;
  const there = fate.destinations.filter((one) => endName(one) === endName(header));
  if (there.length === 0) return `it was to reach ${fate.destinations.map(endName).join(' or ')}, and went to ${endName(header)}`;
  const isMasqueraded = header.from !== packet.from;
  // What the node sends may bear its own address either way.
  if (packet.interface === undefined || there.some(({ masqueraded }) => masqueraded === isMasqueraded)) return undefined;
  return isMasqueraded
    ? `it was to keep its source, and went on from ${header.from}`
    : `it was to be masqueraded, and went on from ${header.from}`;
}

function fateDifference(fate: Fate, packet: FirstPacket, live: Live): string | undefined {
  if (fate.kind === 'passed') return passedDifference(fate, packet, live);
  // What nobody of the node takes, the node itself refuses.
  const went = live.end?.by === undefined ? undefined : `went to ${endName(live.end.header)}`;
  if (fate.kind === 'dropped')
    return went || live.answer !== 'silent' ? `it was to be dropped, and ${went ?? `was ${live.answer}`}` : undefined;
  if (went) return `it was to be refused, and ${went}`;
  return live.answer === 'refused'
    ? undefined
    : `it was to be refused, and ${live.answer === 'silent' ? 'no refusal came back' : 'was answered'}`;
}

/** `ways` are those that the packet may take by the rules. */
export function compareLive(ways: readonly (readonly TraceStep[])[], fate: Fate, packet: FirstPacket, live: Live): Comparison {
  const isTold = live.untold === undefined;
  const way = nearestWay(
    ways,
    live.steps.filter(({ isOther }) => !isOther),
  );
  const steps = isTold
    ? merged(way, live.steps)
    : [...way.map((step) => ({ seen: 'predicted', step }) as const), ...merged([], live.steps)];
  const ofRules = isTold
    ? ruleDifference(steps, live)
    : ruleDifference(
        steps.filter(({ seen }) => seen !== 'predicted'),
        live,
      );
  return { steps, difference: ofRules ?? fateDifference(fate, packet, live) };
}
