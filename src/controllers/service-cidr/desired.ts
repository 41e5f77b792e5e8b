/** Whether a ServiceCIDR may go: pure. */
import type { ServiceCIDR } from '../../api/schema/types.ts';
import { type Cidr, cidrContains, parseCidr } from '../../ip/ip.ts';

/**
 * True when no address of `taken` would be left without a range; `others` are all ServiceCIDRs that stay. An address outside of every
 * range could never be given again to the Service that has it.
 */
export function mayGo(going: ServiceCIDR, others: readonly ServiceCIDR[], taken: readonly string[]): boolean {
  const staying = others.flatMap(cidrsOf);
  return cidrsOf(going).every((cidr) => !taken.some((ip) => cidrContains(cidr, ip) && !staying.some((other) => cidrContains(other, ip))));
}

function cidrsOf({ spec }: ServiceCIDR): Cidr[] {
  return (spec?.cidrs ?? []).flatMap((text) => parseCidr(text) ?? []);
}
