/** Ports of a node that a pod takes for itself. */
import type { Pod } from '../schema/types.ts';

/** `protocol/hostIP/port` for every host port of a pod; of init containers only those that stay. */
export function hostPortsOf({ spec }: Pod): string[] {
  const staying = [...(spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'), ...(spec?.containers ?? [])];
  return staying.flatMap(({ ports = [] }) =>
    ports.filter((p) => p.hostPort).map((p) => `${p.protocol ?? 'TCP'}/${p.hostIP || '0.0.0.0'}/${p.hostPort}`),
  );
}

/** When protocol and port are the same, and the addresses are equal or one of them is 0.0.0.0. */
export function hostPortsCollide(a: string, b: string): boolean {
  const [protocolA, ipA, portA] = a.split('/');
  const [protocolB, ipB, portB] = b.split('/');
  return protocolA === protocolB && portA === portB && (ipA === ipB || ipA === '0.0.0.0' || ipB === '0.0.0.0');
}
