/**
 * `fairlead server` as nothing but an API server: kube-controller-manager and kube-scheduler at work, kube-proxy on two of the nodes, the
 * kubelet of Kubernetes on one of them.
 */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { CertificatesV1Api, CoordinationV1Api } from '@kubernetes/client-node';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { Cluster, isStatus } from '../e2e/testing/cluster.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { all, boxDeployment, service } from '../e2e/testing/manifests.ts';
import { allAnswer, httpText, podOf } from '../e2e/testing/network.ts';
import { startKubelet } from './testing/kubelet.ts';
import { complaints, lacksProgram, startOnNode } from './testing/programs.ts';

const pki = '/etc/kubernetes/pki';

/** From 1.36 on, where no --allow-metric-labels-manifest is given. */
const noManifest = /The manifest file is empty, ignoring/;

/** What they say beside kube-apiserver too. */
const usual: Readonly<Record<string, readonly RegExp[]>> = {
  'kube-controller-manager': [
    /Flexvolume plugin directory/,
    noManifest,
    // From 1.36 on it waits until its watch has told of its own last write, and says so.
    /read version: \d+ is not as new as written/,
    // A controller that OpenShift's fork alone has, and whose role comes with OpenShift.
    /service-ca-cert-publisher/,
    // Whether token Secrets are in use is not recorded here, so nothing tells it that they are not.
    /kube-apiserver-legacy-service-account-token-tracking/,
    // It looked at a node again before its watch had told of the range that it just gave it.
    /node updates may not change podCIDR/,
    // A pod that takes longer to end than its grace period.
    /unexpected items still remain/,
    // Two of its own workers, or a user, were faster; it tries again.
    /the object has been modified|not found|being terminated|StorageError: invalid object|[Cc]onflict/,
  ],
  'kube-scheduler': [/the object has been modified|not found|being deleted/, noManifest],
  'kube-proxy': [
    // Before it has made its table.
    /Failed to list existing nftables objects/,
    /nodePortAddresses is unset/,
  ],
};

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: 10.244.0.0/16
hostnameOverride: worker-2
conntrack: { maxPerCore: 0, min: 0 }
clientConnection: { kubeconfig: /etc/fairlead/proxy.kubeconfig }
`;

const skip = cannotStartLabs || lacksProgram('kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'kubelet');

describe('fairlead server with the controllers, scheduler and proxies of Kubernetes', { skip }, () => {
  let lab: TestLab;
  let running: Cluster;
  let web: string[];
  /** How long the kubelet's log was when it had joined; before that it asks as nobody. */
  let bootstrapLog = 0;

  before(async () => {
    const without = 'controller-manager,scheduler,worker-1/proxy,worker-2/proxy,worker-2/kubelet';
    lab = new TestLab({ name: 'icp', underlay: '192.168.145.0/24', without });
    await lab.up();
    const credentials = (name: string): string[] =>
      ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map((flag) => `--${flag}=${pki}/${name}.conf`);
    startOnNode(lab, 'control-plane', 'kube-controller-manager', [
      ...credentials('controller-manager'),
      '--controllers=*,bootstrap-signer-controller,token-cleaner-controller',
      '--use-service-account-credentials=true',
      `--root-ca-file=${pki}/ca.crt`,
      `--cluster-signing-cert-file=${pki}/ca.crt`,
      `--cluster-signing-key-file=${pki}/ca.key`,
      `--service-account-private-key-file=${pki}/sa.key`,
      '--allocate-node-cidrs=true',
      `--cluster-cidr=${lab.plan.pods.text}`,
      `--service-cluster-ip-range=${lab.plan.services.text}`,
    ]);
    startOnNode(lab, 'control-plane', 'kube-scheduler', credentials('scheduler'));
    // Of the machine as a whole, so not a node's to set.
    const proxy = ['--kubeconfig=/etc/fairlead/proxy.kubeconfig', '--conntrack-max-per-core=0'];
    startOnNode(lab, 'worker-1', 'kube-proxy', [
      ...proxy,
      '--proxy-mode=nftables',
      `--cluster-cidr=${lab.plan.pods.text}`,
      '--hostname-override=worker-1',
    ]);
    await writeFile(`/proc/${lab.initOf('worker-2')}/root/run/kube-proxy.yaml`, proxyConfig);
    startOnNode(lab, 'worker-2', 'kube-proxy', ['--config=/run/kube-proxy.yaml']);
    running = new Cluster(lab);
    await startKubelet(lab, running, 'worker-2');
    await eventually(
      'all nodes to be ready',
      async () => {
        const ready = (await running.nodes()).filter((n) => n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
        assert.equal(ready.length, 3);
      },
      { timeoutMs: 120_000 },
    );
    bootstrapLog = (await stat(lab.logOf('worker-2', 'kubelet.log'))).size;
    await running.apply(
      all(
        boxDeployment('web', 3),
        service('web', '80:8080', 'type: NodePort'),
        service('sticky', '80:8080', 'sessionAffinity: ClientIP', 'web'),
        service('nobody', '80:8080'),
      ),
      'default',
    );
    web = (await running.readyPods('default', 'app=web', 3)).map((pod) => pod.metadata?.name ?? '');
  });

  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  const curl = (node: string, address: string): Promise<string> => lab.must(node, 'curl', '-sS', '--max-time', '15', `http://${address}/`);

  for (const [node, mode] of [
    ['worker-1', 'nftables'],
    ['worker-2', 'iptables'],
  ] as const) {
    test(`kube-proxy with ${mode} carries a ClusterIP and a NodePort to every pod`, async () => {
      const { clusterIP = '', ports } = (await running.service('default', 'web')).spec ?? {};
      await allAnswer(() => curl(node, clusterIP), web, `to ${node}`);
      const address = lab.plan.nodes.find((n) => n.name === node)?.address ?? '';
      await allAnswer(() => httpText(address, ports?.[0]?.nodePort), web, `through ${node}`);
    });

    test(`kube-proxy with ${mode} keeps a client with one pod, and refuses for a Service without any`, async () => {
      const sticky = await running.clusterIp('default', 'sticky');
      const pods = new Set<string>();
      for (let i = 0; i < 8; i++) pods.add(podOf(await curl(node, sticky)));
      assert.equal(pods.size, 1);
      await assert.rejects(curl(node, await running.clusterIp('default', 'nobody')), /Failed to connect|refused/);
    });
  }

  test('the kubelet of Kubernetes joined by a bootstrap token, with a certificate that was asked for, approved and signed', async () => {
    const { items } = await running.config.makeApiClient(CertificatesV1Api).listCertificateSigningRequest();
    const [request] = items.filter((one) => one.spec.username === 'system:bootstrap:abcdef');
    assert.equal(request?.spec.signerName, 'kubernetes.io/kube-apiserver-client-kubelet');
    assert.deepEqual(
      request.status?.conditions?.map((c) => c.type),
      ['Approved'],
    );
    assert.ok(request.status?.certificate);
    await running.core.readNamespacedConfigMap({ name: 'kube-root-ca.crt', namespace: 'default' });
    const coordination = running.config.makeApiClient(CoordinationV1Api);
    // When it asked before its certificate was there, it asks again seconds later.
    await eventually(
      'its Lease',
      async () => {
        const lease = await coordination.readNamespacedLease({ name: 'worker-2', namespace: 'kube-node-lease' });
        assert.equal(lease.spec?.holderIdentity, 'worker-2');
      },
      { timeoutMs: 60_000 },
    );
  });

  test('pods on it run, log and take commands through fairlead server', async () => {
    const pod = (await running.pods('default', 'app=web')).find((one) => one.spec?.nodeName === 'worker-2')?.metadata?.name ?? '';
    assert.notEqual(pod, '');
    assert.match(await running.core.readNamespacedPodLog({ name: pod, namespace: 'default' }), new RegExp(`pod=${pod} node=worker-2`));
    assert.equal(await running.sh('default', pod, 'hostname'), `${pod}\n`);
  });

  test('a rolling update ends with the new pods and nothing of the old', async () => {
    const template = { metadata: { annotations: { round: '2' } } };
    await running.apps.patchNamespacedDeployment({
      name: 'web',
      namespace: 'default',
      body: [{ op: 'add', path: '/spec/template/metadata/annotations', value: template.metadata.annotations }],
    });
    await eventually(
      'the update to be through',
      async () => {
        const { metadata, spec, status } = await running.apps.readNamespacedDeployment({ name: 'web', namespace: 'default' });
        assert.equal(status?.observedGeneration, metadata?.generation);
        assert.deepEqual([status?.updatedReplicas, status?.replicas, status?.availableReplicas], [spec?.replicas, 3, 3]);
      },
      { timeoutMs: 120_000 },
    );
  });

  test('what a deleted owner had is collected, and a deleted namespace takes everything along', async () => {
    await running.apps.deleteNamespacedDeployment({ name: 'web', namespace: 'default', propagationPolicy: 'Foreground' });
    await eventually('no pod of it to be left', async () => assert.deepEqual(await running.pods('default', 'app=web'), []), {
      timeoutMs: 120_000,
    });
    const space = await running.namespace('doomed');
    await running.apply(all(boxDeployment('inside', 1), service('inside', '80:8080')), space);
    await running.readyPods(space, 'app=inside', 1);
    await running.core.deleteNamespace({ name: space });
    const gone = (): Promise<void> => assert.rejects(running.core.readNamespace({ name: space }), (err) => isStatus(err, 404));
    await eventually('the namespace to be gone', gone, { timeoutMs: 120_000 });
  });

  test('the kubelet was refused nothing since it has its certificate, and found every resource that it asked for', async () => {
    const log = (await readFile(lab.logOf('worker-2', 'kubelet.log'), 'utf8')).slice(bootstrapLog);
    const refusals = /forbidden|Unauthorized|could not find the requested|Unsolicited/;
    assert.deepEqual(
      log.split('\n').filter((line) => refusals.test(line)),
      [],
    );
  });

  test('they hold their Leases, and every controller acts as its own ServiceAccount', async () => {
    const { stdout } = await lab.run('control-plane', [
      'kubectl',
      '--kubeconfig=/etc/kubernetes/admin.conf',
      'get',
      'lease,sa',
      '-n',
      'kube-system',
      '-o',
      'name',
    ]);
    for (const name of [
      'lease.coordination.k8s.io/kube-scheduler',
      'lease.coordination.k8s.io/kube-controller-manager',
      'serviceaccount/deployment-controller',
    ])
      assert.ok(stdout.split('\n').includes(name), name);
  });

  for (const [node, name] of [
    ['control-plane', 'kube-controller-manager'],
    ['control-plane', 'kube-scheduler'],
    ['worker-1', 'kube-proxy'],
    ['worker-2', 'kube-proxy'],
  ] as const)
    test(`${name} on ${node} has nothing to complain about`, () => {
      assert.deepEqual(complaints(lab, node, name, usual[name] ?? []), []);
    });
});
