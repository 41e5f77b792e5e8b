/** What must fit those who are there already: name, address, ports, clock, MTU. Pure. */
import { type Family, familyOf, isUnspecified } from '../../ip/ip.ts';
import type { Facts, Listener } from './facts.ts';
import { type Check, error, warning } from './finding.ts';
import { isOfMachine } from './identity.ts';

const dnsName = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

const nodeName: Check = ({ nodeName: name }) => [
  (!dnsName.test(name) || name.length > 253) &&
    error('Hostname', `"${name}" cannot be the name of a node: it takes a-z, 0-9, "-" and "."`, 'Give another: --node-name NAME'),
  name === 'localhost' && error('Hostname', 'every machine is called "localhost"', 'Give it a name: --node-name NAME'),
];

/** What VirtualBox and QEMU give to every guest behind their NAT. */
const natAddress = '10.0.2.15';

function namesOf(families: readonly Family[]): string {
  return families.map((family) => `IPv${family}`).join(' and ');
}

const address: Check = (facts) => {
  const { addresses, families, nodes, nodeName: name } = facts;
  if (addresses.length === 0)
    return [
      error(
        'NodeAddress',
        `this machine has no address ${families.length > 0 ? `of ${namesOf(families)} ` : ''}that others could reach`,
        'Give it one, or name its network: --node-cidr CIDR',
      ),
    ];
  const missing = families.filter((family) => !addresses.some((own) => familyOf(own) === family));
  const others = nodes.filter((node) => node.name !== name);
  return [
    ...missing.map((family) =>
      error(
        'NodeAddress',
        `pods of this cluster have addresses of ${namesOf(families)}, and this machine has none of IPv${family}`,
        'Give it one, and say which where it has several: --node-ip IP,IP or --node-cidr CIDR,CIDR',
      ),
    ),
    addresses.includes(natAddress) &&
      error(
        'NodeAddress',
        `${natAddress} is the address of a virtual machine behind its host's NAT, the same on all of them`,
        'Name the network in which the nodes meet: --node-cidr 192.168.56.0/24',
      ),
    ...addresses.map((own) => {
      const same = others.find((node) => node.addresses.includes(own));
      return (
        same !== undefined &&
        error(
          'NodeAddressTaken',
          `node "${same.name}" has the address ${own} already`,
          isOfMachine(same, facts)
            ? `It is this very machine: say --node-name ${same.name}`
            : `Give this machine another, or name its network with --node-cidr; if that node is gone: kubectl delete node ${same.name}`,
        )
      );
    }),
  ];
};

const nameIsFree: Check = (facts) => {
  const { nodeName: name, isMember, machineId } = facts;
  const same = facts.nodes.find((node) => node.name === name);
  return [
    same?.isReady === true &&
      !(isMember ? same.machineId === machineId : isOfMachine(same, facts)) &&
      error(
        'NodeNameTaken',
        `another machine (${same.addresses[0] ?? 'without address'}) is the node "${name}", and it is Ready`,
        `Give this one another name: --node-name NAME; if that machine is gone: kubectl delete node ${name}`,
      ),
  ];
};

interface Port {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly of: 'server' | 'agent';
  readonly what: string;
}

export function portsOf({ role, apiPort }: Pick<Facts, 'role' | 'apiPort'>): Port[] {
  const node: Port[] = [
    { protocol: 'tcp', port: 10_250, of: 'agent', what: 'the kubelet' },
    { protocol: 'tcp', port: 10_256, of: 'agent', what: "the service proxy's health" },
    { protocol: 'tcp', port: 10_249, of: 'agent', what: "the service proxy's metrics" },
    { protocol: 'udp', port: 53, of: 'agent', what: 'DNS' },
    { protocol: 'tcp', port: 53, of: 'agent', what: 'DNS' },
  ];
  return role === 'control-plane' ? [{ protocol: 'tcp', port: apiPort, of: 'server', what: 'the API server' }, ...node] : node;
}

/** Whether who listens there keeps another from the address. */
function overlaps({ address: at, ...listener }: Listener, { protocol, port }: Port, own: readonly string[]): boolean {
  return listener.protocol === protocol && listener.port === port && (own.includes(at) || isUnspecified(at));
}

const ports: Check = (facts) =>
  portsOf(facts)
    .filter(({ of }) => !facts.running.includes(of))
    .map(
      (port) =>
        facts.listening.some((listener) => overlaps(listener, port, facts.addresses)) &&
        error(
          `Port-${port.port}`,
          `another program listens on ${port.protocol} port ${port.port}, which ${port.what} needs`,
          `See who: ss -lnp 'sport = :${port.port}'; end it, or take away what was here before: fairlead reset`,
        ),
    );

const firewalls: Check = ({ firewalls: found, apiPort }) =>
  found.map((name) =>
    warning(
      'Firewalld',
      `${name} is active, and may drop what nodes say to each other`,
      `Let through tcp ${apiPort}, 10250 and 10256, udp 8472 and 7947, and the ranges of pods and Services`,
    ),
  );

const clock: Check = ({ skewMs = 0 }) => {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  if (seconds < 5) return [];
  const cause = `the clock of this machine is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} that of the control plane`;
  const cure = 'Set it by NTP: timedatectl set-ntp true, or chronyc makestep';
  return [
    seconds < 300 ? warning('ClockSkew', cause, cure) : error('ClockSkew', `${cause}: certificates do not hold yet, or no longer`, cure),
  ];
};

/** What IPv6 needs. */
const leastMtu = 1280;

type Pods = Pick<Facts, 'families' | 'addresses'>;

/** Of the pods; as long as nobody knows, that of the node's first address. */
export function podFamilies({ families, addresses }: Pods): readonly Family[] {
  return families.length > 0 ? families : addresses.slice(0, 1).map(familyOf);
}

/** What VXLAN puts around a packet: Ethernet, VXLAN, UDP, and IP of the underlay. Pods of both families have one MTU. */
export function vxlanOverhead(pods: Pods): number {
  return podFamilies(pods).includes(6) ? 70 : 50;
}

const mtu: Check = ({ mtu: found, link = 'LINK', ...pods }) => {
  if (found === undefined || found >= 1500) return [];
  const overhead = vxlanOverhead(pods);
  const cause = `the link of ${pods.addresses[0]} has an MTU of ${found}`;
  return [
    found - overhead < leastMtu
      ? error(
          'MTU',
          `${cause}: with the ${overhead} bytes of VXLAN off, pods get less than the 1280 that IPv6 needs`,
          `Raise it: ip link set ${link} mtu 1500`,
        )
      : warning(
          'MTU',
          `${cause}, pods get ${found - overhead}: nodes with a larger one send what does not fit`,
          'Give all nodes the same MTU',
        ),
  ];
};

export const networkChecks: readonly Check[] = [nodeName, address, nameIsFree, ports, firewalls, clock, mtu];
