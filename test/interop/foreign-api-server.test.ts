/** Our nodes with other people's control plane: kube-apiserver, etcd, kube-controller-manager and kube-scheduler. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { dnsSuite } from '../e2e/cluster/dns.ts';
import { kubectlSuite } from '../e2e/cluster/kubectl.ts';
import { kubeletSuite } from '../e2e/cluster/kubelet.ts';
import { nodesSuite, tourManifest } from '../e2e/cluster/nodes.ts';
import { trafficSuite } from '../e2e/cluster/traffic.ts';
import { workloadsSuite } from '../e2e/cluster/workloads.ts';
import { Cluster } from '../e2e/testing/cluster.ts';
import { cannotStartLabs, fairlead, output, TestLab } from '../e2e/testing/lab.ts';
import { all, boxDeployment, service } from '../e2e/testing/manifests.ts';
import { httpText } from '../e2e/testing/network.ts';
import { TestResolver } from '../e2e/testing/resolver.ts';
import { findProgram, lacksProgram, startOnNode } from './testing/programs.ts';
import type { UpstreamServer } from './testing/upstream-server.ts';

interface AuditEvent {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
}

const ours = /^system:(node:|kube-proxy$|fairlead:)/;

/** What a node hears in everyday life: a namespace ends, or the API server's own copy of the pods is behind the node's. */
const everyday = /because it is being terminated|no relationship found between node|bound to a pod scheduled on a different node/;

function isRefused({ responseStatus: { code = 0, message = '' } = {} }: AuditEvent): boolean {
  return code >= 400 && ![404, 409, 410].includes(code) && !everyday.test(message);
}

const skip = cannotStartLabs || lacksProgram('etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler');
const podCidr = '10.244.0.0/16';
const serviceCidr = '10.96.0.0/16';
/** The repository as a node sees it. */
const repository = '/opt/fairlead';
const ownProgram = `${repository}/src/main/fairlead.sh`;

/** What runs on the control plane in place of `fairlead server`. */
function serverCommand(): string {
  const path = (name: string): string => findProgram(name) ?? name;
  const settings: UpstreamServer = {
    address: '192.168.144.10',
    podCidr,
    serviceCidr,
    clusterDns: '10.96.0.10',
    programs: {
      etcd: path('etcd'),
      'kube-apiserver': path('kube-apiserver'),
      'kube-controller-manager': path('kube-controller-manager'),
      'kube-scheduler': path('kube-scheduler'),
    },
  };
  return `${repository}/node_modules/.bin/node ${repository}/test/interop/testing/upstream-server.ts '${JSON.stringify(settings)}'`;
}

describe('nodes of ours with kube-apiserver', { skip }, () => {
  let lab: TestLab;
  let resolver: TestResolver;
  let running: Cluster;
  let readyAt = 0;
  let alone: readonly ChildProcess[] = [];
  const cluster = (): Cluster => running;

  before(async () => {
    lab = new TestLab({
      name: 'inod',
      underlay: '192.168.144.0/24',
      serverCommand: serverCommand(),
      without: 'worker-2/proxy,worker-2/dns',
    });
    await lab.up();
    resolver = await TestResolver.listen(lab.plan.clientAddress, { 'outside.example': '203.0.113.7' });
    running = new Cluster(lab);
    await partsAlone();
    readyAt = Date.now();
    await running.apply(tourManifest);
  });

  /** On worker-2 the proxy and the DNS are processes of their own, with nothing but the kubelet's kubeconfig. */
  async function partsAlone(): Promise<void> {
    const common = ['--hostname-override', 'worker-2', '--kubeconfig', '/etc/fairlead/kubelet.kubeconfig', '--cluster-cidr', podCidr];
    const flags = {
      proxy: ['--service-cidr', serviceCidr],
      dns: ['--bind-address', '192.168.144.12', '--resolv-conf', '/etc/fairlead/resolv.conf'],
    };
    const parts = ['proxy', 'dns'] as const;
    alone = parts.map((part) => startOnNode(lab, 'worker-2', part, [part, ...common, ...flags[part]], ownProgram));
    const says = (part: string, words: RegExp): Promise<void> =>
      eventually(`${words} of ${part}`, () => assert.match(readFileSync(lab.logOf('worker-2', `${part}.log`), 'utf8'), words), {
        timeoutMs: 90_000,
      });
    const refused = (part: string): RegExp =>
      new RegExp(
        `"system:node:worker-2" cannot list .*; to allow it: fairlead manifest ${part} --group system:nodes \\| kubectl apply -f -`,
      );
    await Promise.all(parts.map((part) => says(part, refused(part))));
    await running.apply(await output(process.execPath, [fairlead, 'manifest', ...parts, '--group', 'system:nodes']));
    await Promise.all([says('proxy', /Services are programmed/), says('dns', /DNS answers on 192\.168\.144\.12:53/)]);
  }

  after(async () => {
    for (const part of alone) part.kill();
    resolver?.[Symbol.dispose]();
    await lab[Symbol.asyncDispose]();
  });

  describe('side by side', { concurrency: 3 }, () => {
    nodesSuite(cluster);
    trafficSuite(cluster);
    dnsSuite(cluster);
    workloadsSuite(cluster);
    kubeletSuite(cluster);
    kubectlSuite(cluster);
  });

  test('the API server finds nothing wrong with what the nodes ask and report', () => {
    const asked = audit().filter((e) => ours.test(e.user.username) && Date.parse(e.requestReceivedTimestamp) > readyAt);
    assert.ok(asked.length > 100, `${asked.length} requests`);
    assert.deepEqual(
      asked.filter(isRefused).map((e) => `${e.user.username} ${e.verb} ${e.requestURI}: ${e.responseStatus?.message}`),
      [],
    );
  });

  test('API server and store killed with -9 lose no pod, and a node that missed everything meanwhile catches up', async () => {
    const web = boxDeployment('steady', 3, { spec: 'tolerations: [{ operator: Exists }]' });
    await running.apply(all(web, service('steady', '80:8080')), 'default');
    const before = await running.readyPods('default', 'app=steady', 3);
    const ip = await running.clusterIp('default', 'steady');
    await eventually('the first answer', () => httpText(ip));

    const frozen = lab.pidOf('worker-1', /fairlead\.mjs agent/);
    process.kill(frozen, 'SIGSTOP');
    try {
      await running.apply(service('late', '80:8080', '', 'steady'), 'default');
      for (const program of [/^\S*\/etcd /, /^\S*\/kube-apiserver /]) {
        process.kill(lab.pidOf('control-plane', program), 'SIGKILL');
        // Rules and pods are none of the API server's.
        for (let i = 0; i < 20; i++) await httpText(ip);
      }
      await eventually('the API server', () => running.nodes(), { timeoutMs: 60_000 });
    } finally {
      process.kill(frozen, 'SIGCONT');
    }
    await running.apply(boxDeployment('steady', 4, { spec: 'tolerations: [{ operator: Exists }]' }), 'default');
    const after = await running.readyPods('default', 'app=steady', 4);
    const kept = (pods: readonly V1Pod[]): string[] =>
      pods.map((p) => `${p.metadata?.uid} ${p.status?.containerStatuses?.[0]?.containerID}`);
    assert.deepEqual(
      kept(before).filter((pod) => !kept(after).includes(pod)),
      [],
    );
    const late = await running.clusterIp('default', 'late');
    for (const node of ['control-plane', 'worker-1', 'worker-2'])
      await eventually(`the new Service from ${node}`, () => lab.must(node, 'curl', '-sf', '-m', '2', `http://${late}/`));
    // The frozen node's watches went on from revisions that the new API server no longer has (410), so it listed anew.
    const listsAnew = (e: AuditEvent): boolean =>
      e.user.username === 'system:node:worker-1' && e.verb === 'list' && !e.requestURI.includes('resourceVersion=');
    await eventually('a new list', () => assert.ok(audit().some(listsAnew)));
    await eventually('every node to be Ready', async () => {
      for (const node of await running.nodes())
        assert.equal(node.status?.conditions?.find((c) => c.type === 'Ready')?.status, 'True', node.metadata?.name);
    });
  });

  function audit(): AuditEvent[] {
    const lines = readFileSync(lab.logOf('control-plane', 'audit.log'), 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as AuditEvent);
  }
});
