/**
 * What a machine looks like from the outside, before and after: every namespace-wide thing that a lab could leave behind. For tests,
 * and for people who want to see that `fairlead lab down` is honest.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Exec } from '../../linux/exec.ts';

const aspects = [
  'links',
  'addresses',
  'routes',
  'rules',
  'neighbours',
  'netns',
  'mounts',
  'cgroups',
  'sysctls',
  'nft',
  'iptables',
  'processes',
] as const;

export type Aspect = (typeof aspects)[number];

/** Sorted lines per aspect. */
export type Baseline = Readonly<Record<Aspect, readonly string[]>>;

export interface Difference {
  readonly aspect: Aspect;
  readonly appeared: readonly string[];
  readonly vanished: readonly string[];
}

/** Processes of interest, by their command lines; all others come and go with the machine's own life. */
const labProcesses = /containerd|runc|fairlead|node-init\.sh|busybox sh/;

async function lines(exec: Exec, file: string, ...args: string[]): Promise<string[]> {
  const result = await exec.run(file, args).catch(() => undefined);
  return result?.code === 0 ? result.stdout.split('\n').filter(Boolean).toSorted() : [];
}

async function cgroupDirectories(root: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (dir: string): Promise<void> => {
    for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => []))
      if (entry.isDirectory()) {
        found.push(join(dir, entry.name));
        await walk(join(dir, entry.name));
      }
  };
  await walk(root);
  return found.toSorted();
}

/** Values that count, measure or are random change by themselves. */
const restless =
  /random\/|\/fs\/(dentry|inode|file-nr|aio-nr)|nf_conntrack_count|ns_last_pid|pty\/nr|sched_domain|\/route\/flush|quota\/|usage|_count$/;

async function sysctlValues(dir = '/proc/sys'): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true }).catch(() => [])) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) found.push(...(await sysctlValues(path)));
    else if (!restless.test(path)) {
      const value = await readFile(path, 'utf8').catch(() => undefined);
      if (value !== undefined) found.push(`${path}=${value.trim().replace(/\s+/g, ' ')}`);
    }
  }
  return found;
}

async function processes(pattern: RegExp): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
    if (command !== '' && pattern.test(command)) found.push(`${pid} ${command}`);
  }
  return found.toSorted();
}

/** The network namespaces that any process lives in. */
async function liveNamespaces(): Promise<string[]> {
  const found = new Set<string>();
  for (const pid of await readdir('/proc')) if (/^\d+$/.test(pid)) found.add(await readlink(`/proc/${pid}/ns/net`).catch(() => ''));
  return [...found].filter(Boolean);
}

/** Routes and addresses without what counts down. */
function stable(text: readonly string[]): string[] {
  return text
    .map((line) =>
      line
        .replace(/ (expires|valid_lft|preferred_lft|age|used) \S+/g, '')
        .replace(/ users \d+/g, '')
        .trim(),
    )
    .filter((line) => !/^(valid|preferred)_lft/.test(line));
}

export async function takeBaseline(exec: Exec): Promise<Baseline> {
  const named = await readdir('/run/netns').catch(() => []);
  const [links, addresses, routes4, routes6, rules, neighbours, mountinfo, cgroups, sysctls, nft, iptables, running, live] =
    await Promise.all([
      lines(exec, 'ip', '-o', 'link'),
      lines(exec, 'ip', '-o', 'addr'),
      lines(exec, 'ip', '-4', 'route', 'show', 'table', 'all'),
      lines(exec, 'ip', '-6', 'route', 'show', 'table', 'all'),
      lines(exec, 'ip', 'rule'),
      lines(exec, 'ip', 'neigh', 'show', 'nud', 'permanent'),
      readFile('/proc/self/mountinfo', 'utf8'),
      cgroupDirectories('/sys/fs/cgroup'),
      sysctlValues(),
      lines(exec, 'nft', 'list', 'ruleset'),
      lines(exec, 'iptables-save'),
      processes(labProcesses),
      liveNamespaces(),
    ]);
  return {
    links: links.map((line) => line.replace(/ (qdisc|state|group|qlen) \S+/g, '')),
    addresses: stable(addresses),
    routes: stable([...routes4, ...routes6]),
    rules,
    neighbours,
    netns: [...named.map((name) => `/run/netns/${name}`), ...live].toSorted(),
    // Without the identifiers, which the kernel hands out anew.
    mounts: mountinfo
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ').slice(3).join(' '))
      .toSorted(),
    cgroups,
    sysctls,
    nft,
    iptables: iptables.filter((line) => !line.startsWith('#')),
    processes: running,
  };
}

/** What changed in between; empty when nothing did. `ignore` leaves aspects out, for a machine on which others are at work. */
export function diffBaseline(before: Baseline, after: Baseline, ignore: readonly Aspect[] = []): Difference[] {
  return aspects
    .filter((aspect) => !ignore.includes(aspect))
    .map((aspect) => {
      const [was, is] = [new Set(before[aspect]), new Set(after[aspect])];
      return { aspect, appeared: [...is].filter((line) => !was.has(line)), vanished: [...was].filter((line) => !is.has(line)) };
    })
    .filter((difference) => difference.appeared.length > 0 || difference.vanished.length > 0);
}
