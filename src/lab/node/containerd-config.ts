import { pauseReference } from '../images/lab-images.ts';
import type { Snapshotter } from '../images/snapshotter.ts';

export interface ContainerdOptions {
  readonly snapshotter: Snapshotter;
  /** Whether this process lacks CAP_SYS_RESOURCE, without which a lower oom_score_adj is refused and no sandbox starts. */
  readonly restrictOomScore: boolean;
}

/** The configuration of a node's containerd: version 2, which 1.6 to 2.x read. */
export function containerdConfig(options: ContainerdOptions): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.blockfile", "io.containerd.nri.v1.nri",
]
[grpc]
address = "/run/containerd/containerd.sock"
[debug]
level = "warn"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseReference}"
restrict_oom_score_adj = ${options.restrictOomScore}
disable_apparmor = true
enable_selinux = false
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/opt/cni/bin"
conf_dir = "/etc/cni/net.d"
max_conf_num = 1
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "${options.snapshotter}"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}

const capSysResource = 24n;

/** Reads CapEff from the text of /proc/self/status. */
export function lacksSysResource(status: string): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> capSysResource) & 1n) === 0n;
}
