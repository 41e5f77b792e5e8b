/** Follows what the cluster says of service proxy and pod network for all nodes, so that one edit of a ConfigMap changes every node. */
import { nodeNameOf, nodePartFlags } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';

/** Where a node keeps its copy. */
export const settingsDir = '/var/lib/fairlead/agent/settings';

export const settings: Part = definePart({
  name: 'settings',
  flags: nodePartFlags,
  async config(read) {
    const { nodePartClient } = await import('./part-client.ts');
    return { client: await nodePartClient('settings', read, nodeNameOf(read)) };
  },
  async start({ client }, { clock, log, signal }) {
    const { followSettings } = await import('../../setup/settings/node-settings.ts');
    return { stopped: followSettings({ client, dir: settingsDir, clock, log, signal }).finally(() => client.close()) };
  },
});
