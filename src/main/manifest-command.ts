/** `fairlead manifest`: the roles for parts of a node on an API server that is not ours. */
import { type NodePart, nodeParts } from '../api/node-parts.ts';
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { KnownError } from '../errors/known-error.ts';
import { FlagReader } from './flag-reader.ts';

export const manifestCommand: Command = defineCommand({
  name: 'manifest',
  summary: 'print the roles that parts of a node need on an API server that is not ours',
  usage: '[proxy] [net-agent] [dns]',
  examples: [
    'fairlead manifest | kubectl apply -f - # each part has its own kubeconfig, on every node',
    'fairlead manifest --limits | kubectl apply -f - # and holds each part to its own node',
    "fairlead manifest --group system:nodes | kubectl apply -f - # all use the kubelet's kubeconfig",
    'fairlead manifest proxy --user system:serviceaccount:kube-system:proxy # what is printed for a ServiceAccount',
  ],
  options: {
    user: textFlag('NAME', 'who gets the rights (default: the group of each part, such as system:fairlead:dns)'),
    group: textFlag('NAME', 'the same for a group'),
    limits: switchFlag(
      'also admission policies that hold each part to its own node (Kubernetes 1.30 and later; our own API server does it anyway)',
    ),
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
    const objects = [...roles, ...(values.limits ? manifestLimits(parts) : [])];
    process.stdout.write(objects.map((object) => stringify(object)).join('---\n'));
    return 0;
  },
});
