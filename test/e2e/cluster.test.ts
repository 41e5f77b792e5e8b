/** One lab for everything that does not break it. Each topic is a file below cluster/ and works in namespaces of its own. */
import { after, before, describe } from 'node:test';
import { apiSuite } from './cluster/api.ts';
import { badInputSuite } from './cluster/bad-input.ts';
import { dnsSuite } from './cluster/dns.ts';
import { kubectlSuite } from './cluster/kubectl.ts';
import { kubeletSuite } from './cluster/kubelet.ts';
import { loadBalancersSuite } from './cluster/load-balancers.ts';
import { nodesSuite, tourManifest } from './cluster/nodes.ts';
import { seeingSuite } from './cluster/seeing.ts';
import { trafficSuite } from './cluster/traffic.ts';
import { upkeepSuite } from './cluster/upkeep.ts';
import { volumesSuite } from './cluster/volumes.ts';
import { workloadsSuite } from './cluster/workloads.ts';
import { Cluster } from './testing/cluster.ts';
import { cannotStartLabs, TestLab } from './testing/lab.ts';
import { TestResolver } from './testing/resolver.ts';

describe('a cluster of three nodes', { skip: cannotStartLabs }, () => {
  let lab: TestLab;
  let resolver: TestResolver;
  let running: Cluster;
  const cluster = (): Cluster => running;

  before(async () => {
    lab = new TestLab({ name: 'e2e', underlay: '192.168.140.0/24' });
    await lab.up();
    resolver = await TestResolver.listen(lab.plan.clientAddress, { 'outside.example': '203.0.113.7' });
    running = new Cluster(lab);
    await running.apply(tourManifest);
  });

  after(async () => {
    resolver?.[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  });

  describe('side by side', { concurrency: 3 }, () => {
    nodesSuite(cluster);
    trafficSuite(cluster);
    seeingSuite(cluster);
    dnsSuite(cluster);
    workloadsSuite(cluster);
    kubeletSuite(cluster);
    volumesSuite(cluster);
    apiSuite(cluster);
    kubectlSuite(cluster);
    badInputSuite(cluster);
    loadBalancersSuite(cluster);
  });
  upkeepSuite(cluster);
});
