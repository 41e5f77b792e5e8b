/** What a mode shows to people of its rules, and the way of a packet through them. */

/** The first packet of a connection. */
export interface FirstPacket {
  readonly from: string;
  readonly sourcePort: number;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  /** The interface it came in by; absent when the node itself sends it. */
  readonly interface?: string;
}

/** Refused by a TCP reset, or by ICMP, of which a kernel sends few. */
export type Refusal = 'tcp reset' | 'icmp';

/** What becomes of it. Where rules choose, `destinations` has every choice. */
export type Fate =
  | {
      readonly kind: 'passed';
      readonly destinations: readonly { readonly to: string; readonly port: number; readonly masqueraded: boolean }[];
    }
  | { readonly kind: 'refused'; readonly with: Refusal }
  | { readonly kind: 'dropped' };

/** A rule that a packet met and that said something to it. */
export interface TraceStep {
  /** Where the rule stands: `services`, or `nat KUBE-SERVICES`. */
  readonly place: string;
  readonly rule: string;
  /** What it did: `goto lb-3`, `to 10.244.1.2:8080`. */
  readonly does: string;
}

/** Follows a packet; of a connection that is remembered, as with affinity, the next packet is another. */
export type Tracer = (packet: FirstPacket, onStep?: (step: TraceStep) => void) => Fate;

/** What a node's kernel is to hold. */
export interface Rendered {
  /** As the mode's own tool writes it. */
  readonly text: string;
  /** A trace that remembers, as a kernel does, which endpoint a client got. `nodeIps` are the node's addresses, loopback included. */
  tracer(nodeIps: readonly string[]): Tracer;
}
