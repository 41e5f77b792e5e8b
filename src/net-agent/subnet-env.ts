/** flannel's subnet.env, which its CNI plugin and other tools read. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mustCidr, nthIp } from '../ip/ip.ts';
import { putFile } from '../linux/put-file.ts';

export function renderSubnetEnv(o: {
  readonly network: string;
  readonly podCidr: string;
  readonly mtu: number;
  readonly masquerade: boolean;
}): string {
  const range = mustCidr(o.podCidr);
  return [
    `FLANNEL_NETWORK=${mustCidr(o.network).text}`,
    `FLANNEL_SUBNET=${nthIp(range, 1)}/${range.prefix}`,
    `FLANNEL_MTU=${o.mtu}`,
    `FLANNEL_IPMASQ=${o.masquerade}`,
    '',
  ].join('\n');
}

/** Writes `DIR/subnet.env` in one step, when it differs. */
export function writeSubnetEnv(dir: string, content: string): void {
  mkdirSync(dir, { recursive: true });
  putFile(join(dir, 'subnet.env'), content, 0o644);
}
