/**
 * What it costs to bring many Services into iptables: this mode against `iptables-restore` of the text that kube-proxy writes, in the same run,
 * each in a network namespace of its own. CPU counts the tools' too. The peer's text is made beforehand and not counted.
 */
import { readFileSync } from 'node:fs';
import { mustRun, systemExec } from '../../../linux/exec.ts';
import { execIn, kernelIptablesIn } from '../../../linux/iptables/testing/kernel-in.ts';
import { benchNode, benchService, benchSlice, ipsOf } from '../../bench.ts';
import { FamilyProxy } from '../../family.ts';
import { Planner } from '../../plan/planner.ts';
import type { ServicePlan } from '../../plan/service-plan.ts';
import { isOfService } from './chain-names.ts';
import { IptablesMode } from './iptables-mode.ts';
import { layoutOf } from './layout.ts';
import { renderRules } from './render-rules.ts';

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

const ticksPerSecond = 100;

/** CPU of this process and of the programs that it waited for. Source: proc_pid_stat(5) */
function cpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond) * 1000;
}

async function cost(work: () => Promise<unknown>, times = 1): Promise<Cost> {
  const [begun, cpu] = [performance.now(), cpuMs()];
  for (let i = 0; i < times; i++) await work();
  return { wallMs: (performance.now() - begun) / times, cpuMs: (cpuMs() - cpu) / times };
}

const objectsOf = (n: number, change = 0) =>
  [`bench/s${n}`, benchService(n), [benchSlice(n, ipsOf(n, { endpoints: 2 }, change && 50_000 + change))]] as const;

async function ours(namespace: string, services: number, changes: number): Promise<readonly Cost[]> {
  const iptables = kernelIptablesIn(namespace);
  const mode = new IptablesMode({ iptables, settings: { read: () => '0', set: () => {} } });
  try {
    await mode.probe();
    const proxy = await FamilyProxy.open(mode, benchNode);
    const load = await cost(async () => {
      for (let n = 0; n < services; n++) proxy.put(...objectsOf(n));
      proxy.settle();
      await proxy.sync();
    });
    let step = 0;
    const change = await cost(async () => {
      proxy.put(...objectsOf(7, ++step));
      proxy.settle();
      await proxy.sync();
    }, changes);
    return [load, change];
  } finally {
    mode.close();
    iptables.close();
  }
}

/** One Service of very many endpoints: it is there at the start, an endpoint moves, one more comes and goes. */
async function wide(namespace: string, endpoints: number, changes: number): Promise<Readonly<Record<string, Cost>>> {
  const iptables = kernelIptablesIn(namespace);
  const mode = new IptablesMode({ iptables, settings: { read: () => '0', set: () => {} } });
  try {
    await mode.probe();
    const proxy = await FamilyProxy.open(mode, benchNode);
    const sync = async (ips: readonly string[]): Promise<void> => {
      proxy.put('bench/s0', benchService(0), [benchSlice(0, ips)]);
      proxy.settle();
      await proxy.sync();
    };
    let ips = ipsOf(0, { endpoints });
    let step = 0;
    const load = await cost(() => sync(ips));
    const moved = await cost(() => {
      ips = ips.with((37 * ++step) % endpoints, `10.200.0.${step}`);
      return sync(ips);
    }, changes);
    const added = await cost(() => {
      ips = ips.toSpliced((37 * ++step) % endpoints, 0, `10.200.0.${step}`);
      return sync(ips);
    }, changes);
    const removed = await cost(() => {
      ips = ips.toSpliced((37 * ++step) % endpoints, 1);
      return sync(ips);
    }, changes);
    return { load, moved, added, removed };
  } finally {
    mode.close();
    iptables.close();
  }
}

async function benchWide(endpoints: number, changes: number): Promise<void> {
  const name = `fl-bench-${process.pid}-w`;
  try {
    await mustRun(systemExec, 'ip', ['netns', 'add', name]);
    const costs = await wide(`/run/netns/${name}`, endpoints, changes);
    for (const [what, { cpuMs: cpu, wallMs }] of Object.entries(costs))
      process.stdout.write(`1 Service with ${endpoints} endpoints, ${what}: ${cpu.toFixed(0)} ms of CPU (${wallMs.toFixed(0)} ms)\n`);
  } finally {
    await systemExec.run('ip', ['netns', 'del', name]);
  }
}

/** The text of a sync: of chains of Services all, or those of one that changed; those that Services share always. */
function peerText(plans: readonly ServicePlan[], changed: readonly ServicePlan[]): string {
  const nat = (of: readonly ServicePlan[]): ReadonlyMap<string, readonly string[]> =>
    renderRules(of, layoutOf(benchNode, {}, true)).get('nat') ?? new Map();
  const sent = nat(changed);
  const chains = [...nat(plans)].filter(([name]) => name.startsWith('KUBE-') && (sent.has(name) || !isOfService(name)));
  // In no order, as a map has them: the end of a name is a hash.
  chains.sort(([a], [b]) => (a.slice(-8) < b.slice(-8) ? -1 : 1));
  const lines = chains.flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`));
  return ['*nat', ...chains.map(([name]) => `:${name} - [0:0]`), ...lines, 'COMMIT', ''].join('\n');
}

async function peers(namespace: string, services: number, changes: number): Promise<readonly Cost[]> {
  const planner = new Planner(benchNode);
  for (let n = 0; n < services; n++) planner.put(...objectsOf(n));
  planner.take();
  const all = peerText([...planner.plans.values()], [...planner.plans.values()]);
  planner.put(...objectsOf(7, 1));
  planner.take();
  const one = peerText(
    [...planner.plans.values()],
    [...planner.plans.values()].filter(({ key }) => key === 'bench/s7'),
  );
  const restore = (input: string): Promise<string> =>
    mustRun(execIn(namespace), 'iptables-restore', ['--noflush', '--wait', '5'], { input });
  return [await cost(() => restore(all)), await cost(() => restore(one), changes)];
}

async function bench(services: number, changes: number): Promise<void> {
  const names = [`fl-bench-${process.pid}-i`, `fl-bench-${process.pid}-j`] as const;
  try {
    for (const name of names) await mustRun(systemExec, 'ip', ['netns', 'add', name]);
    const mine = await ours(`/run/netns/${names[0]}`, services, changes);
    const theirs = await peers(`/run/netns/${names[1]}`, services, changes);
    for (const [i, what] of [`load ${services} Services with 2 endpoints`, 'change one endpoint among them'].entries()) {
      const [own, peer] = [mine[i]!, theirs[i]!];
      const figures = (of: Cost): string => `${of.cpuMs.toFixed(0)} ms of CPU (${of.wallMs.toFixed(0)} ms)`;
      process.stdout.write(
        `${what}: ${figures(own)}, kube-proxy's text ${figures(peer)}, ${(peer.cpuMs / own.cpuMs).toFixed(1)} times less\n`,
      );
    }
  } finally {
    for (const name of names) await systemExec.run('ip', ['netns', 'del', name]);
  }
}

if (import.meta.main) {
  const [services = '5000', changes = '10', endpoints] = process.argv.slice(2);
  if (endpoints === undefined) await bench(Number(services), Number(changes));
  else await benchWide(Number(endpoints), Number(changes));
}
