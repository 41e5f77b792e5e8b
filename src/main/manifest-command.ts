/** `fairlead manifest`: the roles for parts of a node on an API server that is not ours. */
import { type NodePart, nodeParts } from '../api/node-parts.ts';
import type { KubeObject } from '../api/resource-types.ts';
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { KnownError } from '../errors/known-error.ts';
import { FlagReader } from './flag-reader.ts';

export const manifestCommand: Command = defineCommand({
  name: 'manifest',
  summary: 'print the roles that parts of a node need on an API server that is not ours',
  usage: '[proxy] [net-agent] [dns] [speaker]',
  examples: [
    'fairlead manifest | kubectl apply -f - # each part has its own kubeconfig, on every node',
    'fairlead manifest --limits | kubectl apply -f - # and holds each part to its own node',
    "fairlead manifest --group system:nodes | kubectl apply -f - # all use the kubelet's kubeconfig",
    'fairlead manifest proxy --image IMAGE --server https://192.0.2.10:6443 | kubectl apply -f - # in place of a kube-proxy of kubeadm',
    'fairlead manifest proxy --user system:serviceaccount:kube-system:proxy # what is printed for a ServiceAccount',
  ],
  options: {
    user: textFlag('NAME', 'who gets the rights (default: the group of each part, such as system:fairlead:dns)'),
    group: textFlag('NAME', 'the same for a group'),
    limits: switchFlag(
      'also admission policies that hold each part to its own node (Kubernetes 1.30 and later; our own API server does it anyway)',
    ),
    image: textFlag('NAME', "the proxy's DaemonSet as kubeadm has it, in place of roles, from this image"),
    server: textFlag('URL', 'with --image: the API server as nodes reach it'),
    'cluster-cidr': textFlag('CIDR', 'with --image: range of the pods', '10.244.0.0/16'),
    'proxy-mode': textFlag('NAME', 'with --image: how Services become rules', 'nftables'),
    'cluster-dns': textFlag('IP', 'address of the kube-dns Service; empty for none', '10.96.0.10'),
  },
  async run({ values, positionals }) {
    const unknown = positionals.find((word) => !nodeParts.some((part) => part === word));
    if (unknown === 'kubelet')
      throw new KnownError('USAGE', 'Cannot print roles for the kubelet: it needs none beside those of the Node authorizer', {
        hint: 'Give it a certificate for the user system:node:NAME in the group system:nodes',
      });
    if (unknown !== undefined)
      throw new KnownError('USAGE', `Cannot print roles for "${unknown}": there is no such part`, {
        hint: `It takes ${nodeParts.join(', ')}`,
      });
    if (values.user !== undefined && values.group !== undefined)
      throw new KnownError('USAGE', 'Cannot use --user and --group together', { hint: 'Run the command once for each' });
    if (values.limits && (values.user !== undefined || values.group !== undefined))
      throw new KnownError('USAGE', "Cannot use --limits with --user or --group: the limits follow the names of the parts' own users", {
        hint: "Leave --limits out: a kubelet's own user is held by NodeRestriction",
      });
    if (values.image !== undefined) return await printDaemonSet(positionals, values.image, new FlagReader(values));
    const parts = positionals.length > 0 ? (positionals as NodePart[]) : nodeParts;
    const [{ manifest }, { manifestLimits }, { stringify }] = await Promise.all([
      import('./manifest.ts'),
      import('./manifest-limits.ts'),
      import('yaml'),
    ]);
    const roles = manifest({
      parts,
      user: values.user,
      group: values.group,
      clusterDns: new FlagReader(values).ip('cluster-dns'),
    });
    return print([...roles, ...(values.limits ? manifestLimits(parts) : [])], stringify);
  },
});

async function printDaemonSet(parts: readonly string[], image: string, read: FlagReader): Promise<number> {
  const server = read.optional('server');
  if (parts.join() !== 'proxy')
    throw new KnownError('USAGE', 'Cannot print a DaemonSet of another part than the proxy', {
      hint: 'fairlead manifest proxy --image NAME',
    });
  if (server === undefined || !URL.canParse(server))
    throw new KnownError('USAGE', 'Cannot print the DaemonSet: it must know where the API server is before any Service works', {
      hint: '--server https://192.0.2.10:6443, as "kubectl cluster-info" tells it',
    });
  const [{ proxyDaemonSet }, { stringify }, { modes }] = await Promise.all([
    import('./proxy-daemonset.ts'),
    import('yaml'),
    import('../proxy/mode/modes.ts'),
  ]);
  const mode = read.text('proxy-mode');
  if (!Object.hasOwn(modes, mode))
    throw new KnownError('USAGE', `Cannot use --proxy-mode="${mode}": there is no such mode`, {
      hint: `Use ${Object.keys(modes).join(', ')}`,
    });
  return print(proxyDaemonSet({ image, server, clusterCidr: read.cidrs('cluster-cidr').join(), mode }), stringify);
}

function print(objects: readonly KubeObject[], stringify: (object: KubeObject) => string): number {
  process.stdout.write(objects.map((object) => stringify(object)).join('---\n'));
  return 0;
}
