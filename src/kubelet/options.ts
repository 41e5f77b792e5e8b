/** What a kubelet is told, and what it finds on its machine. */
import type { Taint } from '../api/schema/types.ts';
import type { Client } from '../client/client.ts';
import type { Clock } from '../clock/clock.ts';
import type { Exec } from '../linux/exec.ts';
import type { Log } from '../observability/log.ts';
import type { Cri } from './cri/cri.ts';
import type { Machine, PressureLimits } from './node/capacity.ts';
import type { CgroupManager } from './node/cgroup-manager.ts';

export interface KubeletOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** The node's address, or one of each family; the first one's is that of the pods' first addresses. */
  readonly nodeIps: readonly string[];
  /** Of a runtime that speaks CRI, such as `unix:///run/containerd/containerd.sock`. */
  readonly runtimeEndpoint: string;
  /** `/var/lib/kubelet` */
  readonly rootDir: string;
  readonly podManifestPath?: string;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string };
  /** Gives what the files of `tls` hold now; without it they are never looked at again. */
  readonly readTls?: () => Promise<KubeletOptions['tls']>;
  readonly taints?: readonly Taint[];
  readonly labels?: Readonly<Record<string, string>>;
  /** 10250; 0 takes a free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborting ends the kubelet; pods go on running. */
  readonly signal: AbortSignal;
  /** Default `/etc/resolv.conf`: what pods with dnsPolicy Default get. */
  readonly resolvConf?: string;
}

/** What a kubelet finds on its machine. Tests give another one. */
export interface KubeletHost {
  readonly cri: Cri;
  readonly exec: Exec;
  readonly cgroups: CgroupManager;
  readonly machine: () => Promise<Machine>;
  readonly limits: PressureLimits;
  /** Where the logs of all pods lie. */
  readonly logsRoot: string;
  /** The text of a file; empty when it is not there. */
  readonly textOf: (file: string) => Promise<string>;
}
