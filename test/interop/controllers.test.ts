/**
 * Our controllers and scheduler on kube-apiserver with RBAC, with no rights but those that upstream's have there: each controller acts as
 * its own ServiceAccount.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

const skip = lacksProgram('etcd', 'kube-apiserver');
const program = join(import.meta.dirname, '../../src/main/fairlead.ts');
const inDefault = (group: string, resource: string): string => `/${group}/namespaces/default/${resource}`;
const [deployments, pods, jobs] = [
  inDefault('apis/apps/v1', 'deployments'),
  inDefault('api/v1', 'pods'),
  inDefault('apis/batch/v1', 'jobs'),
];

const labels = { app: 'web' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'example.com/c' }] } };

describe('controllers and scheduler of ours with kube-apiserver', { skip }, () => {
  let server: KubeApiServer;
  let logs = '';
  const running: ChildProcess[] = [];
  const run = async (command: string, user: string, ...flags: readonly string[]): Promise<void> => {
    const args = [program, command, `--kubeconfig=${await server.kubeconfig(user)}`, '--secure-port=0', ...flags];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk) => {
      logs += chunk;
    });
    running.push(child);
  };
  const made = async (path: string, body: object): Promise<void> => {
    const answer = await server.call('POST', path, body);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
  };
  const items = async (path: string): Promise<Json[]> => (await server.call('GET', path)).body.items;

  before(async () => {
    server = await KubeApiServer.start({ authorization: 'Node,RBAC' });
    await run('controller-manager', 'system:kube-controller-manager', '--use-service-account-credentials', '--cluster-cidr=10.244.0.0/16');
    await run('scheduler', 'system:kube-scheduler');
    await made('/api/v1/nodes', { metadata: { name: 'n1' } });
    const status = { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] };
    const type = 'application/merge-patch+json';
    await server.call('PATCH', '/api/v1/nodes/n1/status', { status }, { type });
  });
  after(async () => {
    for (const child of running) {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.kill();
      await ended;
    }
    await server?.[Symbol.asyncDispose]();
  });

  test('a Deployment gets its pods, and they get a node that has its range', async () => {
    await made(deployments, { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } });
    await eventually('two pods on the node', async () => {
      const nodes = (await items(pods)).map(({ spec }) => spec.nodeName);
      assert.deepEqual(nodes, ['n1', 'n1'], logs);
    });
    assert.equal((await server.call('GET', '/api/v1/nodes/n1')).body.spec.podCIDR, '10.244.0.0/24');
  });

  test('each controller wrote as its own ServiceAccount', async () => {
    const { body } = await server.call('GET', '/api/v1/namespaces/kube-system/serviceaccounts');
    const accounts: string[] = body.items.map((one: Json) => one.metadata.name);
    for (const name of ['deployment-controller', 'replicaset-controller', 'node-controller', 'root-ca-cert-publisher'])
      assert.ok(accounts.includes(name), name);
  });

  test('a Job, a Service and a namespace come and go with all that is theirs', async () => {
    await made('/api/v1/namespaces', { metadata: { name: 'doomed' } });
    await made('/api/v1/namespaces/doomed/configmaps', { metadata: { name: 'inside' } });
    const spec = { ...template.spec, restartPolicy: 'Never' };
    await made(jobs, { metadata: { name: 'once' }, spec: { template: { spec } } });
    await made(inDefault('api/v1', 'services'), { metadata: { name: 'web' }, spec: { selector: labels, ports: [{ port: 80 }] } });
    await eventually('its pod', async () => assert.equal((await items(`${pods}?labelSelector=job-name=once`)).length, 1));
    await eventually('a slice', async () => {
      const slices = await items(`${inDefault('apis/discovery.k8s.io/v1', 'endpointslices')}?labelSelector=kubernetes.io/service-name=web`);
      assert.equal(slices.length, 1);
    });
    await server.call('DELETE', '/api/v1/namespaces/doomed');
    await server.call('DELETE', `${deployments}/web`, { propagationPolicy: 'Foreground' });
    await eventually('what is theirs to be gone', async () => {
      assert.equal((await server.call('GET', '/api/v1/namespaces/doomed')).status, 404);
      const left = (await items(`${pods}?labelSelector=app=web`)).filter(({ metadata }) => !metadata.deletionTimestamp);
      assert.deepEqual(left, []);
    });
  });

  test('they were refused nothing', () => {
    const refused = logs.split('\n').filter((line) => /forbidden|Unauthorized/.test(line) && !/because it is being terminated/.test(line));
    assert.deepEqual(refused, []);
  });
});
