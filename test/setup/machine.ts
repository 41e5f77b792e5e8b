/** A bare node of a lab, on which the commands of setup are run as a person would. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { joinHostPort } from '../../src/ip/ip.ts';
import { allNamespaces } from '../../src/lab/exec.ts';
import { type ExecResult, systemExec } from '../../src/linux/exec.ts';
import type { TestLab } from '../e2e/testing/lab.ts';

/** Of a process that has one thread. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    // It ended meanwhile.
    return [];
  }
}

/** Whether it was there. */
function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

const program = '/opt/fairlead/src/main/fairlead.sh';

/** Whether a program is installed. */
export const answers = (name: string): Promise<boolean> =>
  systemExec.run(name, ['--version']).then(
    ({ code }) => code === 0,
    () => false,
  );

/** An etcd of one member on a machine, as an operator would have it. Gives the URL of the store. */
export async function startOneEtcd(machine: Machine): Promise<string> {
  const at = (port: number): string => `http://${joinHostPort(machine.address, port)}`;
  const [client, peer] = [at(2379), at(2380)];
  await machine.sh(`ETCD_UNSUPPORTED_ARCH=arm64 setsid etcd --name=one --data-dir=/tmp/etcd --listen-client-urls=${client} --advertise-client-urls=${client} \
    --listen-peer-urls=${peer} --initial-advertise-peer-urls=${peer} --initial-cluster=one=${peer} >/tmp/etcd.log 2>&1 </dev/null &`);
  await eventually('etcd', () => machine.sh(`etcdctl --endpoints=${client} endpoint health`));
  return `etcd=${client}`;
}

export class Machine {
  readonly #lab: TestLab;
  readonly name: string;

  constructor(lab: TestLab, name: string) {
    this.#lab = lab;
    this.name = name;
  }

  /** Where the other machines reach it. */
  get address(): string {
    return this.addresses[0] ?? '';
  }

  /** In a lab of both families one of each. */
  get addresses(): readonly string[] {
    return this.#lab.plan.nodes.find((node) => node.name === this.name)?.addresses ?? [];
  }

  fairlead(...args: readonly string[]): Promise<ExecResult> {
    return this.#lab.run(this.name, [program, ...args]);
  }

  /** Gives standard output. */
  async must(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.fairlead(...args);
    assert.equal(code, 0, stderr || stdout);
    return stdout;
  }

  async sh(script: string): Promise<string> {
    return await this.#lab.must(this.name, 'sh', '-c', script);
  }

  async kubectl(...args: readonly string[]): Promise<string> {
    return await this.#lab.must(this.name, 'kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', ...args);
  }

  async write(path: string, text: string): Promise<void> {
    const { code } = await this.#lab.run(this.name, ['sh', '-c', `cat >${path}`], { input: text });
    assert.equal(code, 0);
  }

  /** Kills the command with SIGKILL when it has told of `steps` of them; gives whether it lived so long. */
  async killedAfter(steps: number, ...args: readonly string[]): Promise<boolean> {
    const target = [`--target=${this.#lab.initOf(this.name)}`, ...allNamespaces];
    const child = spawn('nsenter', [...target, '--', program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise((resolve) => child.on('close', resolve));
    let seen = 0;
    let isKilled = false;
    createInterface(child.stderr).on('line', (line) => {
      if (line.includes('✓')) seen++;
      if (seen < steps || isKilled) return;
      // nsenter itself is but the parent of it. After its last step it may have come to its end.
      isKilled = childrenOf(child.pid ?? 0).some(kill);
    });
    await ended;
    return isKilled;
  }

  /**
   * Kills the command after its first step, begins it again and kills it after the second, and so on to the last. On a busy machine it may have gone
   * further, or to its end, before it was killed.
   */
  async killedAfterEach(steps: number, ...args: readonly string[]): Promise<void> {
    let kills = 0;
    for (let step = 1; step <= steps; step++) if (await this.killedAfter(step, ...args)) kills++;
    assert.ok(kills > 0, 'it was killed');
  }

  /** What is on this machine that a node would leave, one thing a line. */
  async traces(): Promise<string[]> {
    const text = await this.sh(`
      ip -o link | sed 's/@.*//;s/^[0-9]*: //'
      ip route; ip -6 route; ip rule; ip -6 rule; nft list tables; iptables-save 2>/dev/null | grep -v '^[#:]' || true
      awk '{print "mount", $5}' /proc/self/mountinfo | sort
      # The lab's own cache of compiled code, which all nodes share, grows with each command.
      find /etc/kubernetes /etc/fairlead /etc/cni /opt/cni /etc/sysctl.d /etc/modules-load.d /var/lib/fairlead /var/lib/kubelet /run/fairlead /run/flannel /var/log/pods /var/log/fairlead -path /var/lib/fairlead/.cache -prune -o -type f -print 2>/dev/null || true
      find /sys/fs/cgroup -type d -name 'kubepods*'
      cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null || true
      ls /proc | grep '^[0-9]*$' | while read pid; do tr '\\0' ' ' </proc/$pid/cmdline 2>/dev/null | grep -E 'fairlead\\.[a-z]+|shim' | grep -v cmdline || true; done`);
    return text.split('\n').filter(Boolean);
  }
}
