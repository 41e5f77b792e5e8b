/** Takes away what the plugin left on this node, and gives back what it had replaced. For a node that leaves its cluster. */
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { KernelNftables } from '../linux/nftables/kernel-nftables.ts';
import { conflistName, isOwn, plugins, replacedName } from './install.ts';
import { hostPortTable } from './wiring/host-ports.ts';

export interface InstalledIn {
  readonly binDir: string;
  readonly confDir: string;
}

/** Files of others stay, also those that have taken the place of ours. */
export function removeInstalled({ binDir, confDir }: InstalledIn): void {
  for (const plugin of plugins) {
    const path = join(binDir, plugin);
    if (existsSync(path) && isOwn(readFileSync(path, 'utf8'))) rmSync(path);
    const replaced = join(binDir, replacedName(plugin));
    if (existsSync(replaced) && !existsSync(path)) renameSync(replaced, path);
  }
  rmSync(join(confDir, conflistName), { force: true });
}

export async function cleanUpPlugin(where: InstalledIn): Promise<void> {
  const nft = new KernelNftables();
  try {
    for (const family of ['ip', 'ip6'] as const)
      if (await nft.read(family, hostPortTable)) await nft.commit({ family, table: hostPortTable, ops: [{ op: 'delete-table' }] });
  } finally {
    nft.close();
  }
  removeInstalled(where);
}
