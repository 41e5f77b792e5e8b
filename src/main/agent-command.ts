/** `fairlead agent`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, textFlag } from '../cli/command.ts';
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

const names = agentParts.map(({ name }) => name);

/** What is settled for one part, beside its kubeconfig. */
const files: PartsCommand['settled'] = {
  kubelet: {
    'client-ca-file': fileIn('tls-dir', 'ca.crt'),
    'tls-cert-file': fileIn('tls-dir', 'kubelet.crt'),
    'tls-private-key-file': fileIn('tls-dir', 'kubelet.key'),
  },
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
    parts: textFlag('LIST', `what runs: ${names.join(', ')}; "*,-proxy" for all but one`, '*'),
    'node-name': textFlag('NAME', 'name of the Node object (default: the host name)'),
    'node-ip': nodeIp,
    'kubeconfig-dir': textFlag('DIR', names.map((name) => `${name}.kubeconfig`).join(', '), '/etc/fairlead'),
    kubeconfig: textFlag('FILE', "for the parts without one in that directory, such as a node's own kubelet.conf"),
    'tls-dir': textFlag('DIR', "kubelet.crt, kubelet.key and the clients' ca.crt", '/etc/fairlead'),
    ...healthzFlag(''),
  },
  choose: (read) => read.choice('parts', names),
  settled: Object.fromEntries(names.map((name) => [name, { kubeconfig: kubeconfigOf(name), ...files[name] }])),
  stays: 'pods and rules',
};

export const agentCommand: Command = partsCommand(agent);
