/** What a container runtime tells of itself over CRI, for those who set a node up. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isTree } from '../api/configuration-fields.ts';
import { conflistName, networkName, plugins } from '../cni/install.ts';
import { CriError, isUnimplemented } from '../kubelet/cri/cri.ts';
import { GrpcCri } from '../kubelet/cri/grpc-cri.ts';
import type { OtherNetwork } from '../setup/preflight/facts.ts';
import type { RuntimeFacts } from '../setup/preflight/gather.ts';

const silent: RuntimeFacts = {
  answers: false,
  criDisabled: false,
  cgroupDriver: undefined,
  cniBinDir: undefined,
  cniConfDir: undefined,
  otherNetworks: [],
};

/** containerd's `info.config`, as far as 1.6 to 2.x have it alike. */
interface Info {
  readonly cni?: { readonly binDir?: string; readonly binDirs?: readonly string[]; readonly confDir?: string };
  readonly containerd?: {
    readonly defaultRuntimeName?: string;
    readonly runtimes?: Readonly<Record<string, { readonly options?: { readonly SystemdCgroup?: boolean } }>>;
  };
}

/** Pure; of a runtime that is not containerd nothing is known. */
export function runtimeFactsOf(configText: string): Omit<RuntimeFacts, 'otherNetworks'> {
  const { cni, containerd } = JSON.parse(configText) as Info;
  const isSystemd = containerd?.runtimes?.[containerd.defaultRuntimeName ?? 'runc']?.options?.SystemdCgroup;
  return {
    answers: true,
    criDisabled: false,
    cgroupDriver: isSystemd === undefined ? undefined : isSystemd ? 'systemd' : 'cgroupfs',
    cniBinDir: cni?.binDirs?.[0] ?? cni?.binDir,
    cniConfDir: cni?.confDir,
  };
}

/** The runtime takes the first by name of the configurations of networks (libcni's ConfFiles): those that it would take before ours. Pure. */
export function networksBefore(names: readonly string[]): string[] {
  return names.filter((name) => /\.(conf|conflist|json)$/.test(name) && name < conflistName).toSorted();
}

/** What is in a file that others have written may be of any shape. */
interface Plugin {
  readonly type?: unknown;
  /** Of Multus: each a configuration, or a list of them. */
  readonly delegates?: unknown;
  /** Of Multus instead of these: the name or the file of one. */
  readonly clusterNetwork?: unknown;
}

/** Of a configuration, or of a list of them. */
function pluginsOf(config: unknown): readonly Plugin[] {
  if (!isTree(config)) return [];
  return 'plugins' in config ? listOf(config.plugins).filter(isTree) : [config];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** By its plugins, and those that Multus delegates to. Of a file that is none, another's may be all that is known. Pure. */
export function otherNetworkOf(path: string, text: string): OtherNetwork {
  const called = pluginsOf(parsed(text));
  const all = called.flatMap((plugin) => [plugin, ...listOf(plugin.delegates).flatMap(pluginsOf)]);
  const members = all.flatMap(({ type }) => (typeof type === 'string' ? [type] : []));
  const named = called.flatMap(({ clusterNetwork }) => (typeof clusterNetwork === 'string' ? [basename(clusterNetwork)] : []));
  const isOurs = members.includes(plugins[0]) || named.some((name) => name === networkName || name === conflistName);
  // The daemon of Multus may have its default network elsewhere.
  const isSilent =
    named.length === 0 &&
    called.some(({ type, delegates }) => typeof type === 'string' && type.startsWith('multus') && delegates === undefined);
  return { path, members, leadsToOurs: isOurs || (isSilent ? undefined : false) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function readRuntime(endpoint: string): Promise<RuntimeFacts> {
  const cri = new GrpcCri(endpoint);
  try {
    const { info } = await cri.status(true);
    const facts = runtimeFactsOf(info?.config ?? '{}');
    const dir = facts.cniConfDir ?? '/etc/cni/net.d';
    const names = await readdir(dir).catch(() => []);
    const paths = networksBefore(names).map((name) => join(dir, name));
    const otherNetworks = paths.map(async (path) => otherNetworkOf(path, await readFile(path, 'utf8').catch(() => '')));
    return { ...facts, otherNetworks: await Promise.all(otherNetworks) };
  } catch (err) {
    // Whoever answers that there is no such service is a containerd without CRI.
    return { ...silent, criDisabled: err instanceof CriError && isUnimplemented(err) };
  } finally {
    cri.close();
  }
}
