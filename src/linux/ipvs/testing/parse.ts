/** Reads virtual servers in the syntax of `ipvsadm -Sn`. Pure. */
import type { HashFlag, RealServer, VirtualAddress, VirtualServer } from '../ipvs.ts';
import { addressOptions, printAddress, type TextServer } from '../print.ts';

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
    const socket = optionOf(words, addressOptions[protocol]);
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
