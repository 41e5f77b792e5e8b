/** What is wrong is refused with cause and next step, and nothing that runs is lost. */
import assert from 'node:assert/strict';
import { type RequestOptions, request } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { type ExecResult, systemExec } from '../../../src/linux/exec.ts';
import { type Cluster, refusal } from '../testing/cluster.ts';
import { fairlead } from '../testing/lab.ts';
import { all, boxDeployment, boxPod, service } from '../testing/manifests.ts';
import { httpText } from '../testing/network.ts';

const space = 'bad-input';

export function badInputSuite(cluster: () => Cluster): void {
  describe('bad input', { concurrency: 2 }, () => {
    before(async () => {
      await cluster().namespace(space);
      await cluster().apply(all(boxDeployment('steady', 1), service('steady', '80:8080')), space);
      await cluster().readyPods(space, 'app=steady', 1);
    });

    after(async () => {
      assert.match(await httpText(await cluster().clusterIp(space, 'steady')), /^pod=steady-/);
    });

    /** Sends a body as it is, which the client library would not. */
    async function post(path: string, body: string, type = 'application/json'): Promise<{ code: number; message: string }> {
      const options: RequestOptions = { method: 'POST', headers: { 'content-type': type } };
      await cluster().config.applyToHTTPSOptions(options);
      return await new Promise((resolve, reject) => {
        const call = request(`${cluster().config.getCurrentCluster()?.server}${path}`, options, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (s: string) => (text += s));
          response.on('end', () => resolve({ code: response.statusCode ?? 0, message: (JSON.parse(text) as { message: string }).message }));
        });
        call.on('error', reject).end(body);
      });
    }

    test('a malformed manifest', async () => {
      const path = `/api/v1/namespaces/${space}/configmaps`;
      const torn = await post(path, '{"metadata": {');
      assert.equal(torn.code, 400);
      assert.match(torn.message, /json|JSON|EOF/);
      const yaml = await post(path, 'metadata: [\n  name: x', 'application/yaml');
      assert.equal(yaml.code, 400);
      const wrong = await post(path, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: 1 } }));
      assert.equal(wrong.code, 400);
      assert.match(wrong.message, /cannot unmarshal number into Go struct field ConfigMap\.data of type string/);
      const other = await post(path, JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }));
      assert.equal(other.code, 400);
    });

    test('an unknown field, named by strict validation', async () => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'x' },
        spec: { containrs: [], containers: [{ name: 'c', image: 'i', prots: [] }] },
      };
      const { code, message } = await post(`/api/v1/namespaces/${space}/pods?fieldValidation=Strict`, JSON.stringify(pod));
      assert.equal(code, 400);
      assert.match(
        message,
        /^Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec\.containrs", unknown field "spec\.containers\[0\]\.prots"$/,
      );
    });

    test('missing and invalid values, all of them at once', async () => {
      const body = { metadata: { name: 'Not_A_Name' }, spec: { containers: [{ name: 'c' }], restartPolicy: 'Sometimes' } };
      const { code, message } = await refusal(cluster().core.createNamespacedPod({ namespace: space, body: body as never }));
      assert.equal(code, 422);
      for (const part of [
        /metadata\.name: Invalid value: "Not_A_Name"/,
        /spec\.containers\[0\]\.image: Required value/,
        /spec\.restartPolicy: Unsupported value: "Sometimes"/,
      ])
        assert.match(message, part);
    });

    test('a Service with a nodePort that is taken, or out of range', async () => {
      const make = (nodePort: number): Promise<unknown> => {
        const body = { metadata: { name: `port-${nodePort}` }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort }] } };
        return cluster().core.createNamespacedService({ namespace: space, body });
      };
      const taken = await refusal(make(30080));
      assert.equal(taken.code, 422);
      assert.match(taken.message, /spec\.ports\[0\]\.nodePort: Invalid value: 30080: provided port is already allocated/);
      const outside = await refusal(make(80));
      assert.match(outside.message, /provided port is not in the valid range\. The range of valid ports is 30000-32767/);
    });

    test('an address outside the range of Services, or one that is taken', async () => {
      const make = (clusterIP: string): Promise<unknown> => {
        const body = { metadata: { generateName: 'ip-' }, spec: { clusterIP, ports: [{ port: 80 }] } };
        return cluster().core.createNamespacedService({ namespace: space, body });
      };
      const outside = await refusal(make('10.200.0.1'));
      assert.equal(outside.code, 422);
      assert.match(outside.message, /10\.200\.0\.1: the provided network does not match the current range 10\.96\.0\.0\/16/);
      assert.match((await refusal(make('10.96.0.10'))).message, /provided IP is already allocated/);
      assert.match((await refusal(make('nonsense'))).message, /must be a valid IP address/);
    });

    test('a selector that does not fit its template, and a field that may not change', async () => {
      const yaml = boxDeployment('mismatch', 1).replace('labels: { app: mismatch }', 'labels: { app: other }');
      await assert.rejects(cluster().apply(yaml, space), /`selector` does not match template `labels`/);
      await cluster().apply(boxPod('fixed'), space);
      await assert.rejects(
        cluster().apply(boxPod('fixed', { spec: 'restartPolicy: Never' }), space),
        /pod updates may not change fields other than/,
      );
    });

    test('a namespace that is not there', async () => {
      const { code, message } = await refusal(
        cluster().core.createNamespacedConfigMap({ namespace: 'nowhere', body: { metadata: { name: 'x' } } }),
      );
      assert.deepEqual([code, message], [404, 'namespaces "nowhere" not found']);
    });

    const run = (...args: string[]): Promise<ExecResult> => systemExec.run(process.execPath, [fairlead, ...args], { timeoutMs: 90_000 });
    const serverOn = (node: string, ...args: string[]): Promise<ExecResult> => {
      const command = ['/opt/fairlead/src/main/fairlead.ts', 'server', '--pki-dir', '/etc/kubernetes/pki', ...args];
      return cluster().lab.run(node, [`/opt/fairlead/node_modules/node-linux-${process.arch}/bin/node`, ...command], { timeoutMs: 90_000 });
    };

    test('a port that is taken', async () => {
      const { code, stderr } = await serverOn('control-plane', '--data-dir', '/tmp/second', '--secure-port', '6443');
      assert.notEqual(code, 0);
      assert.match(stderr, /6443/);
      assert.match(stderr, /in use/i);
      assert.match(stderr, /next: /);
    });

    test('a store that another server has', async () => {
      const { code, stderr } = await serverOn('control-plane', '--data-dir', '/var/lib/fairlead/server', '--secure-port', '7443');
      assert.notEqual(code, 0);
      assert.match(stderr, /another process/);
      assert.match(stderr, /next: /);
    });

    test('certificates that are not there', async () => {
      const { code, stderr } = await run('server', '--data-dir', '/nonexistent/data', '--pki-dir', '/nonexistent/pki');
      assert.notEqual(code, 0);
      assert.match(stderr, /Cannot read "\/nonexistent\/pki\/ca\.crt"/);
      assert.match(stderr, /next: /);
    });

    test('commands, flags and labs that do not exist', async () => {
      const { plan } = cluster().lab;
      for (const [args, expected] of [
        [['no-such-command'], /no-such-command/],
        [['lab', 'up', '--wrokers', '2'], /--wrokers/],
        [['lab', 'up', '--name', 'Bad_Name'], /Bad_Name/],
        [['lab', 'up', '--name', 'other', '--pod-cidr', '10.96.0.0/16'], /overlap/],
        [['lab', 'exec', '--name', 'nobody', 'worker-1'], /nobody/],
        [['lab', 'exec', '--name', plan.options.name, 'worker-9', '--', 'true'], /worker-9/],
      ] as const) {
        const { code, stderr } = await run(...args);
        assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
        assert.match(stderr, expected);
        assert.match(stderr, /next: /);
      }
    });
  });
}
