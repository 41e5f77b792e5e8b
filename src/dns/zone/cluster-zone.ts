/** Every name of the cluster, ready to send. Fed with whole Services, changed by increments; answering is one map look-up. */
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { parseIp } from '../../ip/ip.ts';
import { isWithin, RCODE, TYPE } from '../message/names.ts';
import { addressRecord, nameRecord, soaRecord, srvRecord, txtRecord } from '../message/records.ts';
import type { Reply } from '../message/reply.ts';
import { type NameData, type ServiceNames, type SrvTarget, serviceNames } from './service-names.ts';

/** `1.1.0` is the version of the specification that is followed. */
const specification = '1.1.0';
/** A day's part, as CoreDNS says it: the version of a server outlives its records. */
const specificationTtl = 28_800;
/** Where SOA records say the zone is served. */
const defaultNs = 'ns.dns';
const versionName = 'dns-version';
const fixedLevels: ReadonlySet<string> = new Set(['svc', 'pod', 'dns']);
const none: readonly Uint8Array[] = [];

export type ZoneAnswer =
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** The name belongs to another; `record` leads there. */
  | { readonly kind: 'cname'; readonly target: string; readonly record: Uint8Array };

interface Entry {
  readonly data: NameData;
  /** By type; filled when first asked for. */
  replies: Map<number, Reply> | undefined;
  /** Moves on with each answer, so that clients which take the first address spread. */
  turn: number;
}

export interface ZoneOptions {
  readonly ttl: number;
  /** The time of the last change in seconds. */
  readonly serial: number;
  /** Addresses of this server: the Services behind which it stands are the zone's name servers. */
  readonly serverIps?: readonly string[];
}

export class ClusterZone {
  readonly origin: string;
  readonly #ttl: number;
  readonly #serverIps: readonly string[];
  readonly #entries = new Map<string, Entry>();
  /** Names that have no records but names below them, with how many. */
  readonly #inner = new Map<string, number>();
  /** Address → the Services that name it. */
  readonly #pointers = new Map<string, string[]>();
  readonly #services = new Map<string, ServiceNames>();
  readonly #namespaces = new Set<string>();
  #serial: number;
  /** By code; of the zone in its own spelling. */
  readonly #negatives = new Map<number, Reply>();

  /** `origin` such as `cluster.local`. */
  constructor(origin: string, options: ZoneOptions) {
    this.origin = origin.toLowerCase();
    this.#ttl = options.ttl;
    this.#serial = options.serial;
    this.#serverIps = options.serverIps ?? [];
  }

  get size(): number {
    return this.#entries.size;
  }

  setNamespace(name: string, there: boolean): void {
    if (there) this.#namespaces.add(name);
    else this.#namespaces.delete(name);
  }

  /** `service` undefined takes the names away. `serial` is the time of the change in seconds. */
  setService(key: string, service: Service | undefined, slices: readonly EndpointSlice[], serial: number): void {
    const before = this.#services.get(key);
    const after = service ? serviceNames(service, slices) : undefined;
    for (const name of before?.names.keys() ?? []) if (!after?.names.has(name)) this.#remove(name);
    for (const [name, data] of after?.names ?? []) this.#set(name, data);
    for (const ip of before?.pointers.keys() ?? []) this.#unpoint(ip, key);
    for (const ip of after?.pointers.keys() ?? []) this.#pointers.set(ip, [...(this.#pointers.get(ip) ?? []), key]);
    if (after) this.#services.set(key, after);
    else this.#services.delete(key);
    this.#serial = serial;
    this.#negatives.clear();
  }

  #unpoint(ip: string, key: string): void {
    const others = (this.#pointers.get(ip) ?? []).filter((k) => k !== key);
    if (others.length > 0) this.#pointers.set(ip, others);
    else this.#pointers.delete(ip);
  }

  #set(name: string, data: NameData): void {
    const known = this.#entries.has(name);
    this.#entries.set(name, { data, replies: undefined, turn: 0 });
    if (!known) this.#countAbove(name, 1);
  }

  #remove(name: string): void {
    if (this.#entries.delete(name)) this.#countAbove(name, -1);
  }

  #countAbove(name: string, by: 1 | -1): void {
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const above = name.slice(dot + 1);
      const n = (this.#inner.get(above) ?? 0) + by;
      if (n > 0) this.#inner.set(above, n);
      else this.#inner.delete(above);
    }
  }

  /** Whether a name is this zone's to answer. */
  holds(name: string): boolean {
    return isWithin(name, this.origin);
  }

  /** `name` in lower case, held by the zone. `origin` is the zone's name as the question spells it: names of the answer end in that. */
  answer(name: string, type: number, origin: string = this.origin): ZoneAnswer {
    const relative = name.length === this.origin.length ? '' : name.slice(0, -this.origin.length - 1);
    const entry = this.#entries.get(relative);
    if (entry) {
      if (entry.data.cname !== undefined)
        return { kind: 'cname', target: entry.data.cname, record: nameRecord(undefined, 'CNAME', this.#ttl, entry.data.cname) };
      return { kind: 'reply', reply: this.#fromEntry(entry, type, origin) };
    }
    return { kind: 'reply', reply: this.#special(relative, type, origin) };
  }

  #fromEntry(entry: Entry, type: number, origin: string): Reply {
    // Another spelling of the zone is rendered for itself: whoever mixes capitals never asks twice alike.
    const isKept = origin === this.origin;
    let reply = isKept ? entry.replies?.get(type) : undefined;
    if (!reply) {
      reply = this.#render(entry.data, type, origin);
      // A negative answer carries the serial of now, so it is not kept with the name.
      if (isKept && reply.answers.length > 0) entry.replies = (entry.replies ?? new Map<number, Reply>()).set(type, reply);
    }
    const n = reply.answers.length;
    if (n < 2) return reply;
    entry.turn = (entry.turn + 1) % n;
    return { ...reply, answers: [...reply.answers.slice(entry.turn), ...reply.answers.slice(0, entry.turn)] };
  }

  #render(data: NameData, type: number, origin: string): Reply {
    const { ips = [], srv = [] } = data;
    if (type === TYPE.A || type === TYPE.AAAA) {
      const fitting = ips.filter((ip) => ip.includes(':') === (type === TYPE.AAAA));
      if (fitting.length > 0) return found(fitting.map((ip) => addressRecord(undefined, this.#ttl, ip)));
    }
    if (type === TYPE.SRV && srv.length > 0) {
      const answers = srv.map((s) => srvRecord(this.#ttl, { weight: this.#weight(srv), port: s.port, target: `${s.target}.${origin}` }));
      const targets = srv.map((s) => s.target);
      return { ...found(answers), additional: this.#addresses(targets, origin) };
    }
    return this.#noData(origin);
  }

  /** As CoreDNS: a hundred shared by every address of every target, so that two families of one target count as two. */
  #weight(srv: readonly SrvTarget[]): number {
    let addresses = 0;
    for (const { target } of srv) addresses += Math.max(this.#entries.get(target)?.data.ips?.length ?? 0, 1);
    return Math.max(Math.floor(100 / addresses), 1);
  }

  /** Names that belong to no Service. */
  #special(relative: string, type: number, origin: string): Reply {
    if (relative === '') return this.#apex(type, origin);
    if (relative === defaultNs) return this.#defaultNameServer(type, origin);
    if (relative === versionName) return type === TYPE.TXT ? found([txtRecord(specificationTtl, specification)]) : this.#noData(origin);
    if (this.#isLevel(relative)) return this.#noData(origin);
    const [label = '', namespace = '', ...rest] = relative.split('.');
    if (rest.length === 1 && rest[0] === 'pod' && this.#namespaces.has(namespace)) return this.#podName(label, type, origin);
    return this.#noName(origin);
  }

  #apex(type: number, origin: string): Reply {
    if (type === TYPE.SOA) return found([this.#soa(origin, origin)]);
    return type === TYPE.NS ? this.#nameServers(origin) : this.#noData(origin);
  }

  /** A name without records that has names below it, or may get some. */
  #isLevel(relative: string): boolean {
    if (fixedLevels.has(relative) || this.#inner.has(relative)) return true;
    const [namespace = '', kind = '', ...rest] = relative.split('.');
    return rest.length === 0 && (kind === 'svc' || kind === 'pod') && this.#namespaces.has(namespace);
  }

  /** `10-244-1-5.default.pod`: answered for any address, as `pods insecure` does. */
  #podName(label: string, type: number, origin: string): Reply {
    const ip = parseIp(label.replaceAll('-', '.')) ?? parseIp(label.replaceAll('-', ':'));
    if (ip === undefined) return this.#noName(origin);
    const wanted = ip.includes(':') ? TYPE.AAAA : TYPE.A;
    return type === wanted ? found([addressRecord(undefined, this.#ttl, ip)]) : this.#noData(origin);
  }

  /** Addresses of names of the zone, for the additional section. */
  #addresses(names: readonly string[], origin: string): Uint8Array[] {
    return [...new Set(names)].flatMap((name) =>
      (this.#entries.get(name)?.data.ips ?? []).map((ip) => addressRecord(`${name}.${origin}`, this.#ttl, ip)),
    );
  }

  /** The Services of port 53 that lead to this server. */
  #ownServices(): string[] {
    const keys = new Set(this.#serverIps.flatMap((ip) => this.#pointers.get(ip) ?? []));
    return [...keys]
      .map((key) => this.#services.get(key)?.base ?? '')
      .filter((base) => this.#entries.get(base)?.data.srv?.some((s) => s.port === 53));
  }

  #nameServers(origin: string): Reply {
    const services = this.#ownServices();
    if (services.length > 0) {
      const answers = services.map((base) => nameRecord(undefined, 'NS', this.#ttl, `${base}.${origin}`));
      return { ...found(answers), additional: this.#addresses(services, origin) };
    }
    const name = `${defaultNs}.${origin}`;
    const additional = this.#serverIps.map((ip) => addressRecord(name, this.#ttl, ip));
    return { ...found([nameRecord(undefined, 'NS', this.#ttl, name)]), additional };
  }

  /** The name that SOA records give. */
  #defaultNameServer(type: number, origin: string): Reply {
    const services = this.#ownServices();
    const ips = services.length > 0 ? services.flatMap((base) => this.#entries.get(base)?.data.ips ?? []) : [...this.#serverIps];
    const records = ips.map((ip) => addressRecord(undefined, this.#ttl, ip)).filter((r) => r.readUInt16BE(2) === type);
    return records.length > 0 ? found(records) : this.#noData(origin);
  }

  /** The names behind an address: the Service that owns it, else every endpoint; undefined when it is nobody's here. */
  pointer(ip: string): Reply | undefined {
    const services = (this.#pointers.get(ip) ?? []).flatMap((key) => this.#services.get(key) ?? []);
    if (services.length === 0) return undefined;
    const owner = services.find((s) => s.pointers.get(ip) === s.base);
    const names = owner ? [owner.base] : services.flatMap((s) => s.pointers.get(ip) ?? []);
    return found([...new Set(names)].map((name) => nameRecord(undefined, 'PTR', this.#ttl, `${name}.${this.origin}`)));
  }

  /** A negative answer of a reverse zone, whose name is given as the question spells it. */
  negativeReverse(rcode: number, zone: string): Reply {
    return { rcode, authoritative: true, answers: none, authority: [this.#soa(zone, this.origin)], additional: none };
  }

  #soa(owner: string, origin: string): Uint8Array {
    return soaRecord(owner, origin, this.#ttl, this.#serial);
  }

  #negative(rcode: number, origin: string): Reply {
    const known = origin === this.origin ? this.#negatives.get(rcode) : undefined;
    if (known) return known;
    const reply = { ...found(none), rcode, authority: [this.#soa(origin, origin)] };
    if (origin === this.origin) this.#negatives.set(rcode, reply);
    return reply;
  }

  #noName(origin: string): Reply {
    return this.#negative(RCODE.NXDOMAIN, origin);
  }

  #noData(origin: string): Reply {
    return this.#negative(RCODE.NOERROR, origin);
  }
}

function found(answers: readonly Uint8Array[]): Reply {
  return { rcode: RCODE.NOERROR, authoritative: true, answers, authority: none, additional: none };
}
