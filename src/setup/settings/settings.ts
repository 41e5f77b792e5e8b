/**
 * What is the same on every node lies in the cluster, in the ConfigMaps that kubeadm and flannel use, so that no node needs a flag for it
 * and one edit changes all: here a plan becomes those ConfigMaps, and they become what a node needs. Pure.
 */
import { parse, stringify } from 'yaml';
import type { ConfigMap } from '../../api/schema/types.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import { familyOf } from '../../ip/ip.ts';
import { type ClusterPlan, clusterPresets } from '../config/cluster-plan.ts';
import { externalEtcd, moreOptions, storeKind } from '../config/shared-store.ts';

export const settingsNamespace = 'kube-system';
/** By what they say. */
export const settingsNames = {
  cluster: 'kubeadm-config',
  kubelet: 'kubelet-config',
  proxy: 'kube-proxy',
  network: 'kube-flannel-cfg',
} as const;

type Source = keyof typeof settingsNames;
export type SettingsSources = Readonly<Partial<Record<Source, ConfigMap>>>;

/** Under what key each ConfigMap has its text. */
export const settingsKeys: Readonly<Record<Source, string>> = {
  cluster: 'ClusterConfiguration',
  kubelet: 'kubelet',
  proxy: 'config.conf',
  network: 'net-conf.json',
};

export interface NodeSettings {
  readonly podSubnet: string;
  readonly serviceSubnet: string;
  readonly dnsDomain: string;
  readonly dnsAddress: string;
  readonly backend: { readonly type: string; readonly vni: number; readonly port: number };
  /** The net-conf.json as it stands in the cluster; of `backend` where it does not. */
  readonly networkConfiguration: string;
  /** A KubeProxyConfiguration as it stands in the cluster. */
  readonly proxyConfiguration: string;
}

/** The ConfigMaps of a new cluster. */
export function settingsObjects(plan: ClusterPlan): ConfigMap[] {
  const texts: Readonly<Record<Source, string>> = {
    cluster: stringify(clusterConfiguration(plan)),
    kubelet: stringify(kubeletConfiguration(plan)),
    proxy: stringify(plan.proxy),
    // `net-conf.json` of flannel, as its own ConfigMap has it.
    network: `${JSON.stringify({ ...networkOf(plan.podSubnet), Backend: { Type: plan.networkBackend } }, undefined, 2)}\n`,
  };
  return (Object.keys(settingsNames) as Source[]).map((source) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: settingsNames[source],
      namespace: settingsNamespace,
      ...(source === 'cluster' && plan.store !== undefined ? { annotations: storeAnnotations(plan.store) } : {}),
    },
    data: { [settingsKeys[source]]: texts[source] },
  }));
}

/** Flannel has a switch for each family, of which IPv4 is on by itself. */
function networkOf(podSubnet: string): object {
  const [four, six] = ([4, 6] as const).map((family) => podSubnet.split(',').find((range) => familyOf(range) === family));
  return {
    ...(four === undefined ? { EnableIPv4: false } : { Network: four }),
    ...(six === undefined ? {} : { EnableIPv6: true, IPv6Network: six }),
  };
}

/** What flannel's configuration says of the ranges of pods. */
function podSubnetIn({ Network: four, IPv6Network: six, ...network }: Tree): string | undefined {
  const ranges = [network.EnableIPv4 === false ? undefined : four, network.EnableIPv6 === true ? six : undefined];
  return ranges.filter((range) => typeof range === 'string').join() || undefined;
}

export const storeAnnotation = 'fairlead.dev/store';

/** What of the store's URL `etcd.external` has no word for. */
export const storeOptionsAnnotation = 'fairlead.dev/store-options';

/** Of what kind the store is: kubeadm's ClusterConfiguration has words for etcd alone, and a URL may have a password in it. */
export function storeAnnotations(store: string | undefined): Readonly<Record<string, string>> {
  return store === undefined ? {} : { [storeAnnotation]: storeKind(store), [storeOptionsAnnotation]: moreOptions(store) };
}

/** Of `--address-pools`. */
export const defaultPool = 'default';
export const poolsName = 'metal-address-pools';

/** The pool that the cloud controller gives load balancers their addresses out of, as MetalLB's configuration has it. */
export function addressPoolsObject(addresses: readonly string[]): ConfigMap {
  const config = stringify({ 'address-pools': [{ name: defaultPool, protocol: 'layer2', addresses }] });
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: poolsName, namespace: settingsNamespace }, data: { config } };
}

function clusterConfiguration(plan: ClusterPlan): object {
  const { podSubnet, serviceSubnet, dnsDomain } = plan;
  const external = externalEtcd(plan.store);
  const masks = Object.entries(plan.nodeMasks);
  return {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'ClusterConfiguration',
    clusterName: plan.clusterName,
    ...(plan.kubernetesVersion === undefined ? {} : { kubernetesVersion: plan.kubernetesVersion }),
    ...(plan.hasEndpoint ? { controlPlaneEndpoint: plan.endpoint } : {}),
    networking: { podSubnet, serviceSubnet, dnsDomain },
    ...(plan.certSans.length > 0 ? { apiServer: { certSANs: plan.certSans } } : {}),
    ...(masks.length > 0 ? { controllerManager: { extraArgs: masks.map(([name, value]) => ({ name, value })) } } : {}),
    ...(external ? { etcd: { external } } : {}),
    certificatesDir: '/etc/kubernetes/pki',
  };
}

/** Our kubelet needs the DNS of it alone; the rest is for a stock kubelet that kubeadm joins. */
function kubeletConfiguration({ dnsAddress, dnsDomain }: ClusterPlan): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: '/etc/kubernetes/pki/ca.crt' } },
    authorization: { mode: 'Webhook' },
    // Debian's containerd has it, and our nodes take no other; kubeadm would write systemd.
    cgroupDriver: 'cgroupfs',
    clusterDNS: [dnsAddress],
    clusterDomain: dnsDomain,
    rotateCertificates: true,
    serverTLSBootstrap: true,
    staticPodPath: '/etc/kubernetes/manifests',
  };
}

type Tree = { readonly [name: string]: unknown };

/** Throws BAD_CONFIG, naming the ConfigMap. */
export function settingsOf(sources: SettingsSources): NodeSettings {
  const read = (source: Source): Tree => treeOf(source, sources[source]);
  const [cluster, kubelet, proxy, network] = [read('cluster'), read('kubelet'), read('proxy'), read('network')];
  const networking = (cluster.networking ?? {}) as Tree;
  const dns = (kubelet.clusterDNS ?? []) as readonly string[];
  const podSubnet = networking.podSubnet ?? podSubnetIn(network);
  if (typeof podSubnet !== 'string') throw missing('cluster', 'networking.podSubnet');
  if (typeof networking.serviceSubnet !== 'string') throw missing('cluster', 'networking.serviceSubnet');
  if (dns[0] === undefined) throw missing('kubelet', 'clusterDNS');
  return {
    podSubnet,
    serviceSubnet: networking.serviceSubnet,
    dnsDomain: String(networking.dnsDomain ?? clusterPresets.dnsDomain),
    dnsAddress: dns[0],
    backend: backendOf(network),
    networkConfiguration: sources.network ? followedText('network', sources.network) : networkText(backendOf(network)),
    proxyConfiguration: proxyText(proxy, sources.proxy, podSubnet),
  };
}

/** Of a parsed net-conf.json. Throws BAD_CONFIG for what no flag can say. */
export function backendOf({ Backend }: Tree): NodeSettings['backend'] {
  const { Type = clusterPresets.networkBackend, VNI = 1, Port = 8472 } = (Backend ?? {}) as Tree;
  const [type, vni, port] = [String(Type), Number(VNI), Number(Port)];
  if (!networkBackends.includes(type)) throw unusable(`Backend.Type "${type}"`);
  if (!isWithin(vni, 2 ** 24 - 1)) throw unusable(`Backend.VNI ${VNI}`);
  if (!isWithin(port, 65_535)) throw unusable(`Backend.Port ${Port}`);
  return { type, vni, port };
}

const networkBackends: readonly string[] = ['vxlan', 'host-gw'];

function isWithin(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}

/** A net-conf.json that says as much. */
export function networkText({ type, vni, port }: NodeSettings['backend']): string {
  return JSON.stringify({ Backend: { Type: type, VNI: vni, Port: port } });
}

/** What a node's parts follow, as they read it: net-conf.json is JSON, whatever YAML somebody has written. Throws BAD_CONFIG. */
export function followedText(source: 'proxy' | 'network', map: ConfigMap): string {
  if (source === 'proxy') return map.data?.[settingsKeys.proxy] ?? '';
  const network = treeOf(source, map);
  // What cannot be started with is not kept for the next start.
  backendOf(network);
  return JSON.stringify(network);
}

/** Without a ConfigMap, which who runs another proxy may not have, the presets. */
function proxyText(proxy: Tree, source: ConfigMap | undefined, podSubnet: string): string {
  const text = source?.data?.[settingsKeys.proxy];
  if (text !== undefined && proxy.kind !== undefined) return text;
  return JSON.stringify({ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', clusterCIDR: podSubnet });
}

function treeOf(source: Source, map: ConfigMap | undefined): Tree {
  try {
    return (parse(map?.data?.[settingsKeys[source]] ?? '') ?? {}) as Tree;
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot read "${settingsKeys[source]}" of ConfigMap "${where(source)}": ${messageOf(err)}`, {
      hint: `Mend it: kubectl -n ${settingsNamespace} edit configmap ${settingsNames[source]}`,
      cause: err,
    });
  }
}

function where(source: Source): string {
  return `${settingsNamespace}/${settingsNames[source]}`;
}

function unusable(what: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot use ${what} of ConfigMap "${where('network')}"`, {
    hint: `Backend.Type is ${networkBackends.join(' or ')}: kubectl -n ${settingsNamespace} edit configmap ${settingsNames.network}`,
  });
}

function missing(source: Source, field: string): KnownError {
  return new KnownError('BAD_CONFIG', `Cannot tell what this node needs to know: ConfigMap "${where(source)}" has no ${field}`, {
    hint: `Add it: kubectl -n ${settingsNamespace} edit configmap ${settingsNames[source]}`,
  });
}

/** The flags of "fairlead agent" that these settings stand for; `files` is where a node keeps the texts of its copy. */
export function agentFlags(settings: NodeSettings, files: Readonly<Record<'proxy' | 'network', string>>): Readonly<Record<string, string>> {
  return {
    'cluster-cidr': settings.podSubnet,
    'service-cidr': settings.serviceSubnet,
    'cluster-domain': settings.dnsDomain,
    'cluster-dns': settings.dnsAddress,
    'network-backend': settings.backend.type,
    'vxlan-vni': String(settings.backend.vni),
    'vxlan-port': String(settings.backend.port),
    'net-config-path': files.network,
    'proxy-config': files.proxy,
  };
}
