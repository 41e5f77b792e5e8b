/** CoreDNS takes the names of a running cluster over, as its published manifest does it, and gives them back. */
import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { Cluster } from '../e2e/testing/cluster.ts';
import { askDns, type DnsReply } from '../e2e/testing/dns-query.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { TestResolver } from '../e2e/testing/resolver.ts';
import { findProgram, lacksProgram } from './testing/programs.ts';

const skip = cannotStartLabs || lacksProgram('coredns');

/** What the published one has, but for the image: the program comes from the node, and knows one name by which it is known. */
function manifest(program: string): string {
  return `
{ apiVersion: v1, kind: ServiceAccount, metadata: { name: coredns, namespace: kube-system } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: system:coredns }
rules:
  - { apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch] }
  - { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: system:coredns }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:coredns }
subjects: [{ kind: ServiceAccount, name: coredns, namespace: kube-system }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: coredns, namespace: kube-system }
data:
  Corefile: |
    .:53 {
        errors
        health {
          lameduck 5s
        }
        ready
        hosts {
          192.0.2.53 who.answers
          fallthrough
        }
        kubernetes cluster.local in-addr.arpa ip6.arpa {
            pods insecure
            fallthrough in-addr.arpa ip6.arpa
        }
        forward . /etc/resolv.conf
        cache 30
        loop
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: coredns, namespace: kube-system, labels: { k8s-app: kube-dns } }
spec:
  replicas: 2
  selector: { matchLabels: { k8s-app: kube-dns } }
  template:
    metadata: { labels: { k8s-app: kube-dns } }
    spec:
      serviceAccountName: coredns
      priorityClassName: system-cluster-critical
      dnsPolicy: Default
      containers:
        - name: coredns
          image: fairlead.local/box:1
          command: [/program/${basename(program)}, -conf, /etc/coredns/Corefile]
          ports:
            - { containerPort: 53, name: dns, protocol: UDP }
            - { containerPort: 53, name: dns-tcp, protocol: TCP }
          readinessProbe: { httpGet: { path: /ready, port: 8181 }, periodSeconds: 1 }
          securityContext: { capabilities: { add: [NET_BIND_SERVICE], drop: [ALL] }, readOnlyRootFilesystem: true }
          volumeMounts:
            - { name: config-volume, mountPath: /etc/coredns, readOnly: true }
            - { name: program, mountPath: /program, readOnly: true }
      volumes:
        - { name: config-volume, configMap: { name: coredns, items: [{ key: Corefile, path: Corefile }] } }
        - { name: program, hostPath: { path: ${dirname(program)} } }
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec:
  selector: { k8s-app: kube-dns }
  clusterIP: 10.96.0.10
  ports:
    - { name: dns, port: 53, protocol: UDP }
    - { name: dns-tcp, port: 53, protocol: TCP }
`;
}

describe('CoreDNS on fairlead', { skip }, () => {
  let lab: TestLab;
  let resolver: TestResolver;
  let running: Cluster;

  before(async () => {
    lab = new TestLab({ name: 'idns', underlay: '192.168.147.0/24' });
    await lab.up();
    resolver = await TestResolver.listen(lab.plan.clientAddress, { 'outside.example': '203.0.113.7' });
    running = new Cluster(lab);
  });

  after(async () => {
    resolver?.[Symbol.dispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  /** Who has EndpointSlices under kube-dns. */
  async function publishers(): Promise<string[]> {
    const labelSelector = 'kubernetes.io/service-name=kube-dns';
    const { items } = await running.discovery.listNamespacedEndpointSlice({ namespace: 'kube-system', labelSelector });
    return [...new Set(items.map((one) => one.metadata?.labels?.['endpointslice.kubernetes.io/managed-by'] ?? ''))];
  }

  /** Asks without a pause while `work` goes on, and fails when one question has no answer. */
  async function whileAsking(work: () => Promise<void>): Promise<void> {
    const over = new AbortController();
    let asked = 0;
    const asking = (async () => {
      while (!over.signal.aborted) {
        const ask = (): Promise<DnsReply> => askDns(lab.plan.dnsAddress, 'kubernetes.default.svc.cluster.local');
        // The answer to a question is lost when its connection is forgotten meanwhile, so resolvers ask twice.
        assert.deepEqual((await ask().catch(ask)).answers, ['A 10.96.0.1']);
        asked++;
      }
    })();
    await Promise.race([asking, work()]);
    over.abort();
    await asking;
    // Each answer that is lost costs seconds, in which no other question is asked.
    assert.ok(asked > 0, 'nothing was asked');
  }

  const whoAnswers = async (): Promise<readonly string[]> => (await askDns(lab.plan.dnsAddress, 'who.answers')).answers;

  test('every question is answered while CoreDNS takes over, and our servers step back', async () => {
    assert.deepEqual(await whoAnswers(), []);
    await whileAsking(async () => {
      await running.apply(manifest(findProgram('coredns') ?? ''));
      await running.readyPods('kube-system', 'k8s-app=kube-dns', 2);
      await eventually('our slices to be gone', async () => assert.deepEqual(await publishers(), ['endpointslice-controller.k8s.io']));
    });
    await eventually('CoreDNS to answer', async () => assert.deepEqual(await whoAnswers(), ['A 192.0.2.53']));
    assert.deepEqual((await askDns(lab.plan.dnsAddress, 'outside.example')).answers, ['A 203.0.113.7']);
  });

  test('every question is answered when it goes again, and the Service is there anew after its deletion', async () => {
    await whileAsking(async () => {
      await running.apps.deleteNamespacedDeployment({ name: 'coredns', namespace: 'kube-system' });
      await eventually('no pod of it to be left', async () => assert.deepEqual(await running.pods('kube-system', 'k8s-app=kube-dns'), []));
    });
    await eventually('our servers to answer', async () => assert.deepEqual(await whoAnswers(), []));
    await running.core.deleteNamespacedService({ name: 'kube-dns', namespace: 'kube-system' });
    await eventually('the Service', async () => assert.equal((await running.service('kube-system', 'kube-dns')).spec?.selector, undefined));
    await eventually('our slices', async () => assert.deepEqual(await publishers(), ['dns.fairlead.dev']));
    await eventually('an answer', () => askDns(lab.plan.dnsAddress, 'kubernetes.default.svc.cluster.local'));
  });
});
