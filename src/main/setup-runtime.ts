/** What a container runtime tells of itself over CRI, for those who set a node up. */

import { CriError, isUnimplemented } from '../kubelet/cri/cri.ts';
import { GrpcCri } from '../kubelet/cri/grpc-cri.ts';
import type { RuntimeFacts } from '../setup/preflight/gather.ts';

const silent: RuntimeFacts = { answers: false, criDisabled: false, cgroupDriver: undefined, cniBinDir: undefined, cniConfDir: undefined };

/** containerd's `info.config`, as far as 1.6 to 2.x have it alike. */
interface Info {
  readonly cni?: { readonly binDir?: string; readonly binDirs?: readonly string[]; readonly confDir?: string };
  readonly containerd?: {
    readonly defaultRuntimeName?: string;
    readonly runtimes?: Readonly<Record<string, { readonly options?: { readonly SystemdCgroup?: boolean } }>>;
  };
}

/** Pure; of a runtime that is not containerd nothing is known. */
export function runtimeFactsOf(configText: string): RuntimeFacts {
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

export async function readRuntime(endpoint: string): Promise<RuntimeFacts> {
  const cri = new GrpcCri(endpoint);
  try {
    const { info } = await cri.status(true);
    return runtimeFactsOf(info?.config ?? '{}');
  } catch (err) {
    // Whoever answers that there is no such service is a containerd without CRI.
    return { ...silent, criDisabled: err instanceof CriError && isUnimplemented(err) };
  } finally {
    cri.close();
  }
}
