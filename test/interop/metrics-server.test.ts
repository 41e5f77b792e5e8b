/** metrics-server on a node of a lab, as one more API server behind ours: available, asked by kubectl, explained, and gone. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { Cluster } from '../e2e/testing/cluster.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { boxDeployment } from '../e2e/testing/manifests.ts';
import { findProgram, lacksProgram, startOnNode } from './testing/programs.ts';

const skip = cannotStartLabs || lacksProgram('metrics-server', 'kubectl');
const name = 'metrics-server';
const port = 4443;

/** What its chart makes, but for the pod: it is a process of the node. Without a cluster IP the API server dials the endpoint itself. */
function manifest(address: string): string {
  const at = { name, namespace: 'kube-system' };
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  const objects = [
    { apiVersion: 'v1', kind: 'Service', metadata: at, spec: { clusterIP: 'None', ports } },
    {
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports, endpoints: [{ addresses: [address] }] },
      metadata: { ...at, labels: { 'kubernetes.io/service-name': name } },
    },
    {
      ...{ apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: 'v1beta1.metrics.k8s.io' } },
      spec: {
        ...{ group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100 },
        ...{ service: { ...at, port }, insecureSkipTLSVerify: true },
      },
    },
  ];
  return objects.map((object) => JSON.stringify(object)).join('\n---\n');
}

describe('metrics-server behind our API server', { skip }, () => {
  let lab: TestLab;
  let cluster: Cluster;
  let server: ChildProcess;

  const tried = (...args: readonly string[]): ReturnType<typeof systemExec.run> =>
    systemExec.run(findProgram('kubectl') ?? 'kubectl', ['--kubeconfig', lab.plan.kubeconfig, '--cache-dir', lab.plan.dir, ...args], {
      timeoutMs: 60_000,
    });
  const kubectl = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await tried(...args);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };

  before(async () => {
    lab = new TestLab({ name: 'imet', underlay: '192.168.153.0/24', workers: 1 });
    await lab.up();
    cluster = new Cluster(lab);
    const { address } = lab.plan.nodes.find((node) => node.name === 'worker-1')!;
    // The node sees nothing of this machine's own files.
    const config = readFileSync(lab.plan.kubeconfig).toString('base64');
    await lab.must('worker-1', 'sh', '-c', `umask 77; echo ${config} | base64 -d > /run/metrics-server.kubeconfig`);
    const kubeconfig = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      (flag) => `--${flag}=/run/metrics-server.kubeconfig`,
    );
    const flags = ['--cert-dir=/tmp/metrics-server', `--secure-port=${port}`, '--kubelet-insecure-tls', '--metric-resolution=15s'];
    server = startOnNode(lab, 'worker-1', name, [...kubeconfig, ...flags, '--kubelet-preferred-address-types=InternalIP']);
    await cluster.apply(manifest(address));
    await cluster.apply(boxDeployment('web', 1), await cluster.namespace('metered'));
  });

  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test('becomes available', async () => {
    await eventually('it to be available', async () => {
      const said = await kubectl('get', 'apiservice', 'v1beta1.metrics.k8s.io', '--no-headers');
      assert.match(
        said,
        /kube-system\/metrics-server +True/,
        said + readFileSync(lab.logOf('worker-1', `${name}.log`), 'utf8').slice(-1000),
      );
    });
    assert.match(await kubectl('get', 'apiservices', '--no-headers'), /^v1\.apps +Local +True /m);
    assert.match(await kubectl('api-versions'), /^metrics\.k8s\.io\/v1beta1$/m);
  });

  test('says what nodes and pods take', async () => {
    await eventually('kubectl top nodes', async () =>
      assert.match(await kubectl('top', 'nodes', '--no-headers'), /^worker-1 +\d+m +\d+% +\d+Mi /m),
    );
    await eventually('kubectl top pods', async () =>
      assert.match(await kubectl('top', 'pods', '-n', 'metered', '--no-headers'), /^web-\S+ +\d+m +\d+Mi/m),
    );
    assert.match(await kubectl('get', 'nodemetrics', 'worker-1', '-o', 'jsonpath={.usage.memory}'), /^\d+Ki$/);
  });

  test('has its kinds explained', async () => {
    await eventually('its document', async () => {
      const said = await kubectl('explain', 'nodemetrics');
      assert.match(said, /^GROUP: +metrics\.k8s\.io\nKIND: +NodeMetrics\nVERSION: +v1beta1$/m);
      assert.match(said, /^ {2}usage\t<map\[string\]Quantity> -required-$/m);
    });
    assert.match(await kubectl('explain', 'podmetrics.containers.usage'), /FIELD: usage/);
  });

  test('is no longer available once it has ended, and everything else is as before', async () => {
    const ended = once(server, 'exit');
    // What was started here only entered the node.
    process.kill(lab.pidOf('worker-1', /metrics-server /));
    await ended;
    await eventually('it to be missed', async () =>
      assert.match(await kubectl('get', 'apiservice', 'v1beta1.metrics.k8s.io', '--no-headers'), / False \(FailedDiscoveryCheck\)/),
    );
    assert.notEqual((await tried('top', 'nodes')).code, 0);
    assert.match(await kubectl('get', 'pods', '-n', 'metered', '--no-headers'), /^web-/);
    await kubectl('delete', 'apiservice', 'v1beta1.metrics.k8s.io');
    await eventually('its group to be gone', async () => assert.doesNotMatch(await kubectl('api-versions'), /metrics/));
  });
});
