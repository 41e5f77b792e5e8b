import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Command, defineCommand } from '../cli/command.ts';
import { mustCidr } from '../ip/ip.ts';
import { choiceFlag } from './choice.ts';
import { cidrFlag, durationFlag, ipFlag, listFlag, numberFlag, ownAddress, portFlag } from './flag-values.ts';
import { logFormat, logLevel, processLog } from './process-log.ts';

const serverParts = ['controller-manager', 'scheduler'] as const;

export const serverCommand: Command = defineCommand({
  name: 'server',
  summary: 'run the control plane: API server, controllers, scheduler',
  examples: [
    'fairlead server --pki-dir /etc/kubernetes/pki --advertise-address 192.0.2.10',
    "fairlead server --parts='*,-scheduler' # beside a kube-scheduler",
    "fairlead server --controllers='*,-endpointslice-controller' # beside a controller of your own",
  ],
  options: {
    'data-dir': { type: 'string', default: '/var/lib/fairlead/server', value: 'DIR', help: 'where the store lives' },
    store: {
      type: 'string',
      value: 'URL',
      help: 'another store than the file state.db there: sqlite:///DIR/FILE, or memory: to forget all',
    },
    'pki-dir': {
      type: 'string',
      default: '/etc/kubernetes/pki',
      value: 'DIR',
      help: 'certificates and keys, with the names kubeadm gives them',
    },
    'bind-address': { type: 'string', default: '0.0.0.0', value: 'IP', help: 'address to listen on' },
    'secure-port': { type: 'string', default: '6443', value: 'PORT', help: 'port to listen on' },
    'advertise-address': { type: 'string', value: 'IP', help: 'address under which the cluster reaches this server' },
    'cluster-cidr': { type: 'string', default: '10.244.0.0/16', value: 'CIDR', help: 'range of the pods' },
    'node-cidr-mask-size': { type: 'string', default: '24', value: 'BITS', help: "prefix length of a node's part of the pods' range" },
    'service-cluster-ip-range': { type: 'string', default: '10.96.0.0/16', value: 'CIDR', help: 'range of the Services' },
    'service-node-port-range': { type: 'string', default: '30000-32767', value: 'FROM-TO', help: 'range of the node ports' },
    'cluster-dns': { type: 'string', default: '10.96.0.10', value: 'IP', help: 'address of the kube-dns Service; empty for none' },
    'service-account-issuer': {
      type: 'string',
      default: 'https://kubernetes.default.svc.cluster.local',
      value: 'URL',
      help: 'issuer of ServiceAccount tokens',
    },
    'service-account-max-token-expiration': {
      type: 'string',
      default: '0',
      value: 'DURATION',
      help: 'how long a ServiceAccount token may live; who asks for more gets this and a warning; 0 for no limit',
    },
    'service-account-extend-token-expiration': {
      type: 'boolean',
      default: true,
      help: 'let the tokens in pods live for a year, within that limit, for programs that read them once only',
    },
    'max-requests-inflight': { type: 'string', default: '400', value: 'N', help: 'with the next: how many requests are under way at most' },
    'max-mutating-requests-inflight': {
      type: 'string',
      default: '200',
      value: 'N',
      help: 'their sum is shared out among the levels of users',
    },
    'enable-admission-plugins': {
      type: 'string',
      default: '',
      value: 'LIST',
      help: 'admission plugins beside those that are on by default, such as DenyServiceExternalIPs',
    },
    'disable-admission-plugins': {
      type: 'string',
      default: '',
      value: 'LIST',
      help: 'admission plugins that are on by default and shall not be',
    },
    parts: {
      type: 'string',
      default: '*',
      value: 'LIST',
      help: `what runs beside the API server: ${serverParts.join(', ')}; "*,-scheduler" for all but one`,
    },
    controllers: {
      type: 'string',
      default: '*',
      value: 'LIST',
      help: 'which controllers run, by upstream\'s names; "*,-NAME" for all but one',
    },
    'accept-data-loss': {
      type: 'boolean',
      default: false,
      help: 'start with what is left of a damaged store; revisions jump, so that every client reads everything anew',
    },
    'log-level': logLevel,
    'log-format': logFormat,
  },
  async run({ values, signal }) {
    const bindAddress = ipFlag('bind-address', values['bind-address']);
    const isAny = bindAddress === '0.0.0.0' || bindAddress === '::';
    const pods = mustCidr(cidrFlag('cluster-cidr', values['cluster-cidr']));
    const parts = choiceFlag('parts', values.parts, serverParts);
    const nodeCidrMaskSize = numberFlag('node-cidr-mask-size', values['node-cidr-mask-size'], pods.prefix, 30);
    // Loaded only now, so that other commands start fast.
    const [{ runServer }, { controllers }] = await Promise.all([import('./server.ts'), import('../controllers/start.ts')]);
    const chosen = choiceFlag('controllers', values.controllers, Object.keys(controllers));
    return await runServer({
      store: values.store ?? `sqlite://${pathToFileURL(join(values['data-dir'], 'state.db')).pathname}`,
      acceptDataLoss: values['accept-data-loss'],
      pkiDir: values['pki-dir'],
      bindAddress,
      securePort: portFlag('secure-port', values['secure-port']),
      advertiseAddress: ipFlag('advertise-address', values['advertise-address']) ?? (isAny ? ownAddress() : bindAddress),
      clusterCidr: values['cluster-cidr'],
      nodeCidrMaskSize,
      serviceCidr: cidrFlag('service-cluster-ip-range', values['service-cluster-ip-range']),
      nodePortRange: values['service-node-port-range'],
      clusterDns: ipFlag('cluster-dns', values['cluster-dns']),
      issuer: values['service-account-issuer'],
      inflight: {
        requests: numberFlag('max-requests-inflight', values['max-requests-inflight'], 0, 1_000_000),
        mutating: numberFlag('max-mutating-requests-inflight', values['max-mutating-requests-inflight'], 0, 1_000_000),
      },
      maxTokenSeconds: tokenLimit(values['service-account-max-token-expiration']),
      extendTokens: values['service-account-extend-token-expiration'],
      admission: { enabled: listFlag(values['enable-admission-plugins']), disabled: listFlag(values['disable-admission-plugins']) },
      controllers: parts.includes('controller-manager') ? chosen : [],
      runsScheduler: parts.includes('scheduler'),
      log: processLog(values['log-level'], values['log-format']),
      signal,
    });
  },
});

/** Seconds; undefined for none. The bounds are upstream's: a token in a pod is renewed within the hour. */
function tokenLimit(text: string): number | undefined {
  return durationFlag('service-account-max-token-expiration', text, 3600, 2 ** 32) || undefined;
}
