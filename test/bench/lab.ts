/**
 * The lab as somebody feels it: how long `lab up` takes until three nodes are Ready and DNS answers, how long `lab down`, how long
 * from creating a pod until it answers through its ClusterIP, and what the processes weigh. Runs in a lab of its own, which never
 * touches the machine's network.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { pods, services } from '../../src/api/resource-types.ts';
import type { Pod, Service } from '../../src/api/schema/types.ts';
import { Client } from '../../src/client/client.ts';
import { loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { defaultLabOptions } from '../../src/lab/lab-options.ts';
import { planLab } from '../../src/lab/plan.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { enterNetns } from '../../src/linux/netns.ts';

const labName = 'bench';
const roundCount = 3;
const podCount = 20;
const fairlead = join(import.meta.dirname, '../../src/main/fairlead.ts');
const underlay = '192.168.150.0/24';

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)] ?? Number.NaN;
}

async function timed(args: readonly string[]): Promise<number> {
  const start = performance.now();
  await mustRun(systemExec, process.execPath, [fairlead, 'lab', ...args]);
  return (performance.now() - start) / 1000;
}

const up = (): Promise<number> => timed(['up', '--name', labName, '--no-attach', '--client', '--underlay', underlay]);
const down = (): Promise<number> => timed(['down', '--name', labName]);

/** Proportional set size: shared pages are counted once over all who share them. */
function memory(): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((d) => /^\d+$/.test(d))) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const command = words[words.findIndex((w) => w.endsWith('/src/main/fairlead.mjs')) + 1];
      if (command !== 'server' && command !== 'agent') continue;
      const node = command === 'agent' ? ` on ${words[words.indexOf('--node-name') + 1]}` : '';
      const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
      found.set(`fairlead ${command}${node}`, Number(pss) / 1024);
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** One attempt to fetch, given up after 200 ms. */
function answers(ip: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: ip, port: 80, agent: false, timeout: 200 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}

/** Milliseconds from the request that makes the pod to its answer through the Service. */
async function podToService(client: Client, n: number): Promise<number> {
  const name = `bench-${n}`;
  const labels = { run: name };
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  };
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'box', image: 'fairlead.local/box:1' }] },
  };
  const ip = (await client.create(services, service)).spec?.clusterIP ?? '';
  const start = performance.now();
  await client.create(pods, pod);
  while (!(await answers(ip))) {
    if (performance.now() - start > 30_000) throw new Error(`Pod "${name}" did not answer within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const ms = performance.now() - start;
  await client.delete(pods, name, { namespace: 'default' });
  await client.delete(services, name, { namespace: 'default' });
  return ms;
}

async function main(): Promise<void> {
  const ups: number[] = [];
  const downs: number[] = [];
  // The first start fills caches: it is not counted.
  process.stderr.write(`first start: ${(await up()).toFixed(1)} s\n`);
  await down();
  try {
    for (let i = 0; i < roundCount; i++) {
      ups.push(await up());
      if (i < roundCount - 1) downs.push(await down());
    }
    const plan = planLab({ ...defaultLabOptions, name: labName, underlay: underlay, attach: false, client: true });
    const config = await loadKubeconfig(plan.kubeconfig);
    const times: number[] = [];
    {
      using _inside = enterNetns(plan.clientNetns);
      const client = new Client(config);
      for (let n = 0; n < podCount; n++) times.push(await podToService(client, n));
      client.close();
    }
    const weights = memory();
    downs.push(await down());
    const rows: readonly (readonly [string, string, string])[] = [
      ['lab up: three nodes Ready, DNS answering', `${median(ups).toFixed(1)} s`, 'under 10 s'],
      ['lab down', `${median(downs).toFixed(1)} s`, 'under 5 s'],
      [`pod created → answers through its ClusterIP, p50 of ${podCount}`, `${median(times).toFixed(0)} ms`, 'under 1000 ms'],
      ['the same, p90', `${quantile(times, 0.9).toFixed(0)} ms`, ''],
      ...[...weights]
        .toSorted()
        .map(([name, mb]): readonly [string, string, string] => [
          `${name}, PSS`,
          `${mb.toFixed(0)} MB`,
          name.includes('server') ? 'under 200 MB' : 'under 130 MB',
        ]),
    ];
    for (const [what, value, goal] of rows) process.stdout.write(`${what.padEnd(58)} ${value.padStart(9)}   ${goal}\n`);
  } finally {
    // It has ended already, but for a round that failed.
    await down().catch(() => {});
  }
}

await main();
