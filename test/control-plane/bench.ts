/** `node test/control-plane/bench.ts [NODES] [PODS]`: a ReplicaSet made, scheduled and bound, and what the process weighs then; API server, controllers and scheduler in one process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { replicaSets } from '../../src/api/resource-types.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { pauseContainer } from './testing/manifests.ts';

const nodes = Number(process.argv[2] ?? 1000);
const pods = Number(process.argv[3] ?? 3000);

const cp = await ControlPlane.start({ nodes: 0, kubelet: false, clusterCidr: '10.240.0.0/12' });
for (let i = 0; i < nodes; i += 50) {
  await Promise.all(Array.from({ length: Math.min(50, nodes - i) }, (_, j) => cp.addNode(`n${i + j}`, { cpu: '32' })));
}
const written = (end: string): number => cp.writes.filter((w) => w.endsWith(end)).length;
// Until every node has its range nothing else is measured.
for (let before = -1; before !== cp.writes.length; await sleep(500)) before = cp.writes.length;

const startedAt = performance.now();
const labels = { app: 'bench' };
await cp.client.create(replicaSets, {
  apiVersion: 'apps/v1',
  kind: 'ReplicaSet',
  metadata: { name: 'bench', namespace: 'default' },
  spec: { replicas: pods, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [pauseContainer] } } },
});
while (written('/binding') < pods) await sleep(20);
const seconds = (performance.now() - startedAt) / 1000;
const { rss, heapUsed } = process.memoryUsage();
const mb = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;
console.log(`${pods} pods on ${nodes} nodes: ${seconds.toFixed(1)} s, ${Math.round(pods / seconds)} pods/s made and bound`);
console.log(`${mb(rss)} resident, ${mb(heapUsed)} of them heap in use`);
await cp.stop();
