/** What a node needs of the kernel, set now and at every boot. "fairlead reset" puts back what was there before. */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import type { Exec } from '../../linux/exec.ts';
import { loadModules } from '../../linux/modules.ts';
import { makeFolder, putFile } from '../../linux/put-file.ts';
import { ensureSysctl, readSysctl } from '../../linux/sysctl.ts';
import { layout } from '../layout.ts';

/** The pod network and the proxy set what else they need while they run. */
const wanted: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '1',
  // Packets on a bridge pass by the rules of Services only with this; the pod network of Fairlead does not lean on it, others do.
  'net/bridge/bridge-nf-call-iptables': '1',
};
const modules = ['overlay', 'br_netfilter'];

/** What pod network and proxy set besides, as long as the node is one. */
const alsoSet: readonly string[] = [
  ...['all/send_redirects', 'all/route_localnet', 'all/arp_ignore', 'all/arp_announce'].map((name) => `net/ipv4/conf/${name}`),
  'net/ipv6/conf/all/forwarding',
  ...['conntrack', 'conn_reuse_mode', 'expire_nodest_conn', 'expire_quiescent_template'].map((name) => `net/ipv4/vs/${name}`),
  ...['max', 'tcp_timeout_established', 'tcp_timeout_close_wait', 'tcp_be_liberal'].map((name) => `net/netfilter/nf_conntrack_${name}`),
];

/** Of links whose default route a router advertises, it is another where the node forwards. */
function advertisements(): string[] {
  const dir = 'net/ipv6/conf';
  return existsSync(`/proc/sys/${dir}`) ? readdirSync(`/proc/sys/${dir}`).map((link) => `${dir}/${link}/accept_ra`) : [];
}

const bootFiles: Readonly<Record<string, string>> = {
  '/etc/sysctl.d/99-fairlead.conf': Object.entries(wanted)
    // The dash: where the module is not there, that is no failure.
    .map(([name, value]) => `-${name.replaceAll('/', '.')} = ${value}\n`)
    .join(''),
  '/etc/modules-load.d/fairlead.conf': modules.map((name) => `${name}\n`).join(''),
};
const beforeFile = join(layout.stateDir, 'sysctls.json');

/** Whether anything had to change. */
export async function setKernel(exec: Exec): Promise<boolean> {
  await loadModules(modules, exec);
  const present = Object.entries(wanted).filter(([name]) => readSysctl(name) !== undefined);
  const before = Object.fromEntries([...Object.keys(wanted), ...alsoSet, ...advertisements()].map((name) => [name, readSysctl(name)]));
  // Written before anything is changed, and never over what an earlier run found. One that was killed over it, in an older version, has left it empty.
  if (!(await readIfThere(beforeFile))) {
    makeFolder(dirname(beforeFile), 0o755);
    putFile(beforeFile, `${JSON.stringify(before)}\n`, 0o644);
  }
  let isChanged = false;
  for (const [name, value] of present) isChanged = ensureSysctl(name, value) || isChanged;
  for (const [path, text] of Object.entries(bootFiles)) {
    if (!existsSync(dirname(path)) || (await readIfThere(path)) === text) continue;
    putFile(path, text, 0o644);
    isChanged = true;
  }
  return isChanged;
}

/** Whether there was anything to take back. */
export async function restoreKernel(): Promise<boolean> {
  const text = await readIfThere(beforeFile);
  for (const path of Object.keys(bootFiles)) await rm(path, { force: true });
  if (!text) return false;
  for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, string>))
    if (readSysctl(name) !== undefined) ensureSysctl(name, value);
  await rm(beforeFile, { force: true });
  return true;
}
