/**
 * Reads from the kernel's table which endpoint holds which slot, so that a restarted proxy keeps them: the first
 * comparison then finds nothing to change.
 */
import type { Elements, KernelTable } from '../../../linux/nftables/table.ts';
import { frontendName } from '../../plan/service-plan.ts';
import { fewOffset, fewSlots, localOffset } from './layout.ts';
import type { PreviousSlots } from './slots.ts';

/** The endpoints in the slots of a frontend (`10.96.0.1 . tcp . 80`) from one on, up to the first that nobody holds. */
function slotsFrom(elements: Elements, frontend: string, first: number): string[] {
  const slots: string[] = [];
  for (let slot = first; slot < first + localOffset; slot++) {
    const endpoint = elements.get(`${frontend} . ${slot}`);
    if (endpoint === undefined) break;
    slots.push(endpoint);
  }
  return slots;
}

/** The slots of a Service's ports, by whichever of its frontends has them. */
export function slotsIn(table: KernelTable | undefined): PreviousSlots {
  const onIp = table?.sets.get('endpoints')?.elements;
  const onNodePort = table?.sets.get('nodeport-endpoints')?.elements;
  return (port) => {
    const list = (first: number): string[] => {
      for (const frontend of port.frontends) {
        const elements = frontend.kind === 'node-port' ? onNodePort : onIp;
        const slots = elements ? slotsFrom(elements, frontendName(frontend, port), first) : [];
        if (slots.length > 0) return slots;
      }
      return [];
    };
    // Each on demand: most ports use one list.
    return {
      get cluster() {
        const held = list(0);
        // One endpoint has both slots of the few.
        return held.length > 0 ? held : [...new Set(list(fewOffset).slice(0, fewSlots))];
      },
      get local() {
        return list(localOffset);
      },
    };
  };
}
