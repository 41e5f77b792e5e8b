/** `fairlead agent`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from '../cli/command.ts';
import type { FlagReader } from './flag-reader.ts';
import { nodeIp } from './part/cluster-flags.ts';
import { agentParts } from './part/parts.ts';
import { fileIn, healthzFlag, type PartsCommand, partsCommand } from './parts-command.ts';

/** A part's own kubeconfig, or the one for those that have none. */
const kubeconfigOf =
  (part: string) =>
  (read: FlagReader): string => {
    const own = join(read.text('kubeconfig-dir'), `${part}.kubeconfig`);
    return existsSync(own) ? own : (read.optional('kubeconfig') ?? own);
  };

export const agent: PartsCommand = {
  name: 'agent',
  summary: 'run a node: kubelet, pod network, service proxy, DNS',
  examples: [
    'fairlead agent --kubeconfig-dir /etc/fairlead --tls-dir /etc/fairlead --node-ip 192.0.2.11',
    "fairlead agent --parts='*,-proxy' # beside a kube-proxy",
    'fairlead agent --parts=dns --node-ip 192.0.2.11 # needs nothing but dns.kubeconfig',
  ],
  parts: agentParts,
  options: {
    parts: { type: 'string', default: '*', value: 'LIST', help: 'what runs: kubelet, net-agent, proxy, dns; "*,-proxy" for all but one' },
    'node-name': { type: 'string', value: 'NAME', help: 'name of the Node object (default: the host name)' },
    'node-ip': nodeIp,
    'kubeconfig-dir': {
      type: 'string',
      default: '/etc/fairlead',
      value: 'DIR',
      help: 'kubelet.kubeconfig, proxy.kubeconfig, net-agent.kubeconfig, dns.kubeconfig',
    },
    kubeconfig: { type: 'string', value: 'FILE', help: "for the parts without one in that directory, such as a node's own kubelet.conf" },
    'tls-dir': { type: 'string', default: '/etc/fairlead', value: 'DIR', help: "kubelet.crt, kubelet.key and the clients' ca.crt" },
    ...healthzFlag(''),
  },
  choose: (read) =>
    read.choice(
      'parts',
      agentParts.map((part) => part.name),
    ),
  settled: {
    kubelet: {
      kubeconfig: kubeconfigOf('kubelet'),
      'client-ca-file': fileIn('tls-dir', 'ca.crt'),
      'tls-cert-file': fileIn('tls-dir', 'kubelet.crt'),
      'tls-private-key-file': fileIn('tls-dir', 'kubelet.key'),
    },
    proxy: { kubeconfig: kubeconfigOf('proxy') },
    'net-agent': { kubeconfig: kubeconfigOf('net-agent') },
    dns: { kubeconfig: kubeconfigOf('dns') },
  },
  stays: 'pods and rules',
};

export const agentCommand: Command = partsCommand(agent);
