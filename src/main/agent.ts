/**
 * A node in one process: kubelet, pod network with its CNI server, service proxy, DNS. Each part has a user of its own, and is loaded only
 * where it runs: a proxy alone starts without the other parts' modules.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { KubeObject, ResourceType } from '../api/resource-types.ts';
import type { Client } from '../client/client.ts';
import type { Informer } from '../client/informer.ts';
import { InformerSet } from '../client/informers.ts';
import { aborted } from '../clock/aborted.ts';
import { type Clock, systemClock } from '../clock/clock.ts';
import { KnownError, messageOf } from '../errors/known-error.ts';
import { sourceAddressTo } from '../linux/source-address.ts';
import type { UnderlayWish } from '../net-agent/plan/underlay.ts';
import type { Log } from '../observability/log.ts';
import type { AgentPart } from './agent-command.ts';
import { parseLabels, parseTaints } from './node-flags.ts';
import { partClient } from './part-client.ts';

/** Of the kubelet's server. Without `cert` and `key` it signs a certificate for itself, as upstream's kubelet does. */
export interface TlsFiles {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly clientCa: string;
}

export interface AgentSettings {
  /** The others are somebody else's here: nothing of theirs is read or touched. */
  readonly parts: readonly AgentPart[];
  readonly nodeName: string;
  readonly nodeIp: string | undefined;
  /** How the pod network finds its link to the other nodes. */
  readonly underlay: UnderlayWish;
  readonly kubeconfigDir: string;
  /** For the parts that have none of their own in `kubeconfigDir`. */
  readonly kubeconfig: string | undefined;
  readonly tlsFiles: TlsFiles;
  readonly runtimeEndpoint: string;
  readonly rootDir: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly podManifestPath: string | undefined;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  readonly clusterDns: string;
  readonly clusterDomain: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly resolvConf: string;
  readonly taints: string;
  readonly labels: string;
  readonly vni: number;
  readonly vxlanPort: number;
  /** `HOST:PORT` each; absent: nowhere. */
  readonly dnsHttp: Readonly<Record<'healthAddress' | 'readyAddress' | 'metricsAddress', string | undefined>>;
  readonly dnsLameduckMs: number | undefined;
  readonly dnsMaxWatchAgeMs: number | undefined;
  readonly proxyHttp: Readonly<Record<'healthzAddress' | 'metricsAddress', string | undefined>>;
  /** A file with a KubeProxyConfiguration. */
  readonly proxyConfig: string | undefined;
  readonly masqueradePods: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Informers of one user, but for the resources that another part of this process watches already. */
class SharingInformers extends InformerSet {
  readonly #shared: InformerSet;
  readonly #resources: readonly string[];

  constructor(client: Client, options: { readonly clock: Clock; readonly log: Log }, shared: InformerSet, resources: readonly string[]) {
    super(client, options);
    this.#shared = shared;
    this.#resources = resources;
  }

  override of<T extends KubeObject>(type: ResourceType<T>, selection: Parameters<InformerSet['of']>[1] = {}): Informer<T> {
    return this.#resources.includes(type.resource) ? this.#shared.of(type, selection) : super.of(type, selection);
  }
}

function definedOnly<K extends string, V>(options: Readonly<Record<K, V | undefined>>): Partial<Record<K, V>> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<Record<K, V>>;
}

/** Of TEST-NET-1: its route is the default route. */
const somewhere = '192.0.2.1';

/**
 * The address from which this machine speaks to the API server, which is where the other nodes are; on the API server's own machine
 * that of the default route, and without one the first that is not loopback.
 */
async function ownAddress(apiServer: string | undefined): Promise<string> {
  const byRoute = (apiServer && (await sourceAddressTo(apiServer))) ?? (await sourceAddressTo(somewhere));
  const found = Object.values(networkInterfaces())
    .flat()
    .find((a) => a && !a.internal && a.family === 'IPv4');
  const address = byRoute || found?.address;
  if (address) return address;
  throw new KnownError('BAD_CONFIG', 'Cannot tell the address of this node', { hint: 'Give it: --node-ip 192.0.2.1' });
}

async function readTls({ cert, key, clientCa }: TlsFiles, node: string, ip: string): Promise<Record<'cert' | 'key' | 'clientCa', string>> {
  const ca = await readFile(clientCa, 'utf8');
  if (cert !== undefined && key !== undefined)
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8'), clientCa: ca };
  const { createAuthority, issueCertificate } = await import('../bootstrap/certificate.ts');
  const now = systemClock.now();
  const request = { commonName: node, dnsNames: [node], ips: ip.split(','), usages: ['server'] as const };
  const pair = await issueCertificate(await createAuthority(`${node}-ca`, now), request, now);
  return { cert: pair.certPem, key: pair.keyPem, clientCa: ca };
}

export async function runAgent(settings: AgentSettings): Promise<number> {
  const { nodeName, signal, log } = settings;
  const clock = systemClock;
  const stop = new AbortController();
  const ending = AbortSignal.any([signal, stop.signal]);
  const clientOf = async (part: AgentPart): Promise<Client | undefined> => {
    const own = join(settings.kubeconfigDir, `${part}.kubeconfig`);
    const path = settings.kubeconfig === undefined || existsSync(own) ? own : settings.kubeconfig;
    return settings.parts.includes(part) ? await partClient(part, path, nodeName) : undefined;
  };
  const [kubeletClient, proxyClient, netClient, dnsClient] = await Promise.all([
    clientOf('kubelet'),
    clientOf('proxy'),
    clientOf('net-agent'),
    clientOf('dns'),
  ]);

  const client = kubeletClient ?? netClient ?? dnsClient;
  const apiServer = client && new URL(client.server).hostname.replace(/^\[|\]$/g, '');
  // The proxy alone asks no interface: it has the Node's own addresses, and none is needed to reach the API server over loopback.
  const nodeIp = settings.nodeIp ?? (client ? await ownAddress(apiServer) : '');

  // Whatever can be wrong with the settings is found before anything of this machine is touched.
  const [taints, labels] = [parseTaints(settings.taints), parseLabels(settings.labels)];
  const { tlsFiles } = settings;
  const tls = kubeletClient && (await readTls(tlsFiles, nodeName, nodeIp));
  // Without files every look would sign another certificate.
  const renewedTls = tlsFiles.cert === undefined ? {} : { readTls: () => readTls(tlsFiles, nodeName, nodeIp) };
  const proxySettings =
    settings.proxyConfig === undefined
      ? {}
      : (await import('../proxy/config.ts')).readProxyConfig(await readFile(settings.proxyConfig, 'utf8'));

  const running: Promise<unknown>[] = [];
  try {
    if (netClient) {
      const informers = new InformerSet(netClient, { clock, log: log.child({ part: 'net-agent' }) });
      const [{ startCniServer }, { startNetAgent }] = await Promise.all([import('../cni/start.ts'), import('../net-agent/start.ts')]);
      const cni = await startCniServer({
        socket: join(settings.runDir, 'cni.sock'),
        stateDir: join(settings.stateDir, 'cni'),
        confDir: settings.cniConfDir,
        binDir: settings.cniBinDir,
        log: log.child({ part: 'cni' }),
        clock,
        signal: ending,
      });
      const network = startNetAgent({
        client: netClient,
        informers,
        nodeName,
        config: { Network: settings.clusterCidr, Backend: { Type: 'vxlan', VNI: settings.vni, Port: settings.vxlanPort } },
        runDir: '/run/flannel',
        underlay: settings.underlay,
        ...(apiServer === undefined ? {} : { apiServer }),
        masquerade: settings.masqueradePods,
        onNetwork: (n) => cni.setNetwork(n),
        log: log.child({ part: 'net-agent' }),
        clock,
        signal: ending,
      });
      running.push(cni.stopped, network.stopped, informers.start(ending));
    }

    const kubelet =
      kubeletClient && tls
        ? await (await import('../kubelet/kubelet.ts')).startKubelet({
            client: kubeletClient,
            nodeName,
            nodeIp,
            runtimeEndpoint: settings.runtimeEndpoint,
            rootDir: settings.rootDir,
            ...(settings.podManifestPath === undefined ? {} : { podManifestPath: settings.podManifestPath }),
            clusterDns: [settings.clusterDns],
            clusterDomain: settings.clusterDomain,
            tls,
            ...renewedTls,
            taints,
            labels,
            registerNode: true,
            port: 10250,
            resolvConf: settings.resolvConf,
            clock,
            log: log.child({ part: 'kubelet' }),
            signal: ending,
          })
        : undefined;

    // Proxy and DNS read the same Services and EndpointSlices.
    const proxyInformers = proxyClient && new InformerSet(proxyClient, { clock, log: log.child({ part: 'proxy' }) });
    if (proxyClient && proxyInformers) {
      const { startProxy } = await import('../proxy/proxy.ts');
      const proxy = await startProxy({
        client: proxyClient,
        informers: proxyInformers,
        nodeName,
        ...(settings.nodeIp === undefined ? {} : { nodeIps: [settings.nodeIp] }),
        clusterCidrs: settings.clusterCidr.split(',').filter(Boolean),
        serviceCidrs: settings.serviceCidr.split(',').filter(Boolean),
        ...definedOnly(settings.proxyHttp),
        ...proxySettings,
        clock,
        log: log.child({ part: 'proxy' }),
        signal: ending,
      });
      void proxy.synced.then(() => log.child({ part: 'proxy' }).info('Services are programmed'));
    }
    if (dnsClient) {
      const [{ startDns }, { resolversOf }] = await Promise.all([
        import('../dns/start.ts'),
        import('../dns/plugin/forward/resolv-conf.ts'),
      ]);
      const options = { clock, log: log.child({ part: 'dns' }) };
      const informers = proxyInformers
        ? new SharingInformers(dnsClient, options, proxyInformers, ['services', 'endpointslices'])
        : new InformerSet(dnsClient, options);
      const dns = await startDns({
        client: dnsClient,
        informers,
        zone: settings.clusterDomain,
        listen: [{ address: nodeIp, port: 53 }],
        upstreams: resolversOf(settings.resolvConf),
        ranges: [settings.clusterCidr, settings.serviceCidr].filter(Boolean),
        publish: { namespace: 'kube-system', service: 'kube-dns', nodeName },
        ...definedOnly(settings.dnsHttp),
        ...definedOnly({ lameduckMs: settings.dnsLameduckMs, maxWatchAgeMs: settings.dnsMaxWatchAgeMs }),
        clock,
        log: log.child({ part: 'dns' }),
        signal: ending,
      });
      running.push(informers.start(ending), dns.stopped);
      void dns.synced.then(() => log.child({ part: 'dns' }).info(`DNS answers on ${nodeIp}:53`));
    }
    if (proxyInformers) running.push(proxyInformers.start(ending));
    await aborted(signal);
    log.info('Stopping; pods and rules stay');
    stop.abort();
    await kubelet?.close();
    await Promise.allSettled(running);
    return 0;
  } catch (err) {
    stop.abort(err);
    log.error(`Cannot run node "${nodeName}": ${messageOf(err)}`);
    throw err;
  }
}
