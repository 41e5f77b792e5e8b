/** Whose connections the kernel's virtual servers counted. Pure. */
import { familyOf } from '../../../ip/ip.ts';
import { type ServerTraffic, serverName } from '../../../linux/ipvs/ipvs.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import type { PortPlan, ServicePlan } from '../../plan/service-plan.ts';
import type { ServiceCount } from '../mode.ts';

/** Under a virtual server's name, or for a node port, which has many, under its protocol and number. */
function nameOf({ protocol }: PortPlan, { ip, port }: { readonly ip?: string; readonly port: number }): string {
  return ip === undefined ? `${protocol} ${port}` : serverName({ kind: 'address', protocol, ip, port });
}

interface Tally extends Pick<ServiceCount, 'service' | 'port' | 'protocol'> {
  connections: number;
  received: number;
  sent: number;
}

function talliesOf(plans: Iterable<ServicePlan>): Map<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const { key, ports } of plans)
    for (const port of ports) {
      const tally = { service: key, port: port.name, protocol: port.protocol, connections: 0, received: 0, sent: 0 };
      for (const frontend of port.frontends) tallies.set(nameOf(port, frontend), tally);
    }
  return tallies;
}

export function trafficOf(plans: Iterable<ServicePlan>, held: readonly ServerTraffic[], family: TableFamily): ServiceCount[] {
  const tallies = talliesOf(plans);
  for (const { address, connections, bytesIn, bytesOut } of held) {
    if (address.kind === 'mark' || familyOf(address.ip) !== (family === 'ip' ? 4 : 6)) continue;
    const tally = tallies.get(serverName(address)) ?? tallies.get(`${address.protocol} ${address.port}`);
    if (!tally) continue;
    tally.connections += connections;
    tally.received += bytesIn;
    tally.sent += bytesOut;
  }
  return [...new Set(tallies.values())];
}
