/** Virtual servers in the syntax of `ipvsadm -Sn`: printing, and reading what was printed. Pure. */
import { joinHostPort } from '../../../ip/ip.ts';
import type { HashFlag, RealServer, TransportProtocol, VirtualAddress, VirtualServer } from '../ipvs.ts';

export interface TextServer extends VirtualServer {
  readonly realServers: readonly RealServer[];
}

const options: Readonly<Record<TransportProtocol, string>> = { tcp: '-t', udp: '-u', sctp: '--sctp-service' };

function printAddress(address: VirtualAddress): string {
  if (address.kind === 'mark') return `-f ${address.mark}${address.family === 6 ? ' -6' : ''}`;
  return `${options[address.protocol]} ${joinHostPort(address.ip, address.port)}`;
}

function printServer(server: VirtualServer): string {
  const flags = (server.hash ?? []).map((flag) => `${server.scheduler}-${flag}`);
  const persistent = server.persistentSeconds === undefined ? '' : ` -p ${server.persistentSeconds}`;
  return `-A ${printAddress(server.address)} -s ${server.scheduler}${persistent}${flags.length > 0 ? ` -b ${flags.join(',')}` : ''}`;
}

/** One line per virtual and real server; sorted, because the kernel's order means nothing. */
export function printIpvs(servers: Iterable<TextServer>): string {
  const blocks = [...servers].map((server) => {
    const address = printAddress(server.address);
    const reals = server.realServers.map((real) => `-a ${address} -r ${joinHostPort(real.ip, real.port)} -m -w ${real.weight}`);
    return [printServer(server), ...reals.sort()].join('\n');
  });
  return blocks
    .sort()
    .map((block) => `${block}\n`)
    .join('');
}

function readSocket(text: string): { readonly ip: string; readonly port: number } {
  const colon = text.lastIndexOf(':');
  return { ip: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** The value of an option, when it is there. */
function optionOf(words: readonly string[], option: string): string | undefined {
  const at = words.indexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

function readAddress(words: readonly string[]): VirtualAddress {
  const mark = optionOf(words, '-f');
  if (mark !== undefined) return { kind: 'mark', mark: Number(mark), family: words.includes('-6') ? 6 : 4 };
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    const socket = optionOf(words, options[protocol]);
    if (socket !== undefined) return { kind: 'address', ...readSocket(socket), protocol };
  }
  throw new SyntaxError(`Cannot read "${words.join(' ')}": it names no virtual server`);
}

function readServer(words: readonly string[]): VirtualServer {
  const persistent = optionOf(words, '-p');
  const hash = (optionOf(words, '-b') ?? '')
    .split(',')
    .filter((word) => word !== '')
    .map((word) => word.split('-')[1] as HashFlag);
  return {
    address: readAddress(words),
    scheduler: optionOf(words, '-s') ?? 'wlc',
    ...(persistent === undefined ? {} : { persistentSeconds: Number(persistent) }),
    ...(hash.length > 0 ? { hash } : {}),
  };
}

/** Reads what `ipvsadm -Sn` or `printIpvs` gave. Throws SyntaxError. */
export function parseIpvs(text: string): TextServer[] {
  const servers: { server: VirtualServer; realServers: RealServer[] }[] = [];
  for (const line of text.split('\n')) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '-A') servers.push({ server: readServer(words), realServers: [] });
    else if (words[0] === '-a') {
      const real = { ...readSocket(optionOf(words, '-r') ?? ''), weight: Number(optionOf(words, '-w') ?? 1) };
      const owner = servers.find(({ server }) => printAddress(server.address) === printAddress(readAddress(words)));
      if (!owner) throw new SyntaxError(`Cannot read "${line}": its virtual server was not declared`);
      owner.realServers.push(real);
    } else if (line.trim() !== '') throw new SyntaxError(`Cannot read "${line}": it is neither -A nor -a`);
  }
  return servers.map(({ server, realServers }) => ({ ...server, realServers }));
}
