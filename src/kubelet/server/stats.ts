/** /stats/summary and /metrics/resource: what pods use, as metrics-server and `kubectl top` read it. */
import { readFile } from 'node:fs/promises';
import type { Pod } from '../../api/schema/types.ts';
import type { Cri } from '../cri/cri.ts';
import type { ContainerStats } from '../cri/messages.ts';
import { parseMeminfo } from '../node/capacity.ts';
import { podLabels } from '../pod/labels.ts';
import { uidOf } from '../pod/spec.ts';

interface Usage {
  readonly time: string;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

function usageOf(stats: ContainerStats): Usage {
  return {
    time: new Date(Math.floor((stats.cpu?.timestamp ?? 0) / 1e6)).toISOString(),
    cpuSeconds: (stats.cpu?.usageCoreNanoSeconds?.value ?? 0) / 1e9,
    memoryBytes: stats.memory?.workingSetBytes?.value ?? 0,
  };
}

async function nodeUsage(): Promise<Usage> {
  const [stat, meminfo] = await Promise.all([readFile('/proc/stat', 'utf8'), readFile('/proc/meminfo', 'utf8')]);
  const [, user = 0, nice = 0, system = 0, , , irq = 0, soft = 0] = (stat.split('\n')[0] ?? '').split(/\s+/).map(Number);
  const memory = parseMeminfo(meminfo);
  const memoryBytes = (memory.get('MemTotal') ?? 0) - (memory.get('MemAvailable') ?? 0);
  return { time: new Date().toISOString(), cpuSeconds: (user + nice + system + irq + soft) / 100, memoryBytes };
}

export async function statsSummary(cri: Cri, pods: readonly Pod[], nodeName: string): Promise<object> {
  const [all, node] = await Promise.all([cri.listContainerStats(), nodeUsage()]);
  const part = (u: Usage): object => ({
    cpu: { time: u.time, usageCoreNanoSeconds: Math.round(u.cpuSeconds * 1e9) },
    memory: { time: u.time, workingSetBytes: u.memoryBytes },
  });
  return {
    node: { nodeName, ...part(node) },
    pods: pods.map((pod) => {
      const own = all.filter((s) => s.attributes?.labels[podLabels.podUid] === uidOf(pod));
      const usages = own.map(usageOf);
      const sum: Usage = {
        time: usages[0]?.time ?? node.time,
        cpuSeconds: usages.reduce((a, u) => a + u.cpuSeconds, 0),
        memoryBytes: usages.reduce((a, u) => a + u.memoryBytes, 0),
      };
      return {
        podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: uidOf(pod) },
        startTime: pod.status?.startTime,
        containers: own.map((s) => ({
          name: s.attributes?.labels[podLabels.containerName],
          startTime: pod.status?.startTime,
          ...part(usageOf(s)),
        })),
        ...part(sum),
      };
    }),
  };
}

export async function resourceMetrics(cri: Cri): Promise<string> {
  const [all, node] = await Promise.all([cri.listContainerStats(), nodeUsage()]);
  const lines = [
    '# TYPE node_cpu_usage_seconds_total counter',
    `node_cpu_usage_seconds_total ${node.cpuSeconds}`,
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${node.memoryBytes}`,
  ];
  const cpu: string[] = ['# TYPE container_cpu_usage_seconds_total counter'];
  const memory: string[] = ['# TYPE container_memory_working_set_bytes gauge'];
  for (const stats of all) {
    const labels = stats.attributes?.labels ?? {};
    const by = `{container="${labels[podLabels.containerName]}",namespace="${labels[podLabels.podNamespace]}",pod="${labels[podLabels.podName]}"}`;
    const usage = usageOf(stats);
    cpu.push(`container_cpu_usage_seconds_total${by} ${usage.cpuSeconds}`);
    memory.push(`container_memory_working_set_bytes${by} ${usage.memoryBytes}`);
  }
  return `${[...lines, ...cpu, ...memory].join('\n')}\n`;
}
