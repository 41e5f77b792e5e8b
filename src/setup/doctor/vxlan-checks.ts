/** Whether VXLAN's UDP port is that of this pod network alone, and open. Pure. */
import { familyOf } from '../../ip/ip.ts';
import type { Facts } from '../preflight/facts.ts';
import { error, type Finding, warning } from '../preflight/finding.ts';
import { podFamilies } from '../preflight/network-checks.ts';
import type { DoctorFacts, FirewallFact, LinkFact } from './facts.ts';
import { type Refusal, refusalIn } from './firewall/firewall.ts';
import { iptablesTableNames, iptablesTables, readIptablesRule } from './firewall/iptables.ts';
import { nftTables, readNftRule } from './firewall/nft.ts';
import type { Packet } from './firewall/packet.ts';
import { type Examination, found, unseen, type Verdict } from './verdict.ts';

type Backend = NonNullable<DoctorFacts['network']['backend']>;

/** Undefined when VXLAN is in use. */
function notInUse(backend: Backend | undefined): Verdict | undefined {
  if (backend === undefined) return unseen('what pod network the cluster has is not known here');
  return backend.type === 'vxlan' ? undefined : { kind: 'fine', said: `not needed by ${backend.type}` };
}

export const vxlanPort: Examination = ({ machine, network: { backend, links } }) => {
  const settled = notInUse(backend);
  if (settled || !backend) return settled ?? unseen('');
  if (links === undefined) return unseen('the links of this machine could not be listed');
  const names = { 4: `flannel.${backend.vni}`, 6: `flannel-v6.${backend.vni}` };
  // Each family has one.
  const own = podFamilies(machine).map((family) => ({ name: names[family], link: links.find(({ name }) => name === names[family]) }));
  const rivals = links.filter((link) => !Object.values(names).includes(link.name) && link.vxlan?.port === backend.port);
  // A live VXLAN link listens itself: then nobody else can.
  const isTaken = machine.listening.some(({ protocol, port }) => protocol === 'udp' && port === backend.port);
  const holder = rivals[0] ? `by link "${rivals[0].name}"` : 'by another program';
  return found(
    [
      ...own.flatMap(({ name, link }) => ownLink(link, name, backend)),
      !own.some(({ link }) => link?.up) &&
        isTaken &&
        error('VXLANPortTaken', `UDP port ${backend.port} is taken ${holder}`, whoHas(rivals[0]?.name, backend.port)),
      ...rivals
        .filter(({ vxlan }) => vxlan?.vni === backend.vni)
        .map((rival) =>
          error(
            'VXLANTwice',
            `link "${rival.name}" has the network ${backend.vni} on UDP port ${backend.port}, which is the pod network's`,
            `Take it away when nobody needs it: ip link del ${rival.name}`,
          ),
        ),
    ],
    `UDP port ${backend.port} is that of ${own.map(({ name }) => name).join(' and ')}`,
  );
};

function whoHas(link: string | undefined, port: number): string {
  return link === undefined ? `See who: ss -lunp 'sport = :${port}'` : `Take it away when nobody needs it: ip link del ${link}`;
}

function ownLink(own: LinkFact | undefined, name: string, { port, vni }: Backend): (Finding | false)[] {
  const again = 'Start the agent again: it makes the link as the cluster has it, and its log tells why it cannot';
  if (!own) return [error('VXLANLink', `there is no link ${name}: pods here and on other nodes do not reach each other`, again)];
  return [
    !own.up && error('VXLANLink', `link ${name} is down`, `ip link set ${name} up`),
    (own.vxlan?.port !== port || own.vxlan.vni !== vni) &&
      error(
        'VXLANLink',
        `link ${name} is ${own.vxlan ? `network ${own.vxlan.vni} on UDP port ${own.vxlan.port}` : `of kind ${own.kind || 'hardware'}`}, the cluster has ${vni} on ${port}`,
        again,
      ),
  ];
}

export const vxlanFirewall: Examination = ({ firewall, machine, network: { backend } }) => {
  const settled = notInUse(backend);
  if (settled || !backend) return settled ?? unseen('');
  const { port } = backend;
  if (Object.values(firewall).every((text) => text === undefined)) return unseen('neither "iptables-save" nor "nft" could list rules');
  const refusals = packetsOf(machine, port).flatMap((packet) => refusalsOf(firewall, packet).map((refusal) => ({ ...refusal, packet })));
  // The same rule may be in the way of many nodes.
  const each = new Map(refusals.map((one) => [`${one.packet.direction} ${one.rule ?? ''}`, one]));
  const named = [...each.values()].filter(({ namesPort }) => namesPort);
  return found(
    [
      ...named.map(({ rule, packet }) => error('VXLANBlocked', `a rule drops UDP port ${port}: ${rule}`, letThrough(packet))),
      ...(named.length > 0 ? [] : [...each.values()]).map(({ rule = 'the policy of the chain', packet }) =>
        warning(
          'VXLANBlocked',
          `what no rule accepts is dropped on its way ${packet.direction}, and none accepts UDP port ${port}: ${rule}`,
          letThrough(packet),
        ),
      ),
    ],
    `no rule drops UDP port ${port}`,
  );
};

function letThrough({ direction, port }: Packet): string {
  const chain = direction === 'in' ? 'INPUT' : 'OUTPUT';
  return `Let it through: iptables -I ${chain} -p udp --dport ${port} -j ACCEPT; or by the firewall that made the rule`;
}

/** What this node and each other send to each other; to somebody where no other is known. */
function packetsOf(machine: Facts, port: number): Packet[] {
  return podFamilies(machine).flatMap((family) => {
    const ofFamily = (ip: string): boolean => familyOf(ip) === family;
    const own = machine.addresses.find(ofFamily);
    const others = machine.nodes.filter(({ name }) => name !== machine.nodeName).flatMap(({ addresses }) => addresses.filter(ofFamily));
    const peers = others.length > 0 ? others : [undefined];
    return peers.flatMap((peer) =>
      (['in', 'out'] as const).map((direction) => ({ direction, family, port, link: machine.link, own, peer })),
    );
  });
}

/** Each of its tables may refuse what all others let through. */
function refusalsOf({ legacy, nft, ruleset }: FirewallFact, packet: Packet): Refusal[] {
  const iptables = [legacy, nft].flatMap((rules) => iptablesTables(rules?.[packet.family] ?? ''));
  return [
    ...iptables.map((table) => refusalIn(table, packet, readIptablesRule)),
    ...nftTables(ruleset ?? '', packet.family, iptablesTableNames(nft?.[packet.family] ?? '')).map((table) =>
      refusalIn(table, packet, readNftRule),
    ),
  ].filter((refusal) => refusal !== undefined);
}
