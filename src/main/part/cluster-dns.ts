/** Keeps the Service in front of the nodes' DNS servers. */
import { textFlag } from '../../cli/command.ts';
import { kubeconfig } from './cluster-flags.ts';
import { definePart, type Part } from './part.ts';

export const clusterDns: Part = definePart({
  name: 'cluster-dns',
  flags: {
    kubeconfig,
    'cluster-dns': textFlag('IP', 'address of the kube-dns Service; empty for none', '10.96.0.10'),
  },
  async config(read, setting) {
    const { partClient } = await import('./part-client.ts');
    return { address: read.ip('cluster-dns'), client: await partClient('cluster-dns', read, setting) };
  },
  async start(config, { clock, log, signal }) {
    const { keepClusterDns } = await import('../cluster-dns.ts');
    return { stopped: keepClusterDns({ ...config, clock, log, signal }) };
  },
});
