/** The way of a packet, as lines for people. Pure. */
import { joinHostPort } from '../../ip/ip.ts';
import type { Fate, FirstPacket, TraceStep } from '../mode/view.ts';

/** Each rule once: of many endpoints each meets the rules behind the choice. */
export function distinctSteps(steps: readonly TraceStep[]): TraceStep[] {
  return [...new Map(steps.map((step) => [JSON.stringify(step), step] as const)).values()];
}

export function fateText(fate: Fate, packet: FirstPacket): string {
  if (fate.kind === 'dropped') return 'Dropped: the client waits until it gives up';
  if (fate.kind === 'refused') return `Refused, by ${fate.with === 'icmp' ? 'ICMP' : 'a TCP reset'}`;
  const [first, ...others] = fate.destinations;
  if (first?.to === packet.to && first.port === packet.port && others.length === 0)
    return 'Goes on as it is: no rule sends it to an endpoint';
  const of = (isMasqueraded: boolean): string[] =>
    fate.destinations.filter(({ masqueraded }) => masqueraded === isMasqueraded).map(({ to, port }) => joinHostPort(to, port));
  const part = (ends: readonly string[], as: string): string[] => (ends.length > 0 ? [`Reaches ${ends.join(' or ')} ${as}`] : []);
  return [...part(of(false), `from ${packet.from}`), ...part(of(true), "from the node's address")].join('\n');
}

export function traceText(packet: FirstPacket, steps: readonly TraceStep[], fate: Fate): string {
  const lines = stepLines(distinctSteps(steps).map((step) => ({ mark: '', step })));
  return `${[packetText(packet), '', ...lines, '', fateText(fate, packet)].join('\n')}\n`;
}

export function packetText(packet: FirstPacket): string {
  const via = packet.interface === undefined ? 'sent by the node itself' : `coming in by ${packet.interface}`;
  return `${packet.protocol} ${joinHostPort(packet.from, packet.sourcePort)} to ${joinHostPort(packet.to, packet.port)}, ${via}`;
}

/** Places one below the other, and what a map gave on a line of its own. */
export function stepLines(steps: readonly { readonly mark: string; readonly step: TraceStep }[]): string[] {
  const width = Math.max(0, ...steps.map(({ step }) => step.place.length));
  return steps.flatMap(({ mark, step: { place, rule, found } }) => [
    `${mark}${place.padEnd(width)}  ${rule}`,
    ...(found === undefined ? [] : [`${' '.repeat(mark.length + width)}    → ${found}`]),
  ]);
}
