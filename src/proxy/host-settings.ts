/** What a proxy sets on its machine beside the rules: limits and time-outs of conntrack, and its own place when memory is short. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseDuration } from '../clock/duration.ts';
import { messageOf } from '../errors/known-error.ts';
import { ensureSysctl, readSysctl } from '../linux/sysctl.ts';
import type { Log } from '../observability/log.ts';
import type { ConntrackConfiguration } from './config/kube-proxy-configuration.ts';

/** The kernel's settings by name, such as `net/netfilter/nf_conntrack_max`. */
export interface Sysctls {
  read(name: string): string | undefined;
  set(name: string, value: string): void;
}

const kernelSysctls: Sysctls = { read: readSysctl, set: ensureSysctl };

/** Tracked connections by KubeProxyConfiguration's rule; 0 leaves the limit as it is. */
export function conntrackMax({ maxPerCore, min }: Pick<ConntrackConfiguration, 'maxPerCore' | 'min'>, cores: number): number {
  return maxPerCore > 0 ? Math.max(maxPerCore * cores, min) : 0;
}

/** The settings that are wanted, by name; those that stay as they are left out. */
export function conntrackSysctls(conntrack: ConntrackConfiguration): ReadonlyMap<string, string> {
  const timeouts = {
    tcp_timeout_established: conntrack.tcpEstablishedTimeout,
    tcp_timeout_close_wait: conntrack.tcpCloseWaitTimeout,
    udp_timeout: conntrack.udpTimeout,
    udp_timeout_stream: conntrack.udpStreamTimeout,
  };
  const seconds = Object.entries(timeouts).map(([name, text]) => [name, Math.floor((parseDuration(text) ?? 0) / 1000)] as const);
  const wanted = seconds.filter(([, value]) => value > 0).map(([name, value]) => [name, String(value)] as const);
  const liberal = conntrack.tcpBeLiberal ? ([['tcp_be_liberal', '1']] as const) : [];
  return new Map([...wanted, ...liberal].map(([name, value]) => [`net/netfilter/nf_conntrack_${name}`, value]));
}

const limit = 'net/netfilter/nf_conntrack_max';

/**
 * Sets what differs. Never fails: a container may see its kernel's settings read-only, and the limit belongs to the machine's first network namespace.
 * A limit that is higher than asked for stays: somebody chose it.
 */
export function applyConntrack(conntrack: ConntrackConfiguration, log: Log, sysctls: Sysctls = kernelSysctls): void {
  const wanted = new Map(conntrackSysctls(conntrack));
  const max = conntrackMax(conntrack, availableParallelism());
  if (Number(sysctls.read(limit)) < max) wanted.set(limit, String(max));
  for (const [name, value] of wanted) {
    const before = sysctls.read(name);
    if (before === undefined || before === value) continue;
    try {
      sysctls.set(name, value);
      log.info('Set a kernel setting', { name, before, value });
    } catch (err) {
      log.info(`A kernel setting stays as it is: ${messageOf(err)}`, { name, value: before });
    }
  }
}

export function applyOomScore(score: number, log: Log): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', String(score));
  } catch (err) {
    log.info(`Cannot set oom_score_adj to ${score}: ${messageOf(err)}`);
  }
}
