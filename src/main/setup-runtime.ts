/** What a container runtime tells of itself over CRI, for those who set a node up. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { conflistName } from '../cni/install.ts';
import { CriError, isUnimplemented } from '../kubelet/cri/cri.ts';
import { GrpcCri } from '../kubelet/cri/grpc-cri.ts';
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

export async function readRuntime(endpoint: string): Promise<RuntimeFacts> {
  const cri = new GrpcCri(endpoint);
  try {
    const { info } = await cri.status(true);
    const facts = runtimeFactsOf(info?.config ?? '{}');
    const dir = facts.cniConfDir ?? '/etc/cni/net.d';
    const names = await readdir(dir).catch(() => []);
    return { ...facts, otherNetworks: networksBefore(names).map((name) => join(dir, name)) };
  } catch (err) {
    // Whoever answers that there is no such service is a containerd without CRI.
    return { ...silent, criDisabled: err instanceof CriError && isUnimplemented(err) };
  } finally {
    cri.close();
  }
}
