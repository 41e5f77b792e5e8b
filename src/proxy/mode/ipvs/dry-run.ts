/** Mode ipvs over a kernel that is read and not changed: what it would be told is kept, as commands of the tools. */
import { printIpsetOp } from '../../../linux/ipset/print.ts';
import { dryRun as dryRunIptables } from '../../../linux/iptables/dry-run.ts';
import { changesOf } from '../../../linux/iptables/print.ts';
import { printIpvsOp } from '../../../linux/ipvs/print.ts';
import type { Owners } from '../owners.ts';
import { serviceDevice } from '../service-address.ts';
import type { Change } from '../view.ts';
import type { IpvsModeKernel } from './ipvs-mode.ts';

export class DryIpvsKernel implements IpvsModeKernel {
  readonly #kernel: IpvsModeKernel;
  readonly #readSysctl: (name: string) => string | undefined;
  readonly iptables: IpvsModeKernel['iptables'];
  readonly #commands: string[] = [];

  constructor(kernel: IpvsModeKernel, readSysctl: (name: string) => string | undefined) {
    this.#kernel = kernel;
    this.#readSysctl = readSysctl;
    this.iptables = dryRunIptables(kernel.iptables, (family, sections, held) => {
      for (const { text } of changesOf(held, sections)) this.#commands.push(`${family}tables ${text}`);
    });
  }

  /** Notes one command for each change; none is refused. */
  #note<T>(changes: readonly T[], commandOf: (change: T) => string): undefined[] {
    return changes.map((change) => {
      this.#commands.push(commandOf(change));
      return undefined;
    });
  }

  get ipvs(): IpvsModeKernel['ipvs'] {
    const { ipvs } = this.#kernel;
    return {
      version: () => ipvs.version(),
      apply: async (ops) => this.#note(ops, (op) => `ipvsadm ${printIpvsOp(op)}`),
      read: () => ipvs.read(),
      traffic: () => ipvs.traffic(),
      realTraffic: (address) => ipvs.realTraffic(address),
      realServers: (address) => ipvs.realServers(address),
      allRealServers: () => ipvs.allRealServers(),
      timeouts: () => ipvs.timeouts(),
      setTimeouts: async ({ tcp, tcpFin, udp }) => void this.#note([`ipvsadm --set ${tcp} ${tcpFin} ${udp}`], (text) => text),
      flush: async () => void this.#note(['ipvsadm -C'], (text) => text),
      close: () => {},
    };
  }

  get ipset(): IpvsModeKernel['ipset'] {
    const { ipset } = this.#kernel;
    return {
      protocol: () => ipset.protocol(),
      apply: async (ops) => this.#note(ops, (op) => `ipset ${printIpsetOp(op)}`),
      names: () => ipset.names(),
      read: (name) => ipset.read(name),
      close: () => {},
    };
  }

  get device(): IpvsModeKernel['device'] {
    const { device } = this.#kernel;
    return {
      probe: async () => {},
      read: () => device.read(),
      ensure: async () => void this.#note([`ip link add ${serviceDevice} type dummy`], (text) => text),
      bind: async (ips) => this.#note(ips, (ip) => `ip addr add ${ip} dev ${serviceDevice}`),
      unbind: async (ips) => this.#note(ips, (ip) => `ip addr del ${ip} dev ${serviceDevice}`),
      remove: async () => void this.#note([`ip link del ${serviceDevice}`], (text) => text),
      watch: (onTouched) => device.watch(onTouched),
      close: () => {},
    };
  }

  setSysctl(name: string, value: string): boolean | undefined {
    const held = this.#readSysctl(name);
    if (held !== undefined && held !== value) this.#commands.push(`sysctl -w ${name}=${value}`);
    // The mode has nothing to tell of.
    return false;
  }

  async loadModules(): Promise<void> {}

  changes(owners: Owners): Change[] {
    return this.#commands.map((text) => {
      const service = ownerOf(text, owners);
      return { text, ...(service === undefined ? {} : { service }) };
    });
  }

  close(): void {
    this.#kernel.close();
  }
}

/** Whose a command is, by the place of a Service that it names. */
export function ownerOf(command: string, owners: Owners): string | undefined {
  const [tool, ...words] = command.split(' ');
  if (tool === 'ipvsadm') {
    const [, , option, place = ''] = command.split(' ');
    const protocol = { '-t': 'tcp', '-u': 'udp', '--sctp-service': 'sctp' }[option ?? ''];
    const colon = place.lastIndexOf(':');
    return protocol && ofPlace(place.slice(0, colon).replace(/^\[|\]$/g, ''), protocol, place.slice(colon + 1), owners);
  }
  if (tool === 'ip') return owners.of(words[2] ?? '');
  if (tool !== 'ipset' || (words[0] !== 'add' && words[0] !== 'del')) return undefined;
  const [, set = '', entry = ''] = words;
  const [, ip = '', protocol, port = ''] = /^([^,]+)(?:,(\w+):(\d+))?/.exec(entry) ?? [];
  if (set.includes('LOOP-BACK')) return owners.ofEndpoint(ip);
  if (protocol) return ofPlace(ip, protocol, port, owners);
  const transport = /(TCP|UDP)$/.exec(set)?.[1]?.toLowerCase();
  return owners.of(transport ? `${transport} . ${ip}` : ip);
}

/** By a frontend with an address, or by a node port. */
function ofPlace(ip: string, protocol: string, port: string, owners: Owners): string | undefined {
  return owners.of(`${ip} . ${protocol} . ${port}`) ?? owners.of(`${protocol} . ${port}`);
}
