/** A Service's rules, each with what it is for. Pure. */
import type { TableFamily } from '../../../linux/nftables/table.ts';
import type { Explained } from '../view.ts';
import { addsToLocalhost, type SharedChain, splitName } from './layout.ts';
import type { ServiceRules } from './render-service.ts';

/** By the chain that a rule stands in. */
const whyShared: Readonly<Record<SharedChain, string>> = {
  'nat KUBE-SERVICES': 'leads packets to this address to the chain of its port',
  'nat KUBE-NODEPORTS': 'leads packets to the node port to the chain of its port',
  'filter KUBE-SERVICES': 'nobody serves it: refused or dropped',
  'filter KUBE-EXTERNAL-SERVICES': 'nobody serves it for those outside: refused or dropped',
  'filter KUBE-NODEPORTS': 'lets load balancers ask for the health of its endpoints here',
  'filter KUBE-PROXY-FIREWALL': 'drops what did not come from an allowed source',
};

function whyOwn(chain: string, rule: string): string {
  if (rule.includes('-j KUBE-MARK-MASQ')) return "marked: the endpoint is to see the node's address, so that it answers through it";
  if (rule.includes('-j DNAT')) return 'sends the packet to the endpoint';
  if (rule.includes('--rcheck')) return 'a client that is remembered goes to its endpoint again';
  if (rule.includes('-j KUBE-SEP-'))
    return rule.includes('-m statistic') ? 'one of several endpoints, by chance or in turn' : 'the endpoint that is left';
  if (rule.includes('-j KUBE-SVL-')) return 'who comes from outside: to the endpoints of this node alone';
  if (rule.includes('-j KUBE-SVC-')) return 'to the endpoints of the whole cluster';
  if (rule.includes('-j KUBE-EXT-')) return 'a source that may come';
  return chain.startsWith('KUBE-FW-') ? 'others go no further' : 'a step on the way to the endpoints';
}

const whyCounted = 'the same for packets to 127.0.0.0/8, which kubeproxy_iptables_localhost_nodeports_accepted_packets_total counts';

export function explainRules({ chains, shared }: ServiceRules, family: TableFamily): Explained[] {
  const one = (table: string, chain: string, rule: string, why: string): Explained => ({
    text: `${family}tables -t ${table} -A ${chain} ${rule}`,
    why,
  });
  return [
    ...[...shared].flatMap(([name, rules]) =>
      rules.map((rule) => one(...splitName(name), rule, rule.includes(addsToLocalhost) ? whyCounted : whyShared[name])),
    ),
    ...[...chains].flatMap(([chain, rules]) => rules.map((rule) => one('nat', chain, rule, whyOwn(chain, rule)))),
  ];
}
