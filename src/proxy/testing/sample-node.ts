/** Nodes for tests that need just any. */
import type { NodeContext } from '../plan/node-context.ts';

/** As in the scenarios of `rules/`. */
export const sampleNode: NodeContext = {
  family: 'ip',
  nodeName: 'node1',
  local: { mode: 'ClusterCIDR', cidr: '10.244.0.0/16' },
  masqueradeAll: false,
  nodePortIps: ['192.168.120.11'],
  serviceCidrs: ['10.96.0.0/16'],
  nodeIps: ['192.168.120.11'],
};

/** One that tells no pods from others, refuses no unused address, and has no address of its own; node ports are everywhere. */
export const bareNode: NodeContext = { ...sampleNode, local: { mode: 'None' }, nodePortIps: 'all', serviceCidrs: [], nodeIps: [] };
