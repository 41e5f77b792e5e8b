/**
 * A node for tests: private mount, net, UTS, IPC, PID and cgroup namespaces with an overlay root and a containerd of its own, in
 * which a test file runs itself again. Ends with the process that made it; leaves nothing behind.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { eventually } from '../../clock/testing/eventually.ts';
import { busybox, writeImage } from './test-image.ts';

export const insideEnv = 'FAIRLEAD_TEST_NODE';
export const testEndpoint = 'unix:///run/containerd/containerd.sock';
export const boxImage = 'fairlead.local/box:1';
const pauseImage = 'fairlead.local/pause:1';

/** Why no such node can be made here, or undefined. */
export function cannotMakeNode(): string | undefined {
  if (process.getuid?.() !== 0) return 'root is needed';
  for (const tool of ['/usr/bin/containerd', '/usr/sbin/runc', busybox]) if (!existsSync(tool)) return `${tool} is not installed`;
  if (!existsSync('/usr/lib/cni/bridge')) return 'the CNI plugins are not installed';
  return undefined;
}

const containerdConfig = `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
`;

const cniConfig = JSON.stringify({
  cniVersion: '0.4.0',
  name: 'test',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.250.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }], dataDir: '/run/cni-ipam' },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
});

/** Runs as process 1 of the node: makes the root, then waits and reaps. */
const init = `#!/bin/sh
set -e
WORK=$1
mount --make-rslave /
mount -t tmpfs tmpfs $WORK/upper
mkdir $WORK/upper/up $WORK/upper/wk
mount -t overlay -o lowerdir=/,upperdir=$WORK/upper/up,workdir=$WORK/upper/wk overlay $WORK/root
R=$WORK/root
mount -t proc proc $R/proc
mount -t sysfs sysfs $R/sys
mount -t tmpfs -o mode=755 tmpfs $R/run
mount --rbind /dev $R/dev
mount -t tmpfs tmpfs $R/sys/fs/cgroup
if grep -q cgroup2 $WORK/cgroups; then mount -t cgroup2 cgroup2 $R/sys/fs/cgroup; else
while read c; do
  mkdir -p $R/sys/fs/cgroup/$c; o=$c; [ $c != systemd ] || o=none,name=systemd
  mount -t cgroup -o $o cgroup $R/sys/fs/cgroup/$c
done < $WORK/cgroups
fi
mkdir -p $R/var/lib/containerd $R/var/lib/kubelet $R/var/log/pods $R/etc/cni/net.d $R/old
mount --bind $WORK/disk $R/var/lib/containerd
cp $WORK/containerd.toml $R/etc/containerd-test.toml
cp $WORK/cni.conflist $R/etc/cni/net.d/10-test.conflist
cp $WORK/*.tar $R/run/
cd $R
pivot_root . old
umount -l /old
mount --make-rshared /
hostname test-node
ip link set lo up
containerd -c /etc/containerd-test.toml > /run/containerd.log 2>&1 &
echo $! > /run/containerd.pid
# A shell waits for all children it is given, and so reaps.
while :; do sleep 3600 & wait $! || true; done
`;

function cgroupHierarchies(): string[] {
  const lines = execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' }).split('\n');
  const v1 = lines.filter((l) => l.includes(' - cgroup ')).map((l) => l.split(' ')[4]?.replace('/sys/fs/cgroup/', '') ?? '');
  return v1.length > 0 ? v1 : ['cgroup2'];
}

export interface TestNode {
  /** Process 1 of the node, seen from outside. */
  readonly pid: number;
  /** Runs a program inside, with the test's own input and output; gives its exit code. */
  run(command: readonly string[], env?: Readonly<Record<string, string>>): Promise<number>;
  close(): Promise<void>;
}

async function startTestNode(): Promise<TestNode> {
  const work = mkdtempSync(`${tmpdir()}/fl-kubelet-`);
  const name = `fl-kubelet-${process.pid}`;
  for (const dir of ['upper', 'root', 'disk']) mkdirSync(`${work}/${dir}`);
  const hierarchies = cgroupHierarchies();
  writeFileSync(`${work}/cgroups`, `${hierarchies.join('\n')}\n`);
  writeFileSync(`${work}/containerd.toml`, containerdConfig);
  writeFileSync(`${work}/cni.conflist`, cniConfig);
  writeFileSync(`${work}/init`, init, { mode: 0o755 });
  writeImage(`${work}/box.tar`, boxImage, ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done']);
  writeImage(`${work}/pause.tar`, pauseImage, ['/bin/sh', '-c', 'trap "exit 0" TERM INT; while :; do sleep 100000 & wait $!; done']);

  const roots = hierarchies[0] === 'cgroup2' ? ['/sys/fs/cgroup'] : hierarchies.map((h) => `/sys/fs/cgroup/${h}`);
  const groups = roots.map((root) => `${root}/${name}`);
  for (const [i, group] of groups.entries()) {
    mkdirSync(group);
    if (hierarchies[i] === 'cpuset')
      for (const file of ['cpuset.cpus', 'cpuset.mems']) execFileSync('cp', [`${roots[i]}/${file}`, `${group}/${file}`]);
  }
  const join = `for g in ${groups.join(' ')}; do echo $$ > $g/cgroup.procs; done; exec unshare --propagation slave --mount --net --uts --ipc --pid --cgroup --fork --kill-child ${work}/init ${work}`;
  const launcher = spawn('/bin/sh', ['-c', join], { stdio: ['ignore', 'inherit', 'inherit'] });
  const launcherPid = launcher.pid ?? 0;
  const pid = await firstChild(launcherPid);

  const inside = ['-t', String(pid), '-m', '-n', '-u', '-i', '-p', '-C'];
  const run = (command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number> =>
    new Promise((resolve) => {
      // The children must be in the node's cgroup too: what /proc/self/cgroup says is what the runtime builds on.
      const script = `for g in ${groups.join(' ')}; do echo $$ > $g/cgroup.procs; done; exec nsenter ${inside.join(' ')} -- "$@"`;
      const child = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
        stdio: ['ignore', 'inherit', 'inherit'],
        env: { ...process.env, ...env },
      });
      child.on('close', (code) => resolve(code ?? 128));
    });
  const close = async (): Promise<void> => {
    const ended = new Promise((resolve) => launcher.once('close', resolve));
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
    await ended;
    for (const group of groups) await removeGroup(group);
    rmSync(work, { recursive: true, force: true });
  };

  try {
    await eventually('containerd', () => existsSync(`/proc/${pid}/root/run/containerd/containerd.sock`));
    for (const image of ['box', 'pause']) {
      const code = await run([
        'sh',
        '-c',
        `ctr -n k8s.io images import /run/${image}.tar >/run/import.log 2>&1 || { cat /run/import.log; exit 1; }`,
      ]);
      if (code !== 0) throw new Error(`cannot import ${image}.tar`);
    }
  } catch (err) {
    await close();
    throw err;
  }
  return { pid, run, close };
}

/** Runs `file` (a test file) once more, inside a new node. Gives its exit code. */
export async function rerunInside(file: string): Promise<number> {
  const node = await startTestNode();
  try {
    return await node.run([process.execPath, '--test-reporter=spec', file], { [insideEnv]: '1', NODE_TEST_CONTEXT: '' });
  } finally {
    await node.close();
  }
}

async function firstChild(parent: number): Promise<number> {
  let child = 0;
  await eventually('the node', () => {
    child = Number(execFileSync('cat', [`/proc/${parent}/task/${parent}/children`], { encoding: 'utf8' }).split(' ')[0]);
    return child > 0;
  });
  return child;
}

async function removeGroup(group: string): Promise<void> {
  for (const entry of readdirSync(group, { withFileTypes: true })) if (entry.isDirectory()) await removeGroup(`${group}/${entry.name}`);
  await eventually(`removal of ${group}`, () => {
    try {
      rmdirSync(group);
    } catch {
      return !existsSync(group);
    }
    return true;
  });
}
