/** `fairlead join`. */
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { documentsOf, durationOf, nodeFlags, requireRoot, setupContext, stayInForeground } from './setup-flags.ts';

export const joinCommand: Command = defineCommand({
  name: 'join',
  summary: 'make this machine a node of a cluster, or one more control plane of it',
  usage: 'HOST:PORT',
  examples: [
    'fairlead join 192.168.56.10:6443 --token TOKEN --discovery-token-ca-cert-hash sha256:HASH # as "fairlead init" printed it',
    'fairlead join cluster.example:6443 --token TOKEN --discovery-token-ca-cert-hash sha256:HASH --control-plane --certificate-key KEY',
    'fairlead join 192.168.56.10:6443 --token TOKEN --discovery-token-ca-cert-hash sha256:HASH --node-cidr 192.168.56.0/24 --timeout 30m',
  ],
  interrupted: 'what has been done is still there; the same command goes on, "fairlead reset" takes it away',
  options: {
    ...nodeFlags,
    token: textFlag('TOKEN', 'a bootstrap token: "fairlead init" prints one'),
    'discovery-token': textFlag('TOKEN', "the same as --token, by kubeadm's name"),
    'discovery-token-ca-cert-hash': {
      ...textFlag('sha256:HEX', "of the public key of the cluster's authority; several while it is being changed"),
      several: true,
    },
    'control-plane': switchFlag('become one more control plane: its store must be one that machines share'),
    'certificate-key': textFlag('HEX', 'with which its keys were uploaded; without, the files must have been copied here'),
    'apiserver-advertise-address': textFlag('IP', "the same as --node-ip, by kubeadm's name"),
    'apiserver-bind-port': textFlag('PORT', 'port of the API server on this machine (default: 6443)'),
    store: textFlag('URL', 'the store, for who has copied the files and has one that kubeadm-config does not name'),
    taint: switchFlag('keep pods that do not tolerate it off this control plane', true),
    'discovery-token-unsafe-skip-ca-verification': switchFlag('trust whoever knows the token, also another machine that joined by it'),
  },
  async run({ values, positionals, signal }) {
    requireRoot('join a cluster');
    const context = await setupContext(signal, durationOf('timeout', values.timeout));
    const { join = {} } = await documentsOf(values.config, ['join'], context.progress);
    const [{ runJoin }, { parseToken }, { parseHash }, { manifest }] = await Promise.all([
      import('../setup/join/join.ts'),
      import('../setup/token/token.ts'),
      import('../setup/discovery/public-key-hash.ts'),
      import('./manifest.ts'),
    ]);
    const { controlPlaneWish, discoveryOf } = await import('./join-tasks.ts');
    const [{ nodeWish }, { readEarlierNode }] = await Promise.all([import('./node-wish.ts'), import('../setup/node/earlier-node.ts')]);
    const before = await readEarlierNode();
    const discovery = discoveryOf(join, positionals, {
      token: values.token ?? values['discovery-token'],
      hashes: values['discovery-token-ca-cert-hash']?.split(',').filter(Boolean),
      isUnsafe: values['discovery-token-unsafe-skip-ca-verification'],
    });
    const controlPlane = controlPlaneWish(values, join.controlPlane, before.apiPort);
    const { addressIn } = await import('../setup/config/documents.ts');
    const inFile = addressIn(join.nodeRegistration, join.controlPlane?.localAPIEndpoint);
    const result = await runJoin(context, {
      ...nodeWish(values, join.nodeRegistration, before, controlPlane !== undefined),
      address: {
        address: values['node-ip'] ?? values['apiserver-advertise-address'] ?? inFile,
        cidr: values['node-cidr'],
        before: before.addresses,
      },
      controlPlane,
      endpoint: discovery.endpoint,
      token: parseToken(discovery.token),
      hashes: discovery.hashes.map(parseHash),
      nodeRoles: manifest({ parts: ['proxy', 'net-agent', 'dns'], group: 'system:nodes', clusterDns: '' }),
    });
    const { nodeName, kubeconfig } = result;
    if (values.output === 'json') process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
    else {
      context.progress.note(`${controlPlane ? 'Control plane' : 'Node'} "${nodeName}" is ready after ${context.progress.seconds}`);
      if (kubeconfig !== undefined) process.stdout.write(`export KUBECONFIG=${kubeconfig}\n`);
    }
    if (values.foreground) await stayInForeground(context);
    return 0;
  },
});
