/** `fairlead net-agent`. */
import { type Command, defineCommand } from '../cli/command.ts';
import { agentOptions } from './agent-command.ts';
import { cidrFlag, ipFlag, listFlag, numberFlag, portFlag, regexFlag } from './flag-values.ts';
import { ownIpFlag, partOptions, partSettings } from './part-command.ts';
import { logFormat, logLevel } from './process-log.ts';

export const netAgentCommand: Command = defineCommand({
  name: 'net-agent',
  summary: 'run the pod network and its CNI plugin alone, in place of a flannel or beside flannel on other nodes',
  examples: [
    'fairlead manifest net-agent --group system:nodes | kubectl apply -f -',
    'fairlead net-agent --kubeconfig /etc/kubernetes/kubelet.conf --cluster-cidr 10.244.0.0/16',
  ],
  options: {
    ...partOptions,
    iface: { type: 'string', default: '', value: 'NAME|IP,…', help: "link to the other nodes (default: that of the Node's InternalIP)" },
    'iface-regex': { type: 'string', default: '', value: 'REGEX', help: 'link to the other nodes, by its name or address' },
    'iface-can-reach': { type: 'string', value: 'IP', help: 'link to the other nodes: the one by which this address is reached' },
    'public-ip': { type: 'string', value: 'IP', help: agentOptions['node-ip'].help },
    'cluster-cidr': agentOptions['cluster-cidr'],
    'vxlan-vni': agentOptions['vxlan-vni'],
    'vxlan-port': agentOptions['vxlan-port'],
    'ip-masq': { ...agentOptions['masquerade-pods'] },
    'state-dir': agentOptions['state-dir'],
    'run-dir': agentOptions['run-dir'],
    'cni-conf-dir': agentOptions['cni-conf-dir'],
    'cni-bin-dir': agentOptions['cni-bin-dir'],
    'log-level': logLevel,
    'log-format': logFormat,
  },
  async run({ values, signal }) {
    const reach = ipFlag('iface-can-reach', values['iface-can-reach']);
    const publicIp = ownIpFlag('public-ip', values['public-ip']);
    const settings = partSettings('net-agent', values, signal, {
      underlay: {
        iface: listFlag(values.iface),
        ifaceRegex: values['iface-regex'] === '' ? [] : [regexFlag('iface-regex', values['iface-regex'])],
        ...(reach === undefined ? {} : { ifaceCanReach: reach }),
        ...(publicIp === undefined ? {} : { publicIp }),
      },
      clusterCidr: cidrFlag('cluster-cidr', values['cluster-cidr']),
      vni: numberFlag('vxlan-vni', values['vxlan-vni'], 1, 0xff_ff_ff),
      vxlanPort: portFlag('vxlan-port', values['vxlan-port']),
      masqueradePods: values['ip-masq'],
      stateDir: values['state-dir'],
      runDir: values['run-dir'],
      cniConfDir: values['cni-conf-dir'],
      cniBinDir: values['cni-bin-dir'],
    });
    const { runAgent } = await import('./agent.ts');
    return await runAgent(settings);
  },
});
