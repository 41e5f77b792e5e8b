/** The kernel's load balancer in memory: the same refusals, connections that tests set, dump and load in ipvsadm's syntax. */
import {
  type HeldRealServer,
  type HeldVirtualServer,
  type Ipvs,
  type IpvsOp,
  type IpvsTimeouts,
  type RealTraffic,
  realName,
  type ServerTraffic,
  serverName,
  type VirtualAddress,
  type VirtualServer,
} from '../ipvs/ipvs.ts';
import { printIpvs } from '../ipvs/print.ts';
import { parseIpvs } from '../ipvs/testing/parse.ts';
import { NetlinkError } from '../netlink/netlink-error.ts';

const schedulers: readonly string[] = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'];
/** Linux's own, in seconds. */
const defaultTimeouts: IpvsTimeouts = { tcp: 900, tcpFin: 120, udp: 300 };

interface Entry {
  server: VirtualServer;
  readonly reals: Map<string, HeldRealServer>;
}

export class FakeIpvs implements Ipvs {
  readonly #entries = new Map<string, Entry>();
  readonly #traffic = new Map<string, ServerTraffic>();
  #timeouts = defaultTimeouts;
  readonly #schedulers: readonly string[];
  /** Changes asked for so far, the refused ones included. */
  messagesSent = 0;
  /** Listings of everything, of all real servers, and of those of one virtual server, so far. */
  readonly listings = { all: 0, reals: 0, one: 0 };

  constructor(options: { readonly schedulers?: readonly string[] } = {}) {
    this.#schedulers = options.schedulers ?? schedulers;
  }

  version(): Promise<string> {
    return Promise.resolve('1.2.1');
  }

  async apply(ops: readonly IpvsOp[]): Promise<(NetlinkError | undefined)[]> {
    this.messagesSent += ops.length;
    return ops.map((op) => {
      const errno = this.#change(op);
      return errno === undefined ? undefined : new NetlinkError(errno, 'change virtual servers');
    });
  }

  #change(op: IpvsOp): string | undefined {
    if ('server' in op) return this.#changeServer(op.op, op.server);
    const entry = this.#entries.get(serverName(op.address));
    if (!entry) return 'ESRCH';
    if (op.op === 'delete-server') {
      this.#entries.delete(serverName(op.address));
      return undefined;
    }
    const name = realName(op.real);
    const held = entry.reals.get(name);
    if (op.op === 'add-real' && held) return 'EEXIST';
    if (op.op !== 'add-real' && !held) return 'ENOENT';
    if (op.op === 'delete-real') entry.reals.delete(name);
    else entry.reals.set(name, { activeConnections: 0, inactiveConnections: 0, ...held, ...op.real });
    return undefined;
  }

  #changeServer(op: 'add-server' | 'set-server', server: VirtualServer): string | undefined {
    const name = serverName(server.address);
    const entry = this.#entries.get(name);
    if (op === 'set-server' && !entry) return 'ESRCH';
    if (!this.#schedulers.includes(server.scheduler)) return 'ENOENT';
    if (op === 'add-server' && entry) return 'EEXIST';
    if (entry) entry.server = server;
    else this.#entries.set(name, { server, reals: new Map() });
    return undefined;
  }

  read(): Promise<HeldVirtualServer[]> {
    this.listings.all++;
    return Promise.resolve(this.#held());
  }

  #held(): HeldVirtualServer[] {
    return [...this.#entries.values()].map(({ server, reals }) => ({ ...server, realServers: [...reals.values()] }));
  }

  traffic(): Promise<ServerTraffic[]> {
    const none = { connections: 0, bytesIn: 0, bytesOut: 0 };
    return Promise.resolve(this.#held().map(({ address }) => ({ address, ...none, ...this.#traffic.get(serverName(address)) })));
  }

  /** As if a virtual server had counted so much. */
  count(traffic: ServerTraffic): void {
    this.#traffic.set(serverName(traffic.address), traffic);
  }

  /** Each as if it had all that its virtual server counted. */
  async realTraffic(address: VirtualAddress): Promise<RealTraffic[]> {
    const { connections = 0, bytesIn = 0, bytesOut = 0 } = this.#traffic.get(serverName(address)) ?? {};
    const reals = await this.realServers(address);
    return reals.map(({ ip, port }) => ({ ip, port, connections, bytesIn, bytesOut }));
  }

  realServers(address: VirtualAddress): Promise<HeldRealServer[]> {
    this.listings.one++;
    return Promise.resolve([...(this.#entries.get(serverName(address))?.reals.values() ?? [])]);
  }

  allRealServers(): Promise<ReadonlyMap<string, readonly HeldRealServer[]>> {
    this.listings.reals++;
    return Promise.resolve(new Map(this.#held().map(({ address, realServers }) => [serverName(address), realServers])));
  }

  timeouts(): Promise<IpvsTimeouts> {
    return Promise.resolve(this.#timeouts);
  }

  setTimeouts({ tcp, tcpFin, udp }: IpvsTimeouts): Promise<void> {
    const old = this.#timeouts;
    this.#timeouts = { tcp: tcp || old.tcp, tcpFin: tcpFin || old.tcpFin, udp: udp || old.udp };
    return Promise.resolve();
  }

  flush(): Promise<void> {
    this.#entries.clear();
    return Promise.resolve();
  }

  close(): void {}

  /** As if clients had so many connections to a real server. */
  connections(address: VirtualAddress, real: { readonly ip: string; readonly port: number }, active: number, inactive = 0): void {
    const reals = this.#entries.get(serverName(address))?.reals;
    const held = reals?.get(realName(real));
    if (!reals || !held) throw new RangeError(`Cannot connect to "${realName(real)}": "${serverName(address)}" has no such real server`);
    reals.set(realName(real), { ...held, activeConnections: active, inactiveConnections: inactive });
  }

  /** All of it as `ipvsadm -Sn` prints it, sorted. */
  dump(): string {
    return printIpvs(this.#held());
  }

  /** Adds what is in the text, as `ipvsadm -R` does. */
  load(text: string): void {
    for (const { realServers, ...server } of parseIpvs(text)) {
      this.#change({ op: 'add-server', server });
      for (const real of realServers) this.#change({ op: 'add-real', address: server.address, real });
    }
  }
}
