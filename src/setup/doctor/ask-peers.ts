/** Whether packets as large as this machine sends them reach other nodes whole. */
import { familyOf, isIp } from '../../ip/ip.ts';
import type { Exec, ExecResult } from '../../linux/exec.ts';
import type { KnownNode } from '../preflight/facts.ts';
import type { PeerFact } from './facts.ts';

/** More say nothing new, and each takes a second when it is silent. */
const mostPeers = 8;

/** Headers of IP and of ICMP, which ping adds to the size it is given. */
const headers = { 4: 28, 6: 48 } as const;

/** Undefined where no ping is there that can forbid fragments: that of busybox cannot. */
export async function askPeers(exec: Exec, mtu: number | undefined, nodes: readonly KnownNode[]): Promise<PeerFact[] | undefined> {
  const ping = (address: string, size: number): Promise<ExecResult> =>
    exec.run('ping', ['-c', '1', '-W', '1', '-M', 'do', '-s', String(size), address], { timeoutMs: 5_000 });
  try {
    // Loopback carries any size: who does not get there does not know the flags.
    if (mtu === undefined || (await ping('127.0.0.1', 56)).code !== 0) return undefined;
    const asked = nodes.flatMap(({ name, addresses }) => addresses.filter(isIp).map((address) => ({ node: name, address })));
    return await Promise.all(
      asked.slice(0, mostPeers).map(async (peer) => {
        const largeArrives = (await ping(peer.address, mtu - headers[familyOf(peer.address)])).code === 0;
        return { ...peer, largeArrives, smallArrives: largeArrives || (await ping(peer.address, 56)).code === 0 };
      }),
    );
  } catch {
    return undefined;
  }
}
