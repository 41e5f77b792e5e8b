/**
 * Tells a node's neighbours where addresses of load balancers are, when that is here: news of Services, endpoints, nodes, links and of the other
 * speakers → who announces what (pure) → what this node answers for.
 */
import { objectKey } from '../api/object-key.ts';
import { endpointSlices, nodes, services } from '../api/resource-types.ts';
import type { EndpointSlice, Node, Service } from '../api/schema/types.ts';
import { labelServiceName } from '../api/well-known.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import type { Informer } from '../client/informer.ts';
import type { InformerSet } from '../client/informers.ts';
import type { Clock } from '../clock/clock.ts';
import { messageOf } from '../errors/known-error.ts';
import type { Log } from '../observability/log.ts';
import type { Announcer, AnnouncingLink } from './announcer.ts';
import { announcedAddresses, announcerOf, announcesBy, linksFor, mayAnnounce } from './choose.ts';
import { bindersOf, linkFor, type NodeLink } from './links.ts';
import type { RollCall } from './roll-call.ts';

export interface SpeakerOptions {
  readonly nodeName: string;
  readonly informers: InformerSet;
  readonly announcer: Announcer;
  readonly recorder: Pick<EventRecorder, 'event'>;
  /** Names of the links that count; all without. */
  readonly interfaces: readonly string[];
  readonly readLinks: () => Promise<NodeLink[]>;
  /** Makes the kernel answer ARP on these links only for addresses that are on them. */
  readonly quieten: (links: readonly string[]) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** News that comes together is looked at together. */
const gatherMs = 20;

export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #nodes: Informer<Node>;
  #rollCall: RollCall | undefined;
  #pending: { cancel(): void } | undefined;
  #last: Promise<void> = Promise.resolve();
  #isEnded = false;
  /** Of the last look, as what follows. */
  #candidates: ReadonlySet<string> = new Set();
  #said: ReadonlySet<string> = new Set();

  constructor(options: SpeakerOptions) {
    this.#options = options;
    const { informers } = options;
    this.#services = informers.of(services);
    this.#slices = informers.of(endpointSlices).addIndex('service', (slice) => [serviceOf(slice)]);
    this.#nodes = informers.of(nodes);
  }

  /** Begins when all copies are in. */
  async start(rollCall: RollCall): Promise<void> {
    this.#rollCall = rollCall;
    await Promise.all([this.#services.synced, this.#slices.synced, this.#nodes.synced]);
    const poke = (): void => this.poke();
    this.#nodes.on({ add: poke, update: poke, delete: poke });
    const ofService = (service: Service): void => (announcedAddresses(service).length > 0 ? poke() : undefined);
    this.#services.on({
      add: ofService,
      update: (service, previous) => {
        ofService(service);
        ofService(previous);
      },
      delete: ofService,
    });
    const ofSlice = (slice: EndpointSlice): void => {
      const service = this.#services.get(serviceOf(slice));
      if (service) ofService(service);
    };
    this.#slices.on({ add: ofSlice, update: ofSlice, delete: ofSlice });
  }

  /** Other nodes that run and may announce: of these a hello is to be expected. */
  expected(): string[] {
    const isReady = ({ status }: Node): boolean =>
      status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
    return this.#nodes
      .list()
      .flatMap((node) => (isReady(node) && mayAnnounce(node) && node.metadata.name !== this.#options.nodeName ? [node.metadata.name] : []));
  }

  /** Something has changed. */
  poke(): void {
    if (this.#isEnded) return;
    this.#pending ??= this.#options.clock.after(gatherMs, () => {
      this.#pending = undefined;
      this.#last = this.#last.then(() => this.#pass());
    });
  }

  /** Answers for nothing any more. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#pending?.cancel();
    this.#rollCall?.end();
    await this.#last;
    this.#options.announcer.set(new Map());
  }

  async #pass(): Promise<void> {
    try {
      await this.#announce();
    } catch (err) {
      if (!this.#isEnded) this.#options.log.error(`Cannot look after addresses: ${messageOf(err)}`, { err });
    }
  }

  async #announce(): Promise<void> {
    const { announcer, nodeName, recorder, readLinks } = this.#options;
    const announced = this.#services.list().filter((service) => announcedAddresses(service).length > 0);
    this.#rollCall?.setActive(announced.length > 0);
    const links = announced.length > 0 ? await readLinks() : [];
    if (this.#isEnded) return;
    this.#quieten(announced, links);
    const own = this.#chosen(announced);
    const wanted = new Map<string, AnnouncingLink>();
    const lacking = new Set<string>();
    for (const service of own)
      for (const ip of announcedAddresses(service)) {
        const link = this.#linkFor(ip, service, links);
        if (link) wanted.set(ip, link);
        else lacking.add(this.#lackOf(ip, service));
      }
    for (const text of lacking) if (!this.#said.has(text)) this.#options.log.warn(text);
    this.#said = lacking;
    const begun = new Set(announcer.set(wanted, this.#hasNewcomers()));
    for (const service of own)
      if (announcedAddresses(service).some((ip) => begun.has(ip)))
        recorder.event(service, 'Normal', 'nodeAssigned', `announcing from node "${nodeName}" with protocol "layer2"`);
  }

  /** Who was cut off from this node, or this one from it, has told its neighbours that what is announced here is there. */
  #hasNewcomers(): boolean {
    const before = this.#candidates;
    this.#candidates = new Set(this.#rollCall?.candidates);
    return [...this.#candidates].some((name) => !before.has(name));
  }

  /** Services whose addresses fall to this node. */
  #chosen(announced: readonly Service[]): Service[] {
    const open = (this.#rollCall?.candidates ?? []).filter((name) => {
      const node = this.#nodes.get(name);
      return node !== undefined && mayAnnounce(node);
    });
    const slicesOf = (service: Service): EndpointSlice[] => this.#slices.byIndex('service', objectKey(service));
    return announced.filter((service) => {
      const may = announcesBy(service);
      const able = open.filter((name) => may(this.#nodes.get(name)?.metadata.labels));
      return announcerOf(service, slicesOf(service), able) === this.#options.nodeName;
    });
  }

  #linkFor(ip: string, service: Service, links: readonly NodeLink[]): NodeLink | undefined {
    const { interfaces, nodeName } = this.#options;
    const names = linksFor(service, interfaces);
    return names && linkFor(ip, links, internalIps(this.#nodes.get(nodeName)), names);
  }

  /** What to say of an address that falls to this node, and for which it has no link. */
  #lackOf(ip: string, service: Service): string {
    const names = linksFor(service, this.#options.interfaces);
    const why = names?.length === 0 ? "has its network or the node's address" : `is one of ${names?.join(', ') ?? 'those that may'}`;
    return `Cannot announce "${ip}": no link of this node that is up ${why}`;
  }

  /** Proxies of modes ipvs and userspace give every node every address, and each would answer for it. */
  #quieten(announced: readonly Service[], links: readonly NodeLink[]): void {
    const loud = new Set<string>();
    for (const service of announced)
      for (const ip of announcedAddresses(service)) {
        const link = ip.includes(':') ? undefined : this.#linkFor(ip, service, links);
        if (link && bindersOf(ip, links).some(({ index }) => index !== link.index)) loud.add(link.name);
      }
    if (loud.size > 0) this.#options.quieten([...loud]);
  }
}

function serviceOf({ metadata }: EndpointSlice): string {
  return `${metadata.namespace ?? ''}/${metadata.labels?.[labelServiceName] ?? ''}`;
}

export function internalIps(node: Node | undefined): string[] {
  return (node?.status?.addresses ?? []).flatMap(({ type, address }) => (type === 'InternalIP' ? [address] : []));
}
