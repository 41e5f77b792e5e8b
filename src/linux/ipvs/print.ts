/** Virtual servers in the syntax of `ipvsadm -Sn`. Pure. */
import { joinHostPort } from '../../ip/ip.ts';
import type { IpvsOp, RealServer, TransportProtocol, VirtualAddress, VirtualServer } from './ipvs.ts';

export interface TextServer extends VirtualServer {
  readonly realServers: readonly RealServer[];
}

/** By which `ipvsadm` takes an address. */
export const addressOptions: Readonly<Record<TransportProtocol, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

/** `-t 10.96.0.1:80`. */
export function printAddress(address: VirtualAddress): string {
  if (address.kind === 'mark') return `-f ${address.mark}${address.family === 6 ? ' -6' : ''}`;
  return `${addressOptions[address.protocol]} ${joinHostPort(address.ip, address.port)}`;
}

/** `-t 10.96.0.1:80 -s rr`. */
export function printServer(server: VirtualServer): string {
  const flags = (server.hash ?? []).map((flag) => `${server.scheduler}-${flag}`);
  const persistent = server.persistentSeconds === undefined ? '' : ` -p ${server.persistentSeconds}`;
  return `${printAddress(server.address)} -s ${server.scheduler}${persistent}${flags.length > 0 ? ` -b ${flags.join(',')}` : ''}`;
}

function printReal(real: RealServer): string {
  return `-r ${joinHostPort(real.ip, real.port)} -m -w ${real.weight}`;
}

/** A change as words behind `ipvsadm`. */
export function printIpvsOp(op: IpvsOp): string {
  switch (op.op) {
    case 'add-server':
    case 'set-server':
      return `${op.op === 'add-server' ? '-A' : '-E'} ${printServer(op.server)}`;
    case 'delete-server':
      return `-D ${printAddress(op.address)}`;
    case 'add-real':
    case 'set-real':
      return `${op.op === 'add-real' ? '-a' : '-e'} ${printAddress(op.address)} ${printReal(op.real)}`;
    case 'delete-real':
      return `-d ${printAddress(op.address)} -r ${joinHostPort(op.real.ip, op.real.port)}`;
  }
}

/** One line per virtual and real server; sorted, because the kernel's order means nothing. */
export function printIpvs(servers: Iterable<TextServer>): string {
  const blocks = [...servers].map((server) => {
    const address = printAddress(server.address);
    const reals = server.realServers.map((real) => `-a ${address} ${printReal(real)}`);
    return [`-A ${printServer(server)}`, ...reals.sort()].join('\n');
  });
  return blocks
    .sort()
    .map((block) => `${block}\n`)
    .join('');
}
