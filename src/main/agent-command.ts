/** `fairlead agent`. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, switchFlag, textFlag } from '../cli/command.ts';
import { systemClock } from '../clock/clock.ts';
import type { FlagReader } from './flag-reader.ts';
import { nodeIp } from './part/cluster-flags.ts';
import { agentParts } from './part/parts.ts';
import { settingsDir } from './part/settings.ts';
import { healthzFlag, type PartsCommand, partsCommand } from './parts-command.ts';

/** A part's own kubeconfig, or the one for those that have none. */
const kubeconfigOf =
  (part: string) =>
  (read: FlagReader): string => {
    const own = join(read.text('kubeconfig-dir'), `${part}.kubeconfig`);
    return existsSync(own) ? own : (read.optional('kubeconfig') ?? own);
  };

/** What may be left out, for another program to do it. */
const names = agentParts.map(({ name }) => name).filter((name) => name !== 'settings');

/** A file of --tls-dir; a node that has joined by a token has none there. */
const ifThere =
  (name: string) =>
  (read: FlagReader): string | undefined => {
    const path = join(read.text('tls-dir'), name);
    return existsSync(path) ? path : undefined;
  };

/** What is settled for one part, beside its kubeconfig. */
const files: PartsCommand['settled'] = {
  kubelet: {
    'client-ca-file': (read) => ifThere('ca.crt')(read) ?? '/etc/kubernetes/pki/ca.crt',
    'tls-cert-file': ifThere('kubelet.crt'),
    'tls-private-key-file': ifThere('kubelet.key'),
  },
};

export const agent: PartsCommand = {
  name: 'agent',
  summary: 'run a node: kubelet, pod network, service proxy, DNS, addresses of load balancers',
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
    'cluster-settings': switchFlag(
      "take what is the same on all nodes (ranges, DNS, pod network, service proxy) from the cluster's ConfigMaps, whatever flags say",
    ),
    ...healthzFlag(''),
  },
  choose: (read) => [...(read.isSet('cluster-settings') ? ['settings'] : []), ...read.choice('parts', names)],
  settled: Object.fromEntries(agentParts.map(({ name }) => [name, { kubeconfig: kubeconfigOf(name), ...files[name] }])),
  async prepare(read, { log, signal }) {
    if (!read.isSet('cluster-settings')) return {};
    const [{ readNodeSettings }, { loadKubeconfig }, { Client }] = await Promise.all([
      import('../setup/settings/node-settings.ts'),
      import('../client/kubeconfig.ts'),
      import('../client/client.ts'),
    ]);
    const client = new Client(await loadKubeconfig(kubeconfigOf('settings')(read)));
    return await readNodeSettings({ client, dir: settingsDir, clock: systemClock, log, signal }).finally(() => client.close());
  },
  stays: 'pods and rules',
};

export const agentCommand: Command = partsCommand(agent);
