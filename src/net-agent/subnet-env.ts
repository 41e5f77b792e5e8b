/** flannel's subnet.env, which its CNI plugin and other tools read. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mustCidr, nthIp } from '../ip/ip.ts';
import { putFile } from '../linux/put-file.ts';

interface SubnetEnv {
  /** Of each family that there is: the range of all, and the node's part. */
  readonly ranges: readonly { readonly network: string; readonly podCidr: string }[];
  readonly mtu: number;
  readonly masquerade: boolean;
}

export function renderSubnetEnv({ ranges, mtu, masquerade }: SubnetEnv): string {
  const lines = ranges.map(({ network, podCidr }): string[] => {
    const [all, range] = [mustCidr(network), mustCidr(podCidr)];
    const word = range.family === 4 ? 'FLANNEL' : 'FLANNEL_IPV6';
    return [`${word}_NETWORK=${all.text}`, `${word}_SUBNET=${nthIp(range, 1)}/${range.prefix}`];
  });
  return [...lines.toSorted().flat(), `FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${masquerade}`, ''].join('\n');
}

/** Writes `DIR/subnet.env` in one step, when it differs. */
export function writeSubnetEnv(dir: string, content: string): void {
  mkdirSync(dir, { recursive: true });
  putFile(join(dir, 'subnet.env'), content, 0o644);
}
