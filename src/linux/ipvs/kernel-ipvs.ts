/** The kernel's load balancer, over netlink. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { familyOf } from '../../ip/ip.ts';
import { GenericNetlink } from '../netlink/generic.ts';
import {
  changeIpvs,
  IPVS_CMD,
  type IpvsCommand,
  listReal,
  parseReal,
  parseRealTraffic,
  parseServer,
  parseTimeouts,
  parseTraffic,
  parseVersion,
  setTimeouts,
} from '../netlink/ipvs.ts';
import type { NetlinkMessage, NetlinkRequest } from '../netlink/message.ts';
import { isErrno, type NetlinkError } from '../netlink/netlink-error.ts';
import { streamSize } from '../netlink/netlink-socket.ts';
import { inNetns } from '../netns.ts';
import {
  type HeldRealServer,
  type HeldVirtualServer,
  type Ipvs,
  type IpvsOp,
  type IpvsTimeouts,
  type RealTraffic,
  type ServerTraffic,
  serverName,
  type VirtualAddress,
} from './ipvs.ts';
import { parseProcTable } from './proc-table.ts';

const doing = 'change virtual servers';
const listing = 'list virtual servers';

/** Of the network namespace in which it was made. */
export class KernelIpvs implements Ipvs {
  /** Beside the event loop: thousands of virtual servers keep the kernel busy. */
  readonly #socket = new GenericNetlink('IPVS', { aside: true, module: 'ip_vs' });
  readonly #netns = openSync('/proc/thread-self/ns/net', 'r');
  #isClosed = false;
  /** Messages sent by `apply` so far, for budgets. */
  messagesSent = 0;

  #command({ command, attrs }: IpvsCommand): Promise<NetlinkRequest> {
    return this.#socket.command(command, attrs);
  }

  async #ask(command: number, what: string): Promise<NetlinkMessage | undefined> {
    const [message] = await this.#socket.get(await this.#socket.command(command), what);
    return message;
  }

  async version(): Promise<string> {
    return parseVersion(await this.#ask(IPVS_CMD.getInfo, 'ask for the version of IPVS'));
  }

  async apply(ops: readonly IpvsOp[]): Promise<(NetlinkError | undefined)[]> {
    const errors: (NetlinkError | undefined)[] = [];
    // Messages of a million changes at once would take more memory than a proxy has.
    for (let at = 0; at < ops.length; at += streamSize) {
      const requests = await Promise.all(ops.slice(at, at + streamSize).map((op) => this.#command(changeIpvs(op))));
      this.messagesSent += requests.length;
      for (const error of await this.#socket.stream(requests, doing)) errors.push(error);
    }
    return errors;
  }

  async read(): Promise<HeldVirtualServer[]> {
    const servers = await this.#socket.dump(await this.#socket.command(IPVS_CMD.getService), listing);
    if (servers.length === 0) return [];
    const reals = await this.allRealServers();
    const held: HeldVirtualServer[] = [];
    for (const message of servers) {
      const server = parseServer(message);
      if (!server) continue;
      const name = serverName(server.address.kind === 'mark' ? { ...server.address, family: 4 } : server.address);
      held.push({ ...server, realServers: reals.get(name) ?? [] });
    }
    return held;
  }

  async traffic(): Promise<ServerTraffic[]> {
    const servers = await this.#socket.dump(await this.#socket.command(IPVS_CMD.getService), listing);
    return servers.map(parseTraffic).filter((one) => one !== undefined);
  }

  realServers(address: VirtualAddress): Promise<HeldRealServer[]> {
    return this.#eachReal(address, parseReal);
  }

  realTraffic(address: VirtualAddress): Promise<RealTraffic[]> {
    return this.#eachReal(address, parseRealTraffic);
  }

  async #eachReal<T>(address: VirtualAddress, parse: (message: NetlinkMessage, family: 4 | 6) => T): Promise<T[]> {
    const family = address.kind === 'mark' ? address.family : familyOf(address.ip);
    try {
      const messages = await this.#socket.dump(await this.#command(listReal(address)), `list real servers of "${serverName(address)}"`);
      return messages.map((message) => parse(message, family));
    } catch (err) {
      if (isErrno(err, 'ESRCH', 'ENOENT')) return [];
      throw err;
    }
  }

  async allRealServers(): Promise<ReadonlyMap<string, readonly HeldRealServer[]>> {
    return parseProcTable(inNetns(`/proc/self/fd/${this.#netns}`, () => readFileSync('/proc/thread-self/net/ip_vs', 'utf8')));
  }

  async timeouts(): Promise<IpvsTimeouts> {
    return parseTimeouts(await this.#ask(IPVS_CMD.getConfig, 'ask for the timeouts of IPVS'));
  }

  async setTimeouts(timeouts: IpvsTimeouts): Promise<void> {
    await this.#socket.must([await this.#command(setTimeouts(timeouts))], 'set the timeouts of IPVS');
  }

  async flush(): Promise<void> {
    await this.#socket.must([await this.#socket.command(IPVS_CMD.flush)], 'take away all virtual servers');
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
    closeSync(this.#netns);
  }
}
