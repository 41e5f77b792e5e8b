/** Which machine a Node is of. Machines that were cloned have one machine-id, or none at all: where the Node is says more. Pure. */
import type { KnownNode } from './facts.ts';

export interface Identity {
  readonly machineId: string;
  /** All that the machine has, also those that are not its node's. */
  readonly ownAddresses: readonly string[];
}

/** A Node that is nowhere yet goes by its machine-id alone. */
export function isOfMachine(node: Pick<KnownNode, 'machineId' | 'addresses'>, { machineId, ownAddresses }: Identity): boolean {
  const isElsewhere = node.addresses.length > 0 && !node.addresses.some((address) => ownAddresses.includes(address));
  return node.machineId === machineId && !isElsewhere;
}
