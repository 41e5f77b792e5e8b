/** flannel's subnet.env, which its CNI plugin and other tools read. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustCidr, nthIp } from '../ip/ip.ts';

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
  const path = join(dir, 'subnet.env');
  try {
    if (readFileSync(path, 'utf8') === content) return;
  } catch {
    mkdirSync(dir, { recursive: true });
  }
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}
