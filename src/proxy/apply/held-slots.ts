/**
 * Reads from the kernel's table which endpoint holds which slot, so that a restarted proxy keeps them: the first
 * comparison then finds nothing to change.
 */
import type { Service } from '../../api/schema/types.ts';
import type { KernelTable } from '../../linux/nftables/table.ts';
import type { PreviousSlots } from '../plan/plan-service.ts';
import { localOffset } from '../render/nftables/layout.ts';

interface Slots {
  readonly cluster: string[];
  readonly local: string[];
}

/** Slots by frontend: `10.96.0.1 . tcp . 80`, or `tcp . 30080` for a node port. */
export type HeldSlots = ReadonlyMap<string, Slots>;

export function heldSlots(table: KernelTable | undefined): HeldSlots {
  const held = new Map<string, Slots>();
  for (const set of ['endpoints', 'nodeport-endpoints']) {
    for (const [key, endpoint] of table?.sets.get(set)?.elements ?? []) {
      const cut = key.lastIndexOf(' . ');
      const frontend = key.slice(0, cut);
      const slot = Number(key.slice(cut + 3));
      const slots = held.get(frontend) ?? { cluster: [], local: [] };
      held.set(frontend, slots);
      if (slot >= localOffset) slots.local[slot - localOffset] = endpoint;
      else slots.cluster[slot] = endpoint;
    }
  }
  return held;
}

/** The slots of a Service's ports, by whichever of its frontends has them. */
export function slotsOf(service: Service, held: HeldSlots): PreviousSlots {
  return (name, protocol) => {
    const port = service.spec?.ports?.find((p) => (p.name ?? '') === name && (p.protocol ?? 'TCP').toLowerCase() === protocol);
    const addresses = [service.spec?.clusterIP, ...(service.spec?.clusterIPs ?? []), ...(service.spec?.externalIPs ?? [])];
    const frontends = addresses.map((ip) => `${ip} . ${protocol} . ${port?.port}`);
    if (port?.nodePort) frontends.push(`${protocol} . ${port.nodePort}`);
    const found = frontends.map((frontend) => held.get(frontend)).filter((slots) => slots !== undefined);
    const list = (which: 'cluster' | 'local'): string[] =>
      Array.from(found.find((s) => s[which].length > 0)?.[which] ?? [], (e) => e ?? '');
    return { cluster: list('cluster'), local: list('local') };
  };
}
