/** Looks at a living node: the edge under `doctor.ts`. Reads files, asks tools, the kernel and the API server; changes nothing. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readIfThere } from '../../bootstrap/secret-file.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Exec } from '../../linux/exec.ts';
import { Rtnetlink } from '../../linux/netlink/rtnetlink.ts';
import { maxNameservers, parseResolvConf } from '../../linux/resolv-conf.ts';
import { findCertificates, keyPathOf } from '../certs/certs.ts';
import { familiesOf } from '../config/ranges.ts';
import { storeKind } from '../config/shared-store.ts';
import { layout } from '../layout.ts';
import { networksOf, nodeAddresses, ownAddresses } from '../node-address.ts';
import { gatherFacts } from '../preflight/gather.ts';
import { runningFlags } from '../service/running-flags.ts';
import { envFile, readEnv } from '../service/service.ts';
import { keptSettings } from '../settings/node-settings.ts';
import type { NodeSettings } from '../settings/settings.ts';
import type { SetupContext } from '../setup-context.ts';
import { askCluster } from './ask-cluster.ts';
import { askPeers } from './ask-peers.ts';
import type { DoctorFacts, LinkFact, RulesByFamily, ServiceFact } from './facts.ts';

export interface DoctorRequest {
  /** Who is asked in whose name. */
  readonly kubeconfig: string;
  /** Where the agent keeps its copy of the cluster's settings. */
  readonly settingsDir: string;
  /** Instead of that of the agent. */
  readonly nodeName: string | undefined;
  readonly hostName: string;
  readonly runtimeEndpoint: string | undefined;
}

/** Flags as variables. */
export type Env = Readonly<Record<string, string | undefined>>;

export async function gatherDoctorFacts(context: SetupContext, request: DoctorRequest): Promise<DoctorFacts> {
  const { exec, clock } = context;
  const kept = { server: await envOf('server'), agent: await envOf('agent') };
  const services = await lookAtServices(context, kept);
  // What init and join have not set up may run all the same: a node of a lab, or one that somebody has made by hand.
  const { server = await runningFlags('server'), agent = await runningFlags('agent') } = kept;
  const settings = await keptSettings(request.settingsDir);
  const nodeName = request.nodeName ?? agent?.FAIRLEAD_NODE_NAME ?? request.hostName;
  const { cluster, nodes, skewMs } = await askCluster(kubeconfigFor(request.kubeconfig, agent), nodeName, context);
  const own = ownAddresses();
  const addresses = await addressesOf(agent?.FAIRLEAD_NODE_IP?.split(','), own, 'server' in cluster ? cluster.server : undefined);
  const endpoint = request.runtimeEndpoint ?? agent?.FAIRLEAD_RUNTIME_ENDPOINT ?? layout.runtimeEndpoint;
  const machine = await gatherFacts({
    role: server ? 'control-plane' : 'worker',
    nodeName,
    addresses,
    families: settings ? familiesOf(settings.podSubnet) : [],
    apiPort: Number(server?.FAIRLEAD_SECURE_PORT ?? 6443),
    proxyMode: modeOf(settings),
    running: runningOf(services, { server, agent }),
    runtimeSocket: endpoint.replace(/^unix:\/\//, ''),
    runtime: await context.readRuntime(endpoint),
    skewMs,
    nodes,
    ownsEtcd: storeKind(server?.FAIRLEAD_STORE) === 'etcd',
    exec,
  });
  const subnetEnv = await textOf('/run/flannel/subnet.env');
  return {
    now: clock.now(),
    machine,
    services,
    cluster,
    ...(await lookAtCertificates()),
    network: {
      ownAddresses: own,
      networks: networksOf(addresses),
      backend: settings?.backend,
      podMtu: Number(readEnv(subnetEnv ?? '').FLANNEL_MTU) || undefined,
      links: await listLinks(),
      peers: await askPeers(
        exec,
        machine.mtu,
        nodes.filter(({ name, isReady }) => isReady && name !== nodeName),
      ),
    },
    resolver: await lookAtResolver(agent?.FAIRLEAD_RESOLV_CONF ?? '/etc/resolv.conf', settings?.dnsAddress),
    firewall: await listRules(exec),
  };
}

/** That of a node by hand, where there is none of a node that has joined. */
function kubeconfigFor(given: string, agent: Env | undefined): string {
  if (existsSync(given) || agent === undefined) return given;
  return agent.FAIRLEAD_KUBECONFIG ?? join(agent.FAIRLEAD_KUBECONFIG_DIR ?? '/etc/fairlead', 'kubelet.kubeconfig');
}

function runningOf(services: readonly ServiceFact[], flags: Readonly<Record<ServiceFact['name'], Env | undefined>>): ServiceFact['name'][] {
  const names = ['server', 'agent'] as const;
  return names.filter((name) => services.find((one) => one.name === name)?.isRunning ?? flags[name] !== undefined);
}

/** Undefined where nobody may read it, too: that root is needed is a finding of its own. */
async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

/** Undefined where it was not set up here. */
export async function envOf(name: ServiceFact['name']): Promise<Env | undefined> {
  const text = await readIfThere(envFile(name));
  return text === undefined ? undefined : readEnv(text);
}

export async function lookAtServices(
  { keeper }: Pick<SetupContext, 'keeper'>,
  envs: Readonly<Record<ServiceFact['name'], Env | undefined>>,
): Promise<ServiceFact[]> {
  const names = (['server', 'agent'] as const).filter((name) => envs[name] !== undefined);
  return await Promise.all(names.map(async (name) => ({ name, isRunning: await keeper.isRunning(name), logHint: keeper.logHint(name) })));
}

/** nftables, where nothing is said. */
function modeOf(settings: NodeSettings | undefined): string {
  const { mode } = (parse(settings?.proxyConfiguration ?? '') ?? {}) as { readonly mode?: string };
  return mode || 'nftables';
}

/** Those that the agent was given, as long as the machine has them. */
async function addressesOf(given: readonly string[] | undefined, own: readonly string[], server: string | undefined): Promise<string[]> {
  if (given !== undefined) return given.filter((ip) => own.includes(ip));
  return await nodeAddresses({}, [], server === undefined ? undefined : new URL(server).hostname.replace(/^\[|\]$/g, ''));
}

export async function lookAtCertificates(): Promise<Pick<DoctorFacts, 'certificates' | 'certificatesProblem'>> {
  try {
    const all = await findCertificates({ pkiDir: layout.pkiDir, kubeconfigDir: layout.kubernetesDir, certDir: layout.certDir });
    const certificates = all.map(({ name, path, kind, leaf, problem, flaw, issuer }) => ({
      name,
      path,
      kind,
      starts: leaf?.validFromDate.getTime() ?? 0,
      ends: leaf?.validToDate.getTime() ?? 0,
      problem,
      flaw,
      isRenewable: issuer !== undefined && existsSync(keyPathOf(issuer)),
    }));
    return { certificates, certificatesProblem: undefined };
  } catch (err) {
    return { certificates: [], certificatesProblem: messageOf(err) };
  }
}

async function listLinks(): Promise<LinkFact[] | undefined> {
  try {
    using kernel = new Rtnetlink();
    return (await kernel.links()).map(({ name, kind, mtu, up, details }) => ({
      name,
      kind,
      mtu,
      up,
      ...(details?.kind === 'vxlan' ? { vxlan: { vni: details.vni, port: details.port } } : {}),
    }));
  } catch {
    return undefined;
  }
}

async function lookAtResolver(path: string, clusterDns: string | undefined): Promise<DoctorFacts['resolver']> {
  const text = await textOf(path);
  return { path, servers: text === undefined ? undefined : parseResolvConf(text).servers.slice(0, maxNameservers), clusterDns };
}

async function listRules(exec: Exec): Promise<DoctorFacts['firewall']> {
  const said = async (file: string, ...args: string[]): Promise<string | undefined> => {
    const result = await exec.run(file, args, { timeoutMs: 10_000 }).catch(() => undefined);
    return result?.code === 0 ? result.stdout : undefined;
  };
  const both = async (verb: string): Promise<RulesByFamily | undefined> => {
    const [ofIPv4, ofIPv6] = [await said(`iptables-${verb}-save`), await said(`ip6tables-${verb}-save`)];
    if (ofIPv4 === undefined && ofIPv6 === undefined) return undefined;
    return { ...(ofIPv4 === undefined ? {} : { 4: ofIPv4 }), ...(ofIPv6 === undefined ? {} : { 6: ofIPv6 }) };
  };
  // The tool of the legacy backend loads its modules when they are not there, and with them that backend.
  const tables = `${(await textOf('/proc/net/ip_tables_names')) ?? ''}${(await textOf('/proc/net/ip6_tables_names')) ?? ''}`;
  return {
    legacy: tables.trim() === '' ? {} : await both('legacy'),
    nft: await both('nft'),
    // Without the elements of sets and maps, which may be very many.
    ruleset: await said('nft', '--terse', 'list', 'ruleset'),
  };
}
