import { hostPortsCollide, hostPortsOf } from '../../api/placement/host-ports.ts';
import type { Plugin } from '../plugin.ts';

const portsTaken = ["node(s) didn't have free ports for the requested pod ports"];

/** No two pods with the same host port on one node (upstream's NodePorts). */
export const nodePorts: Plugin = {
  name: 'NodePorts',
  prepare(pod) {
    const wanted = hostPortsOf(pod);
    if (wanted.length === 0) return undefined;
    return {
      filter: (node) =>
        [...node.hostPorts.keys()].some((taken) => wanted.some((w) => hostPortsCollide(w, taken))) ? portsTaken : undefined,
      yields: () => true,
    };
  },
};
