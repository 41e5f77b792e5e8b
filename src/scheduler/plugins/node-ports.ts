import { hostPortsOf } from '../node-info.ts';
import type { Plugin } from '../plugin.ts';

const TAKEN = ["node(s) didn't have free ports for the requested pod ports"];

/** Two host ports collide when protocol and port are the same and one of the addresses is 0.0.0.0 or both are equal. */
function collide(a: string, b: string): boolean {
  const [protocolA, ipA, portA] = a.split('/');
  const [protocolB, ipB, portB] = b.split('/');
  return protocolA === protocolB && portA === portB && (ipA === ipB || ipA === '0.0.0.0' || ipB === '0.0.0.0');
}

export const nodePorts: Plugin = {
  name: 'NodePorts',
  weight: 0,
  scale: 'percent',
  prepare(pod) {
    const wanted = hostPortsOf(pod);
    if (wanted.length === 0) return undefined;
    return { filter: (node) => ([...node.hostPorts.keys()].some((taken) => wanted.some((w) => collide(w, taken))) ? TAKEN : undefined) };
  },
};
