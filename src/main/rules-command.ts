/** `fairlead rules`: what the service proxy programs, or would. */
import { type Command, defineCommand, type PresetText, type TextFlag, textFlag } from '../cli/command.ts';

const output: PresetText = {
  type: 'string',
  short: 'o',
  default: 'text',
  choices: ['text', 'json'],
  help: "text is the syntax of the mode's own tool",
};

/** What the proxy is told, too; of one that runs here it is asked. */
export const proxyViewFlags: {
  readonly mode: TextFlag;
  readonly 'proxy-metrics-address': PresetText;
  readonly kubeconfig: TextFlag;
} = {
  mode: {
    type: 'string',
    choices: ['nftables', 'iptables', 'ipvs'],
    help: 'how Services become rules (default: as the proxy that runs here, else nftables)',
  },
  'proxy-metrics-address': textFlag('HOST:PORT', 'where the proxy that runs here tells how it was started', '127.0.0.1:10249'),
  kubeconfig: textFlag('FILE', 'how to reach the API server (default: that of the proxy that runs here, $KUBECONFIG, ~/.kube/config)'),
};

const nodeFlags = {
  node: textFlag('NAME', 'the Node that it is about (default: this machine)'),
  family: { type: 'string', default: 'both', choices: ['ipv4', 'ipv6', 'both'], help: 'of which addresses' },
  config: textFlag('FILE', 'a KubeProxyConfiguration (default: that of the proxy that runs here)'),
  'cluster-cidr': textFlag('CIDR', 'range of the pods, beside what the configuration says'),
  'service-cidr': textFlag('CIDR', 'range of the Services, beside what ServiceCIDRs say'),
  'node-ip': textFlag('IP', "the node's address, beside what its Node says"),
} as const;

const manifests = {
  filename: {
    type: 'string',
    short: 'f',
    value: 'FILE',
    several: true,
    help: 'manifests in place of a cluster: Services, EndpointSlices or Pods, Nodes, ServiceCIDRs; - is standard input',
  },
} as const;

const render: Command = defineCommand({
  name: 'render',
  summary: 'print what the kernel would hold; needs no root',
  usage: '[-f FILE…]',
  completes: { files: true },
  examples: [
    'kubectl get services,endpointslices,nodes -A -o yaml | fairlead rules render -f - --node worker-1',
    'fairlead rules render -f web.yaml --mode iptables --cluster-cidr 10.244.0.0/16',
    'fairlead rules render -o json # of this node, from its cluster',
  ],
  options: { ...manifests, ...proxyViewFlags, ...nodeFlags, output },
  run: async (invocation) => (await inspection()).renderRules(invocation),
});

const show: Command = defineCommand({
  name: 'show',
  summary: 'print the rules, elements and virtual servers of one Service, and what each is for; needs no root',
  usage: 'svc/NAME [-f FILE…]',
  examples: ['fairlead rules show svc/web -n shop', 'fairlead rules show svc/web -f web.yaml --mode ipvs'],
  options: {
    namespace: { type: 'string', short: 'n', value: 'NAME', default: 'default', help: 'namespace of the Service' },
    ...manifests,
    ...proxyViewFlags,
    ...nodeFlags,
    output,
  },
  run: async (invocation) => (await inspection()).showRules(invocation),
});

const diff: Command = defineCommand({
  name: 'diff',
  summary: 'print what a sync would change in the kernel: nothing (exit code 0), or what drifted (exit code 1)',
  examples: [
    'fairlead rules diff # on a node',
    'fairlead rules diff --kubeconfig /etc/kubernetes/kubelet.conf --cluster-cidr 10.244.0.0/16',
  ],
  options: { ...proxyViewFlags, ...nodeFlags, output },
  run: async (invocation) => (await inspection()).diffRules(invocation),
});

export const rulesCommand: Command = {
  name: 'rules',
  summary: 'show what the service proxy programs, or would',
  subcommands: [render, show, diff],
};

function inspection(): Promise<typeof import('./inspect-rules.ts')> {
  return import('./inspect-rules.ts');
}
