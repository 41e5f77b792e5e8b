/** `fairlead init`. */
import { type Command, defineCommand, switchFlag, textFlag } from '../cli/command.ts';
import { KnownError } from '../errors/known-error.ts';
import { FlagReader } from './flag-reader.ts';
import { documentsOf, durationOf, nodeFlags, requireRoot, setupContext, stayInForeground } from './setup-flags.ts';

export const initCommand: Command = defineCommand({
  name: 'init',
  summary: 'make this machine the control plane of a new cluster',
  usage: '[phase upload-certs]',
  completes: { words: ['phase', 'upload-certs'] },
  examples: [
    'fairlead init # the address is that of the default route',
    'fairlead init --node-cidr 192.168.56.0/24 --proxy-mode ipvs --ipvs-scheduler lc',
    'fairlead init --pod-network-cidr 10.244.0.0/16,fd00:10:244::/56 # of both families, as the Services',
    'fairlead init --config kubeadm.yaml # ClusterConfiguration, InitConfiguration, KubeProxyConfiguration',
    'fairlead init --store etcd=https://10.0.0.1:2379,https://10.0.0.2:2379 --control-plane-endpoint cluster.example:6443 --upload-certs',
    'fairlead init phase upload-certs # on any control plane, for one more: the keys again for two hours, and the commands to join with',
    'fairlead init --token abcdef.0123456789abcdef --no-taint # others may join while it comes up; pods run here too',
  ],
  interrupted: 'what has been done is still there; "fairlead init" goes on, "fairlead reset" takes it away',
  options: {
    ...nodeFlags,
    'pod-network-cidr': textFlag(
      'CIDR[,CIDR]',
      'range of the pods, or one of each family (default: 10.244.0.0/16 and fd00:10:244::/56, of the families of the node)',
    ),
    'service-cidr': textFlag(
      'CIDR[,CIDR]',
      'range of the Services, or one of each family; who asks for none gets the first (default: 10.96.0.0/16 and fd00:10:96::/112)',
    ),
    'service-dns-domain': textFlag('NAME', 'zone of the cluster (default: cluster.local)'),
    'apiserver-advertise-address': textFlag('IP', "the same as --node-ip, by kubeadm's name"),
    'apiserver-bind-port': textFlag('PORT', 'port of the API server (default: 6443)'),
    'apiserver-cert-extra-sans': textFlag('IP|NAME,…', 'under what else the API server is reached'),
    'control-plane-endpoint': textFlag('HOST[:PORT]', 'a name or address for the control plane that stays when its machines change'),
    store: textFlag('URL', 'where the control plane keeps objects, as "fairlead server --store" has it (default: a file on this machine)'),
    'upload-certs': switchFlag('let further control planes join: lay the keys that they need into the cluster, encrypted, for two hours'),
    'certificate-key': textFlag('HEX', 'with --upload-certs: the key with which they are encrypted (default: a new one)'),
    'proxy-mode': {
      type: 'string',
      choices: ['nftables', 'iptables', 'ipvs', 'userspace'],
      help: 'how Services become rules on all nodes (default: nftables)',
    },
    'ipvs-scheduler': textFlag('NAME', 'how connections are spread, such as rr, lc or sh'),
    'network-backend': { type: 'string', choices: ['vxlan', 'host-gw'], help: 'how pods cross nodes (default: vxlan)' },
    'address-pools': textFlag('RANGE,…', 'addresses that Services of type LoadBalancer get, such as 192.0.2.200-192.0.2.220'),
    token: textFlag('TOKEN', 'the bootstrap token, when it is to be known before (default: a new one)'),
    'token-ttl': textFlag('DURATION', 'how long the token may be used; 0 for ever', '24h0m0s'),
    taint: switchFlag('keep pods that do not tolerate it off the control plane', true),
  },
  async run({ values, positionals, signal }) {
    const isUpload = positionals.join(' ') === 'phase upload-certs';
    if (positionals.length > 0 && !isUpload)
      throw new KnownError('USAGE', `Cannot "init ${positionals.join(' ')}"`, {
        hint: 'fairlead init, or fairlead init phase upload-certs',
      });
    requireRoot('make a control plane');
    const context = await setupContext(signal, durationOf('timeout', values.timeout));
    const documents = await documentsOf(values.config, ['init', 'cluster', 'proxy'], context.progress);
    const { certificateKeyOf, printResult } = await import('./init-tasks.ts');
    const certificateKey = certificateKeyOf(
      values['upload-certs'] || isUpload,
      values['certificate-key'] ?? documents.init?.certificateKey,
    );
    if (isUpload) {
      const { runUpload } = await import('../setup/init/upload-phase.ts');
      printResult(context.progress, values.output, await runUpload(context, certificateKey));
      return 0;
    }
    const [{ runInit }, { nodeRoles }] = await Promise.all([import('../setup/init/init.ts'), import('./manifest.ts')]);
    const addressPools = values['address-pools']?.split(',').filter(Boolean) ?? [];
    // Refused now rather than by a controller that logs it later.
    if (addressPools.length > 0) (await import('../cloud/metal/pools.ts')).poolOfRanges(addressPools);
    const port = values['apiserver-bind-port'];
    const [{ nodeWish }, { readEarlierNode }] = await Promise.all([import('./node-wish.ts'), import('../setup/node/earlier-node.ts')]);
    const before = await readEarlierNode();
    const result = await runInit(context, {
      ...nodeWish(values, documents.init?.nodeRegistration, before, true),
      address: { address: values['node-ip'] ?? values['apiserver-advertise-address'], cidr: values['node-cidr'], before: before.addresses },
      documents,
      wish: {
        podSubnet: values['pod-network-cidr'],
        serviceSubnet: values['service-cidr'],
        dnsDomain: values['service-dns-domain'],
        controlPlaneEndpoint: values['control-plane-endpoint'],
        store: values.store,
        bindPort: port === undefined ? undefined : new FlagReader(values).port('apiserver-bind-port'),
        certSans: values['apiserver-cert-extra-sans']?.split(',').filter(Boolean),
        networkBackend: values['network-backend'],
        proxyMode: values['proxy-mode'],
        ipvsScheduler: values['ipvs-scheduler'],
      },
      addressPools,
      certificateKey,
      token: values.token,
      tokenTtlMs: durationOf('token-ttl', values['token-ttl']),
      nodeRoles: nodeRoles(),
    });
    context.progress.note(`Control plane "${result.nodeName}" is ready after ${context.progress.seconds}`);
    printResult(context.progress, values.output, result);
    if (values.foreground) await stayInForeground(context);
    return 0;
  },
});
