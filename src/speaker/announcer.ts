/**
 * Answers for addresses on links: ARP and neighbour discovery, as long as it is told to, and unasked when it begins, so that nobody goes on sending to
 * the node that did before.
 */
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import { familyOf } from '../ip/ip.ts';
import { formatMac } from '../linux/netlink/attribute.ts';
import type { FrameKind } from '../linux/packet-socket.ts';
import type { Log } from '../observability/log.ts';
import { arpReply, gratuitousArp, readArpRequest } from './arp.ts';
import { advertisement, readSolicitation, solicitedNodeGroup, unsolicitedAdvertisement } from './ndp.ts';

/** A link of this node on which others are. */
export interface AnnouncingLink {
  readonly index: number;
  readonly name: string;
  readonly mac: Uint8Array;
}

/** What the kernel does for it. */
export interface Wire {
  open(index: number, kind: FrameKind, onFrame: (frame: Buffer) => void): Disposable & { send(frame: Uint8Array): boolean };
  join(group: string, index: number): void;
  leave(group: string, index: number): void;
}

/** It says so again as often and at such distances: the first may get lost, and a switch that has just come up may not forward it. */
const repeats = 5;
const repeatMs = 1_000;
/** Who answers to another's claim lets it finish first. */
const answerMs = 100;

interface Announced {
  readonly link: AnnouncingLink;
  left: number;
  timer: { cancel(): void } | undefined;
}

type Socket = ReturnType<Wire['open']>;

export class Announcer {
  readonly #wire: Wire;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #announced = new Map<string, Announced>();
  readonly #sockets = new Map<string, Socket>();

  constructor(wire: Wire, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#wire = wire;
    this.#clock = clock;
    this.#log = log;
  }

  /** Answers for these from now on, and for no others. Gives those for which it did not before. `again`: also tells of those for which it did. */
  set(wanted: ReadonlyMap<string, AnnouncingLink>, again = false): string[] {
    for (const [ip, announced] of this.#announced)
      if (!isSame(wanted.get(ip), announced.link)) this.#end(ip);
      else if (again) this.#tellAnew(ip, announced, 0);
    const begun: string[] = [];
    for (const [ip, link] of wanted) if (!this.#announced.has(ip) && this.#begin(ip, link)) begun.push(ip);
    this.#closeUnused();
    return begun;
  }

  has(ip: string): boolean {
    return this.#announced.has(ip);
  }

  #begin(ip: string, link: AnnouncingLink): boolean {
    try {
      if (familyOf(ip) === 6) this.#wire.join(solicitedNodeGroup(ip), link.index);
      this.#socketOf(ip, link);
    } catch (err) {
      this.#log.error(`Cannot announce "${ip}" on link "${link.name}": ${messageOf(err)}`, { err });
      return false;
    }
    const announced: Announced = { link, left: repeats, timer: undefined };
    this.#announced.set(ip, announced);
    this.#tell(ip, announced);
    return true;
  }

  #end(ip: string): void {
    const announced = this.#announced.get(ip);
    announced?.timer?.cancel();
    this.#announced.delete(ip);
    if (announced && familyOf(ip) === 6) this.#wire.leave(solicitedNodeGroup(ip), announced.link.index);
  }

  /** Tells everybody where the address is, and again later. */
  #tell(ip: string, announced: Announced): void {
    const { link } = announced;
    const frames = familyOf(ip) === 4 ? gratuitousArp(link.mac, ip) : [unsolicitedAdvertisement(link.mac, ip)];
    for (const frame of frames) this.#sockets.get(keyOf(ip, link))?.send(frame);
    announced.left--;
    announced.timer = announced.left > 0 ? this.#clock.after(repeatMs, () => this.#tell(ip, announced)) : undefined;
  }

  #socketOf(ip: string, link: AnnouncingLink): Socket {
    const key = keyOf(ip, link);
    const present = this.#sockets.get(key);
    if (present) return present;
    const kind = kindOf(ip);
    const answer = kind === 'arp' ? (frame: Buffer) => this.#answerArp(frame, link) : (frame: Buffer) => this.#answerNdp(frame, link);
    const socket = this.#wire.open(link.index, kind, (frame) => {
      const reply = answer(frame);
      if (reply) socket.send(reply);
    });
    this.#sockets.set(key, socket);
    return socket;
  }

  #isOn(ip: string, { index }: AnnouncingLink): boolean {
    return this.#announced.get(ip)?.link.index === index;
  }

  #answerArp(frame: Buffer, link: AnnouncingLink): Buffer | undefined {
    const request = readArpRequest(frame);
    if (!request || !this.#isOn(request.targetIp, link)) return undefined;
    if (request.senderIp !== request.targetIp) return arpReply(link.mac, request);
    this.#claimed(request.targetIp, request.senderMac);
    return undefined;
  }

  #answerNdp(frame: Buffer, link: AnnouncingLink): Buffer | undefined {
    const solicitation = readSolicitation(frame);
    return solicitation && this.#isOn(solicitation.target, link) ? advertisement(link.mac, solicitation) : undefined;
  }

  /** Somebody else says that the address is there. Another speaker that is right will be heard of; until then, and otherwise, it is here. */
  #claimed(ip: string, mac: Uint8Array): void {
    const announced = this.#announced.get(ip);
    if (!announced) return;
    this.#log.warn(`"${ip}" is announced here, and ${formatMac(mac)} claims it`);
    this.#tellAnew(ip, announced, answerMs);
  }

  #tellAnew(ip: string, announced: Announced, afterMs: number): void {
    announced.timer?.cancel();
    announced.left = repeats;
    announced.timer = this.#clock.after(afterMs, () => this.#tell(ip, announced));
  }

  #closeUnused(): void {
    const used = new Set([...this.#announced].map(([ip, { link }]) => keyOf(ip, link)));
    for (const [key, socket] of this.#sockets) {
      if (used.has(key)) continue;
      socket[Symbol.dispose]();
      this.#sockets.delete(key);
    }
  }
}

function kindOf(ip: string): FrameKind {
  return familyOf(ip) === 4 ? 'arp' : 'ndp';
}

function keyOf(ip: string, { index }: AnnouncingLink): string {
  return `${index} ${kindOf(ip)}`;
}

function isSame(a: AnnouncingLink | undefined, b: AnnouncingLink): boolean {
  return a !== undefined && a.index === b.index && Buffer.compare(a.mac, b.mac) === 0;
}
