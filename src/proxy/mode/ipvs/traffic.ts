/** Whose connections the kernel's virtual servers counted. Pure. */
import { familyOf } from '../../../ip/ip.ts';
import { type RealTraffic, type ServerTraffic, serverName, type VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import type { PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import type { EndpointCount, ServiceCount } from '../mode.ts';
import { type Tally, talliesOf } from '../tallies.ts';

/** Under a virtual server's name, or for a node port, which has many, under its protocol and number. */
function nameOf({ protocol }: PortPlan, { ip, port }: { readonly ip?: string; readonly port: number }): string {
  return ip === undefined ? `${protocol} ${port}` : serverName({ kind: 'address', protocol, ip, port });
}

function amountsOf({ connections, bytesIn, bytesOut }: Omit<ServerTraffic, 'address'>): Omit<EndpointCount, 'endpoint'> {
  return { connections, received: bytesIn, sent: bytesOut };
}

/** The port to which a virtual server of this family belongs. */
function portOf(tallies: readonly Tally[], family: TableFamily): (address: VirtualAddress) => Tally | undefined {
  const named = new Map(tallies.flatMap((tally) => tally.plan.frontends.map((frontend) => [nameOf(tally.plan, frontend), tally] as const)));
  return (address) => {
    if (address.kind === 'mark' || familyOf(address.ip) !== (family === 'ip' ? 4 : 6)) return undefined;
    return named.get(serverName(address)) ?? named.get(`${address.protocol} ${address.port}`);
  };
}

/** `reals`: what real servers counted, by the name of their virtual server, where that was read, too. */
export function trafficOf(
  plans: Iterable<ServicePlan>,
  held: readonly ServerTraffic[],
  family: TableFamily,
  reals: ReadonlyMap<string, readonly RealTraffic[]> = new Map(),
): ServiceCount[] {
  const tallies = talliesOf(plans);
  for (const tally of tallies) tally.passed({ connections: 0, received: 0, sent: 0 });
  const find = portOf(tallies, family);
  for (const traffic of held) {
    const tally = find(traffic.address);
    if (!tally) continue;
    tally.passed(amountsOf(traffic));
    const used = (reals.get(serverName(traffic.address)) ?? []).filter(({ connections }) => connections > 0);
    for (const real of used) tally.atEndpoint(`${real.ip} . ${real.port}`, amountsOf(real));
  }
  return tallies.map(({ count }) => count);
}
