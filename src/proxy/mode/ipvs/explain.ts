/** What the kernel is to hold for one Service, each command with what it is for. Pure. */
import { printIpsetOp } from '../../../linux/ipset/print.ts';
import { printIpvsOp } from '../../../linux/ipvs/print.ts';
import type { TableFamily } from '../../../linux/nftables/table.ts';
import { serviceDevice } from '../service-address.ts';
import type { Explained } from '../view.ts';
import type { Wanted } from './render.ts';
import { declarationOf, type SetName } from './set-names.ts';

const passes = 'packets to it pass the filter';
const local = "packets to it keep their client's address";
const nodePort = "packets to this port of the node: their endpoint sees the node's address";

const whySets: Readonly<Record<SetName, string>> = {
  'LOOP-BACK': 'an endpoint that reaches itself sees the node as its client: it would not answer to itself',
  'CLUSTER-IP': passes,
  'EXTERNAL-IP': passes,
  'EXTERNAL-IP-LOCAL': local,
  'LOAD-BALANCER': passes,
  'LOAD-BALANCER-LOCAL': local,
  'LOAD-BALANCER-FW': 'only some sources may come',
  'LOAD-BALANCER-SOURCE-IP': 'this one may',
  'LOAD-BALANCER-SOURCE-CIDR': 'these may',
  'NODE-PORT-TCP': nodePort,
  'NODE-PORT-LOCAL-TCP': local,
  'NODE-PORT-UDP': nodePort,
  'NODE-PORT-LOCAL-UDP': local,
  'NODE-PORT-SCTP-HASH': nodePort,
  'NODE-PORT-LOCAL-SCTP-HASH': local,
  'HEALTH-CHECK-NODE-PORT': 'lets load balancers ask for the health of its endpoints here',
  'IPVS-IPS': 'what comes to a port that it does not have is refused',
  'NO-LOCAL': 'nobody serves it here, but another node would: dropped',
  'NO-LOCAL-OUTSIDE': 'nobody serves it here for those outside, but another node would: dropped',
};

export function explainWanted({ servers, members, addresses, detours }: Wanted, family: TableFamily): Explained[] {
  const balancers = [...servers.values()].filter(({ reals }) => reals.size > 0);
  return [
    ...addresses.map((ip) => ({
      text: `ip addr add ${ip} dev ${serviceDevice}`,
      why: 'the kernel takes packets to this address for its own',
    })),
    ...balancers.flatMap(({ reals, ...server }) => [
      { text: `ipvsadm ${printIpvsOp({ op: 'add-server', server })}`, why: `spreads what comes to this address by ${server.scheduler}` },
      ...[...reals.values()].map((real) => ({
        text: `ipvsadm ${printIpvsOp({ op: 'add-real', address: server.address, real })}`,
        why: 'an endpoint',
      })),
    ]),
    ...members.map(({ set, entry }) => ({
      text: `ipset ${printIpsetOp({ op: 'add', set: declarationOf(set, family), entry })}`,
      why: whySets[set],
    })),
    ...detours.map(({ chain, rule }) => ({
      text: `${family}tables -t nat -A ${chain} ${rule}`,
      why: 'goes on to the cluster IP, behind which all endpoints are',
    })),
  ];
}
