/**
 * Follows the first packet of a connection through glue, sets and virtual servers: a packet to an address of this kernel meets the balancer behind
 * filter INPUT, one of the node's own behind nat OUTPUT. Pure.
 */

import { joinHostPort } from '../../../ip/ip.ts';
import type { Ruleset } from '../../../linux/iptables/ruleset.ts';
import { type Flow, fateOf, Trace, type TraceOptions } from '../../../linux/iptables/trace.ts';
import { serverName } from '../../../linux/ipvs/ipvs.ts';
import { printServer } from '../../../linux/ipvs/print.ts';
import { stepsOf } from '../../../linux/trail.ts';
import type { Protocol } from '../../plan/service-plan.ts';
import type { Fate, FirstPacket, TraceStep } from '../view.ts';
import type { Balanced } from './render.ts';

export interface TracedKernel {
  readonly rules: Ruleset;
  readonly servers: ReadonlyMap<string, Balanced>;
  /** Addresses of the device. */
  readonly addresses: ReadonlySet<string>;
  readonly isInSet: (set: string, packet: FirstPacket, sides: string) => boolean;
}

interface Destination {
  readonly to: string;
  readonly port: number;
  readonly masqueraded: boolean;
}

/** A packet that went no further. */
class Ended extends Error {
  readonly fate: Fate;
  readonly flow: Flow;

  constructor(fate: Fate, flow: Flow) {
    super(fate.kind);
    this.fate = fate;
    this.flow = flow;
  }
}

export class IpvsTracer {
  readonly #kernel: TracedKernel;
  readonly #trace: Trace;
  readonly #locals: ReadonlySet<string>;
  /** Which real server a client of a virtual server with persistence got. */
  readonly #persistent = new Map<string, { readonly ip: string; readonly port: number }>();

  #onStep: ((step: TraceStep) => void) | undefined;
  #onWay: ((steps: readonly TraceStep[]) => void) | undefined;

  /** `onUnknown` is told of rules that are passed over, since they cannot be followed. */
  constructor(kernel: TracedKernel, nodeIps: readonly string[], onUnknown?: TraceOptions['onUnknown']) {
    this.#kernel = kernel;
    this.#locals = new Set([...nodeIps, ...kernel.addresses]);
    this.#trace = new Trace(kernel.rules, {
      nodeIps: [...this.#locals],
      isInSet: kernel.isInSet,
      onStep: (step) => this.#onStep?.(step),
      ...(onUnknown ? { onUnknown } : {}),
    });
  }

  trace(packet: FirstPacket, onStep?: (step: TraceStep) => void, onWay?: (steps: readonly TraceStep[]) => void): Fate {
    this.#onStep = onStep;
    this.#onWay = onWay;
    const start: Flow = { packet, mark: 0, translated: false, masqueraded: false };
    try {
      const isOwn = packet.interface === undefined;
      return { kind: 'passed', destinations: isOwn ? this.#own(start) : this.#incoming(start) };
    } catch (err) {
      if (!(err instanceof Ended)) throw err;
      this.#ends(err.flow);
      return err.fate;
    }
  }

  /** The rules of a hook, of which none makes a choice. */
  #hook(table: string, chain: string, flow: Flow): Flow {
    const { flows, end } = this.#trace.hook(table, chain, [flow]);
    if (end) throw new Ended(fateOf(end[1]), end[0]);
    return flows[0] ?? flow;
  }

  #ends(flow: Flow): Destination {
    this.#onWay?.(stepsOf(flow.trail));
    return destinationOf(flow);
  }

  #own(start: Flow): Destination[] {
    const flow = this.#hook('nat', 'OUTPUT', this.#hook('mangle', 'OUTPUT', start));
    const reals = this.#balance(flow);
    if (reals) return reals.map((real) => this.#leave(this.#hook('filter', 'OUTPUT', real)));
    const sent = this.#hook('filter', 'OUTPUT', flow);
    if (!this.#locals.has(sent.packet.to)) return [this.#leave(sent)];
    return this.#stay(this.#hook('filter', 'INPUT', sent));
  }

  #incoming(start: Flow): Destination[] {
    const flow = this.#hook('nat', 'PREROUTING', start);
    if (!this.#locals.has(flow.packet.to)) return [this.#leave(this.#hook('filter', 'FORWARD', flow))];
    const passed = this.#hook('filter', 'INPUT', flow);
    const reals = this.#balance(passed);
    if (!reals) return this.#stay(passed);
    // What is for the node itself is not sent on, so it keeps its source.
    return reals.map((real) => (this.#locals.has(real.packet.to) ? this.#ends(real) : this.#leave(this.#hook('filter', 'OUTPUT', real))));
  }

  #leave(flow: Flow): Destination {
    return this.#ends(this.#hook('nat', 'POSTROUTING', flow));
  }

  /** Nobody of the node listens where Services are: elsewhere somebody may. */
  #stay(flow: Flow): Destination[] {
    const { packet } = flow;
    const isServices = this.#kernel.addresses.has(packet.to) || this.#kernel.servers.has(nameOf(packet));
    if (isServices) throw new Ended({ kind: 'refused', with: packet.protocol === 'tcp' ? 'tcp reset' : 'icmp' }, flow);
    return [this.#ends(flow)];
  }

  /** All that may come of the choice; undefined where there is no virtual server. */
  #balance(flow: Flow): Flow[] | undefined {
    const { packet } = flow;
    const name = nameOf(packet);
    const server = this.#kernel.servers.get(name);
    if (!server || server.reals.size === 0) return undefined;
    const client = `${name} ${packet.from}`;
    const known = this.#persistent.get(client);
    const found = known ? [known] : [...server.reals.values()];
    const step = {
      place: 'ipvs',
      rule: printServer(server),
      found: found.map(({ ip, port }) => joinHostPort(ip, port)).join(', '),
      isUntold: true,
    } as const;
    this.#onStep?.(step);
    const trail = { step, before: flow.trail };
    const to = ({ ip, port }: { readonly ip: string; readonly port: number }): Flow => ({
      ...flow,
      trail,
      packet: { ...packet, to: ip, port },
    });
    if (known) return [to(known)];
    const [first] = server.reals.values();
    if (first && server.persistentSeconds !== undefined) this.#persistent.set(client, first);
    return found.map(to);
  }
}

function nameOf({ to, port, protocol }: FirstPacket): string {
  return serverName({ kind: 'address', ip: to, port, protocol: protocol as Protocol });
}

function destinationOf({ packet: { to, port }, masqueraded }: Flow): Destination {
  return { to, port, masqueraded };
}
