/**
 * kubeadm's configuration files: documents of several kinds in one YAML text, with the fields of v1beta3 and v1beta4 that mean something here. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { badConfig, checkField, type Field, type Fields, isTree, withoutNulls } from '../../api/configuration-fields.ts';
import type { Taint } from '../../api/schema/types.ts';
import type { ExternalEtcd } from './shared-store.ts';

/** A map in v1beta3, a list of name and value in v1beta4. */
export type ExtraArgs = Readonly<Record<string, string>> | readonly { readonly name: string; readonly value?: string }[];

export interface NodeRegistration {
  readonly name?: string;
  readonly criSocket?: string;
  /** An empty list is no taint at all; without it the control plane gets its own. */
  readonly taints?: readonly Taint[];
  readonly kubeletExtraArgs?: ExtraArgs;
  readonly ignorePreflightErrors?: readonly string[];
}

export interface BootstrapToken {
  /** Without one, or with an empty one, it is drawn. */
  readonly token?: string;
  readonly description?: string;
  readonly ttl?: string;
  readonly expires?: string;
  readonly usages?: readonly string[];
  readonly groups?: readonly string[];
}

export interface InitConfiguration {
  readonly bootstrapTokens?: readonly BootstrapToken[];
  readonly nodeRegistration?: NodeRegistration;
  readonly localAPIEndpoint?: LocalEndpoint;
  /** Hex, with which the keys of the cluster are uploaded. */
  readonly certificateKey?: string;
}

/** Of the API server on this machine. */
export interface LocalEndpoint {
  readonly advertiseAddress?: string;
  readonly bindPort?: number;
}

export interface ClusterConfiguration {
  readonly clusterName?: string;
  readonly kubernetesVersion?: string;
  readonly controlPlaneEndpoint?: string;
  readonly networking?: { readonly podSubnet?: string; readonly serviceSubnet?: string; readonly dnsDomain?: string };
  readonly apiServer?: { readonly certSANs?: readonly string[] };
  readonly controllerManager?: { readonly extraArgs?: ExtraArgs };
  readonly etcd?: { readonly external?: ExternalEtcd };
}

export interface JoinConfiguration {
  readonly nodeRegistration?: NodeRegistration;
  /** The machine becomes one more control plane. */
  readonly controlPlane?: { readonly localAPIEndpoint?: LocalEndpoint; readonly certificateKey?: string };
  readonly discovery?: {
    readonly bootstrapToken?: {
      readonly token?: string;
      readonly apiServerEndpoint?: string;
      readonly caCertHashes?: readonly string[];
      readonly unsafeSkipCAVerification?: boolean;
    };
    readonly tlsBootstrapToken?: string;
  };
}

/** As it was read: what the service proxy's own reader takes. */
export type ProxyConfiguration = Readonly<Record<string, unknown>>;

export interface Documents {
  readonly init?: InitConfiguration;
  readonly cluster?: ClusterConfiguration;
  readonly join?: JoinConfiguration;
  readonly proxy?: ProxyConfiguration;
}

const nodeRegistration: Fields = {
  name: 'text',
  criSocket: 'text',
  taints: [{ key: 'text', value: 'text', effect: 'text' }],
  kubeletExtraArgs: 'free',
  ignorePreflightErrors: 'texts',
};

const localAPIEndpoint: Fields = { advertiseAddress: 'text', bindPort: 'number' };

const kubeadm = 'kubeadm.k8s.io/';

/** By kind: where it goes, the group of its apiVersion, its fields. */
const kinds: Readonly<Record<string, { readonly part: keyof Documents; readonly group: string; readonly fields: Field }>> = {
  InitConfiguration: {
    part: 'init',
    group: kubeadm,
    fields: {
      bootstrapTokens: [{ token: 'text', description: 'text', ttl: 'text', expires: 'text', usages: 'texts', groups: 'texts' }],
      nodeRegistration,
      localAPIEndpoint,
      certificateKey: 'text',
    },
  },
  ClusterConfiguration: {
    part: 'cluster',
    group: kubeadm,
    fields: {
      clusterName: 'text',
      kubernetesVersion: 'text',
      controlPlaneEndpoint: 'text',
      networking: { podSubnet: 'text', serviceSubnet: 'text', dnsDomain: 'text' },
      apiServer: { certSANs: 'texts' },
      controllerManager: { extraArgs: 'free' },
      // Fairlead runs no etcd: that of kubeadm's "local" is refused by name.
      etcd: { external: { endpoints: 'texts', caFile: 'text', certFile: 'text', keyFile: 'text' } },
    },
  },
  JoinConfiguration: {
    part: 'join',
    group: kubeadm,
    fields: {
      nodeRegistration,
      controlPlane: { localAPIEndpoint, certificateKey: 'text' },
      discovery: {
        bootstrapToken: { token: 'text', apiServerEndpoint: 'text', caCertHashes: 'texts', unsafeSkipCAVerification: 'switch' },
        tlsBootstrapToken: 'text',
      },
    },
  },
  KubeProxyConfiguration: { part: 'proxy', group: 'kubeproxy.config.k8s.io/', fields: 'free' },
};

const printed = {
  nodeRegistration: { imagePullPolicy: 'IfNotPresent', imagePullSerial: true },
  timeouts: {
    controlPlaneComponentHealthCheck: '4m0s',
    discovery: '5m0s',
    etcdAPICall: '2m0s',
    kubeletHealthCheck: '4m0s',
    kubernetesAPICall: '1m0s',
    tlsBootstrap: '5m0s',
    upgradeManifests: '5m0s',
  },
};

/** What "kubeadm config print" writes into a file by itself: it asks for nothing. With another value these fields are refused like any that do nothing. */
const presets: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  InitConfiguration: printed,
  ClusterConfiguration: {
    apiServer: { timeoutForControlPlane: '4m0s' },
    caCertificateValidityPeriod: '87600h0m0s',
    certificateValidityPeriod: '8760h0m0s',
    certificatesDir: '/etc/kubernetes/pki',
    controllerManager: {},
    dns: {},
    encryptionAlgorithm: 'RSA-2048',
    etcd: { local: { dataDir: '/var/lib/etcd' } },
    imageRepository: 'registry.k8s.io',
    proxy: {},
    scheduler: {},
  },
  JoinConfiguration: { ...printed, caCertPath: '/etc/kubernetes/pki/ca.crt', discovery: { timeout: '5m0s' } },
};

function withoutPresets(tree: Readonly<Record<string, unknown>>, preset: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(tree).flatMap(([name, own]) => {
      const below = Object.hasOwn(preset, name) ? preset[name] : undefined;
      if (isDeepStrictEqual(own, below)) return [];
      if (!isTree(own) || !isTree(below) || Object.keys(own).length === 0) return [[name, own]];
      const rest = withoutPresets(own, below);
      return Object.keys(rest).length > 0 ? [[name, rest]] : [];
    }),
  );
}

/** What is so here in any case: keys are ECDSA on P-256. */
function withoutOwn(fields: Readonly<Record<string, unknown>>, part: keyof Documents): Readonly<Record<string, unknown>> {
  const { encryptionAlgorithm, ...others } = fields;
  return part === 'cluster' && encryptionAlgorithm === 'ECDSA-P256' ? others : fields;
}

const versions = ['kubeadm.k8s.io/v1beta3', 'kubeadm.k8s.io/v1beta4'];

/** Reads a configuration file. Throws BAD_CONFIG, naming the field. */
export function readDocuments(text: string): Documents {
  const found: { -readonly [part in keyof Documents]?: object } = {};
  for (const document of parseAllDocuments(text)) {
    const [error] = document.errors;
    if (error) throw badConfig('the configuration', `it is no YAML: ${error.message.split('\n')[0]}`, 'It takes YAML or JSON');
    const value: unknown = document.toJS();
    if (value === null || value === undefined) continue;
    const [part, read] = readDocument(value);
    if (found[part]) throw badConfig('the configuration', `it has two documents for ${part}`, 'Make them one');
    found[part] = read;
  }
  return found as Documents;
}

function readDocument(value: unknown): [keyof Documents, object] {
  if (!isTree(value)) throw badConfig('the configuration', 'a document of it has no fields', 'Begin each with apiVersion and kind');
  const { apiVersion, kind, ...given } = value;
  const known = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (!known || !String(apiVersion).startsWith(known.group))
    throw badConfig('the configuration', `it has a "${kind}" of "${apiVersion}"`, `It takes ${Object.keys(kinds).join(', ')}`);
  if (known.group === kubeadm && !versions.includes(String(apiVersion)))
    throw badConfig('the configuration', `${kind} is of "${apiVersion}"`, `It takes ${versions.join(' and ')}`);
  const fields = withoutPresets(withoutOwn(given, known.part), presets[String(kind)] ?? {});
  checkField(fields, known.fields, String(kind));
  checkValues(fields as Registered, String(kind));
  return [known.part, known.part === 'proxy' ? value : withoutNulls(fields)];
}

interface Registered {
  readonly nodeRegistration?: NodeRegistration | null;
  readonly controllerManager?: ClusterConfiguration['controllerManager'] | null;
  readonly bootstrapTokens?: readonly Partial<BootstrapToken>[] | null;
}

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

/** What the kinds of fields do not say. Throws BAD_CONFIG, naming the field. */
function checkValues({ nodeRegistration, controllerManager, bootstrapTokens }: Registered, kind: string): void {
  for (const [i, { key, effect }] of (nodeRegistration?.taints ?? []).entries()) {
    const at = `"${kind}.nodeRegistration.taints[${i}]`;
    if (!key) throw badConfig(`${at}.key"`, 'it is not there', 'Name the taint');
    if (!effects.includes(effect)) throw badConfig(`${at}.effect"`, `"${effect}" is none`, `It takes ${effects.join(', ')}`);
  }
  checkArguments(nodeRegistration?.kubeletExtraArgs, `${kind}.nodeRegistration.kubeletExtraArgs`);
  checkArguments(controllerManager?.extraArgs, `${kind}.controllerManager.extraArgs`);
  for (const [i, { ttl, expires }] of (bootstrapTokens ?? []).entries()) {
    const at = `"${kind}.bootstrapTokens[${i}]`;
    if (ttl && expires) throw badConfig(`${at}.expires"`, 'it has a ttl as well, and one of them says nothing', 'Take one of them out');
  }
}

/** Both forms are taken in both versions. */
function checkArguments(args: unknown, path: string): void {
  if (args === null || args === undefined) return;
  const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
  // Without a value it is one of no text, as in Go.
  const isPair = (one: unknown): boolean =>
    isTree(one) &&
    typeof one.name === 'string' &&
    isScalar(one.value ?? '') &&
    Object.keys(one).every((name) => name === 'name' || name === 'value');
  if (Array.isArray(args) ? args.every(isPair) : isTree(args) && Object.values(args).every(isScalar)) return;
  throw badConfig(
    `"${path}"`,
    'it is no list of name and value, and no map',
    'Write it as [{ name: NAME, value: VALUE }], in v1beta3 { NAME: VALUE }',
  );
}

/** As text, also what stands in YAML as a number: an argument is one, and compared as one. */
export function argumentPairs(extraArgs: ExtraArgs): (readonly [name: string, value: string])[] {
  const all = Array.isArray(extraArgs)
    ? extraArgs.map(({ name, value = '' }: { name: string; value?: string }) => [name, value] as const)
    : Object.entries(extraArgs as Readonly<Record<string, string>>);
  return all.map(([name, value]) => [name, String(value)]);
}

/** By name; every other than the `known` is refused. `at` is the field that has them. Throws BAD_CONFIG. */
export function argumentsIn(extraArgs: ExtraArgs, at: string, known: readonly string[]): Readonly<Record<string, string>> {
  const all = argumentPairs(extraArgs);
  const stray = all.find(([name]) => !known.includes(name));
  if (stray === undefined) return Object.fromEntries(all);
  const hint = `Take it out; what it takes there is ${known.join(', ')}`;
  throw badConfig(`"${at}.${stray[0]}"`, 'Fairlead has no such setting', hint);
}

/** `node-ip` of the kubelet's arguments, undefined where it is empty; every other is refused. */
export function nodeIpArgument({ kubeletExtraArgs = {} }: NodeRegistration): string | undefined {
  return argumentsIn(kubeletExtraArgs, 'nodeRegistration.kubeletExtraArgs', ['node-ip'])['node-ip'] || undefined;
}

/**
 * The addresses of a node, with a comma between two: that of its API server first, and as the kubelet's `node-ip` the same, or one of each family. Throws
 * BAD_CONFIG, also for any other argument.
 */
export function addressIn(registration: NodeRegistration = {}, endpoint: LocalEndpoint = {}): string | undefined {
  // What is empty in a file is as if it were not there, as with kubeadm.
  const advertiseAddress = endpoint.advertiseAddress || undefined;
  const nodeIp = nodeIpArgument(registration);
  const all = nodeIp?.split(',').map((ip) => ip.trim()) ?? [];
  if (advertiseAddress === undefined || nodeIp === undefined) return advertiseAddress ?? nodeIp;
  if (all.includes(advertiseAddress)) return [advertiseAddress, ...all.filter((ip) => ip !== advertiseAddress)].join();
  throw badConfig(
    `"nodeRegistration.kubeletExtraArgs.node-ip" "${nodeIp}"`,
    `localAPIEndpoint.advertiseAddress is ${advertiseAddress}, and a node is known by the address of its API server here`,
    'Name it in both, or leave one of them out',
  );
}

/** Kinds of documents in a file for another command, which kubeadm passes over as well. */
export function strayKinds(documents: Documents, taken: readonly (keyof Documents)[]): string[] {
  return Object.entries(kinds).flatMap(([kind, { part }]) => (documents[part] !== undefined && !taken.includes(part) ? [kind] : []));
}
