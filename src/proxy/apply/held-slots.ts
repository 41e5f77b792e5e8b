/**
 * Reads from the kernel's table which endpoint holds which slot, so that a restarted proxy keeps them: the first
 * comparison then finds nothing to change.
 */
import type { Service } from '../../api/schema/types.ts';
import type { Elements, KernelTable } from '../../linux/nftables/table.ts';
import type { PreviousSlots } from '../plan/plan-service.ts';
import { localOffset } from '../render/nftables/layout.ts';

/** The endpoints in the slots of a frontend (`10.96.0.1 . tcp . 80`), from one slot up to the first that nobody holds. */
function slotsFrom(elements: Elements, frontend: string, first: number): string[] {
  const slots: string[] = [];
  for (let slot = first; ; slot++) {
    const endpoint = elements.get(`${frontend} . ${slot}`);
    if (endpoint === undefined) return slots;
    slots.push(endpoint);
  }
}

/** The slots of a Service's ports, by whichever of its frontends has them. */
export function slotsOf(service: Service, table: KernelTable | undefined): PreviousSlots {
  const onIp = table?.sets.get('endpoints')?.elements;
  const onNodePort = table?.sets.get('nodeport-endpoints')?.elements;
  return (name, protocol) => {
    const port = service.spec?.ports?.find((p) => (p.name ?? '') === name && (p.protocol ?? 'TCP').toLowerCase() === protocol);
    const addresses = new Set([service.spec?.clusterIP, ...(service.spec?.clusterIPs ?? []), ...(service.spec?.externalIPs ?? [])]);
    const list = (first: number): string[] => {
      for (const ip of onIp ? addresses : []) {
        const slots = onIp ? slotsFrom(onIp, `${ip} . ${protocol} . ${port?.port}`, first) : [];
        if (slots.length > 0) return slots;
      }
      return onNodePort && port?.nodePort ? slotsFrom(onNodePort, `${protocol} . ${port.nodePort}`, first) : [];
    };
    // Each on demand: most ports use one list.
    return {
      get cluster() {
        return list(0);
      },
      get local() {
        return list(localOffset);
      },
    };
  };
}
