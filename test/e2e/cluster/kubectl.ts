/** The commands of the README's tour, by kubectl itself where it is installed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { type ExecResult, systemExec } from '../../../src/linux/exec.ts';
import type { Cluster } from '../testing/cluster.ts';
import { all, boxDeployment, boxPod, service } from '../testing/manifests.ts';

const space = 'kubectl';

const withoutKubectl: string | false = await systemExec.run('kubectl', ['version', '--client']).then(
  () => false,
  () => 'kubectl is not installed',
);

export function kubectlSuite(cluster: () => Cluster): void {
  describe('kubectl', { skip: withoutKubectl, concurrency: 2 }, () => {
    const run = (args: readonly string[], input?: string): Promise<ExecResult> =>
      systemExec.run('kubectl', ['-n', space, ...args], {
        timeoutMs: 150_000,
        env: { KUBECONFIG: cluster().lab.plan.kubeconfig },
        ...(input === undefined ? {} : { input }),
      });

    /** What kubectl prints when it succeeds. */
    async function kubectl(args: readonly string[], input?: string): Promise<string> {
      const { code, stdout, stderr } = await run(args, input);
      assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}`);
      return stdout;
    }

    const apply = (yaml: string): Promise<string> => kubectl(['apply', '-f', '-'], yaml);

    before(() => cluster().namespace(space));

    test('get nodes -o wide shows three Ready nodes', async () => {
      const [head = '', ...rows] = (await kubectl(['get', 'nodes', '-o', 'wide'])).trim().split('\n');
      assert.match(head, /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME$/);
      assert.deepEqual(
        rows.map((row) => row.split(/\s+/).slice(0, 3)),
        [
          ['control-plane', 'Ready', 'control-plane'],
          ['worker-1', 'Ready', '<none>'],
          ['worker-2', 'Ready', '<none>'],
        ],
      );
    });

    test('get --raw reads the logs of a node, and nothing beside them', async () => {
      const logs = '/api/v1/nodes/worker-1/proxy/logs';
      assert.match(await kubectl(['get', '--raw', `${logs}/`]), /<a href="pods\/">pods\/<\/a>/);
      assert.match(await kubectl(['get', '--raw', `${logs}/pods/`]), /<pre>/);
      const { code, stderr } = await run(['get', '--raw', `${logs}/..%2f..%2fetc/passwd`]);
      assert.deepEqual([code, /NotFound|could not find/.test(stderr)], [1, true], stderr);
    });

    test('apply creates, leaves alone, and configures; diff shows what would change; delete takes away', async () => {
      const yaml = all(boxDeployment('applied', 1), service('applied', '80:8080'));
      assert.equal(await apply(yaml), 'deployment.apps/applied created\nservice/applied created\n');
      assert.equal(await apply(yaml), 'deployment.apps/applied unchanged\nservice/applied unchanged\n');
      const changed = yaml.replace('replicas: 1', 'replicas: 2');
      const diff = await run(['diff', '-f', '-'], changed);
      assert.equal(diff.code, 1, diff.stderr);
      assert.match(diff.stdout, /^- {2}replicas: 1\n\+ {2}replicas: 2$/m);
      assert.equal(await apply(changed), 'deployment.apps/applied configured\nservice/applied unchanged\n');
      assert.equal(
        await kubectl(['apply', '--dry-run=server', '-f', '-'], yaml),
        'deployment.apps/applied configured (server dry run)\nservice/applied unchanged (server dry run)\n',
      );
      assert.equal(await kubectl(['get', 'deployment', 'applied', '-o', 'jsonpath={.spec.replicas}']), '2');
      // Since 1.34 kubectl says from where, too.
      const deleted = (await kubectl(['delete', '-f', '-'], yaml)).replaceAll(' from kubectl namespace', '');
      assert.equal(deleted, 'deployment.apps "applied" deleted\nservice "applied" deleted\n');
    });

    test('apply --server-side meets whoever scaled, is forced, takes over what was applied by the client, and prunes', async () => {
      const yaml = all(boxDeployment('owned', 1), service('owned', '80:8080'));
      const onServer = ['apply', '--server-side', '-f', '-'];
      await apply(yaml);
      // As upstream: the node's name is read through a struct that is owned as a whole, and whose default nobody applied.
      assert.match((await run(onServer, yaml)).stderr, /Apply failed with 1 conflict: .*\.env\[name="NODE_NAME"\]\.valueFrom\.fieldRef\n/);
      assert.equal(
        await kubectl([...onServer, '--force-conflicts'], yaml),
        'deployment.apps/owned serverside-applied\nservice/owned serverside-applied\n',
      );
      await kubectl(['scale', 'deployment/owned', '--replicas=2']);
      const refused = await run(onServer, yaml);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas/,
      );
      assert.match(
        (await run(['diff', '--server-side', '--force-conflicts', '-f', '-'], yaml)).stdout,
        /^- {2}replicas: 2\n\+ {2}replicas: 1$/m,
      );
      await kubectl([...onServer, '--force-conflicts'], yaml);
      assert.equal(await kubectl(['get', 'deployment', 'owned', '-o', 'jsonpath={.spec.replicas}']), '1');
      const without = yaml.replace(/^.*NODE_NAME.*$/m, '');
      await kubectl(onServer, without);
      assert.equal(await kubectl(['get', 'deployment', 'owned', '-o', 'jsonpath={.spec.template.spec.containers[0].env}']), '');

      const labelled = (names: readonly string[]): string =>
        all(...names.map((name) => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, labels: { set: pruned } }\n`));
      await apply(labelled(['stays', 'goes']));
      await kubectl(['apply', '--prune', '-l', 'set=pruned', '-f', '-'], labelled(['stays']));
      assert.equal(await kubectl(['get', 'configmap', '-l', 'set=pruned', '-o', 'name']), 'configmap/stays\n');
    });

    test('scale, rollout status, set image, history and undo', async () => {
      await apply(boxDeployment('rolled', 2));
      await kubectl(['rollout', 'status', 'deployment/rolled', '--timeout=120s']);
      assert.equal(await kubectl(['scale', 'deployment/rolled', '--replicas=3']), 'deployment.apps/rolled scaled\n');
      await kubectl(['set', 'env', 'deployment/rolled', 'VERSION=two']);
      assert.match(await kubectl(['rollout', 'status', 'deployment/rolled', '--timeout=120s']), /successfully rolled out/);
      assert.match(await kubectl(['rollout', 'history', 'deployment/rolled']), /^1 +<none>\n2 +<none>$/m);
      assert.equal(await kubectl(['rollout', 'undo', 'deployment/rolled']), 'deployment.apps/rolled rolled back\n');
      assert.match(await kubectl(['rollout', 'status', 'deployment/rolled', '--timeout=120s']), /successfully rolled out/);
      const env = await kubectl(['get', 'deployment', 'rolled', '-o', 'jsonpath={.spec.template.spec.containers[0].env[*].name}']);
      assert.equal(env, 'NODE_NAME');
      assert.equal(await kubectl(['rollout', 'restart', 'deployment/rolled']), 'deployment.apps/rolled restarted\n');
      assert.match(await kubectl(['rollout', 'status', 'deployment/rolled', '--timeout=120s']), /successfully rolled out/);
      assert.match(await kubectl(['get', 'deployment', 'rolled']), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nrolled +3\/3 +3 +3 /);
    });

    test('get pods -w shows a pod from its beginning to its end', async () => {
      const child = spawn('kubectl', ['-n', space, 'get', 'pods', '-w', '-l', 'app=seen'], {
        env: { ...process.env, KUBECONFIG: cluster().lab.plan.kubeconfig },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (s: string) => (text += s));
      try {
        // kubectl must be watching before the pod is made that is to be seen from its beginning.
        await apply(boxPod('early', { app: 'seen' }));
        await eventually('the watch', () => assert.match(text, /^early /m));
        await apply(boxPod('seen'));
        await eventually('Running in the watch', () => assert.match(text, /^seen +1\/1 +Running/m));
        await kubectl(['delete', 'pod', 'seen']);
        await eventually('the end in the watch', () => assert.match(text, /^seen .* Terminating/m));
      } finally {
        child.kill('SIGKILL');
      }
      assert.match(text, /^NAME +READY +STATUS +RESTARTS +AGE\n/);
      assert.match(text, /^seen +0\/1 +Pending/m);
    });

    test('logs, logs -f and exec with input and exit code', async () => {
      await apply(boxPod('spoken', { container: `command: [sh, -c, 'for i in 1 2 3; do echo $i; sleep 0.3; done; sleep 3600']` }));
      await kubectl(['wait', '--for=condition=Ready', 'pod/spoken', '--timeout=120s']);
      const child = spawn('kubectl', ['-n', space, 'logs', '-f', 'spoken'], {
        env: { ...process.env, KUBECONFIG: cluster().lab.plan.kubeconfig },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (s: string) => (text += s));
      await eventually('every line', () => assert.equal(text, '1\n2\n3\n'));
      child.kill('SIGKILL');
      assert.equal(await kubectl(['logs', 'spoken', '--tail=1']), '3\n');
      const outcome = await run(['exec', '-i', 'spoken', '--', 'sh', '-c', 'cat; exit 9'], 'hello\n');
      assert.deepEqual([outcome.stdout, outcome.code], ['hello\n', 9]);
      assert.match(outcome.stderr, /command terminated with exit code 9/);
      const missing = await run(['exec', 'spoken', '--', 'no-such-program']);
      assert.notEqual(missing.code, 0);
    });

    test('cp copies there and back', async () => {
      await apply(boxPod('copied'));
      await kubectl(['wait', '--for=condition=Ready', 'pod/copied', '--timeout=120s']);
      const dir = await mkdtemp(join(tmpdir(), 'fairlead-e2e-'));
      try {
        const content = 'c'.repeat(100_000);
        await writeFile(join(dir, 'there'), content);
        await kubectl(['cp', join(dir, 'there'), 'copied:/tmp/file']);
        await kubectl(['cp', 'copied:/tmp/file', join(dir, 'back')]);
        assert.equal(await readFile(join(dir, 'back'), 'utf8'), content);
      } finally {
        await rm(dir, { recursive: true });
      }
    });

    test('describe, explain, api-resources, top-level get and -o name', async () => {
      await apply(boxPod('described'));
      await kubectl(['wait', '--for=condition=Ready', 'pod/described', '--timeout=120s']);
      const described = await eventually('the event of its start', async () => {
        const text = await kubectl(['describe', 'pod', 'described']);
        assert.match(text, /Started .*kubelet/);
        return text;
      });
      assert.match(described, /^Node: +worker-\d\/192\.168\./m);
      assert.match(described, /Scheduled .*default-scheduler +Successfully assigned kubectl\/described to worker-/);
      // In our words, or in those of kube-apiserver, where it is the server.
      const said = /FIELD: +image <string>\s+DESCRIPTION:\s+(The image, such as|Container image name)/;
      // The second way is the one of kubectl before 1.27, by the older document.
      assert.match(await kubectl(['explain', 'pod.spec.containers.image']), said);
      const older = await kubectl(['explain', 'pod.spec.containers.image', '--output', 'plaintext-openapiv2']);
      assert.match(older, said);
      assert.match(await kubectl(['api-resources', '--api-group=apps']), /^deployments +deploy +apps\/v1 +true +Deployment$/m);
      assert.equal(await kubectl(['get', 'pod', 'described', '-o', 'name']), 'pod/described\n');
      assert.match(await kubectl(['get', 'all']), /pod\/described +1\/1 +Running/);
      assert.match(await kubectl(['describe', 'node', 'worker-1']), /Allocated resources:/);
      assert.match(await kubectl(['get', 'events']), /Successfully assigned/);
    });

    test('create, expose, run, label, annotate, edit by patch, auth can-i', async () => {
      await kubectl(['create', 'deployment', 'quick', '--image=fairlead.local/box:1', '--port=8080']);
      await kubectl(['expose', 'deployment', 'quick', '--port=80', '--target-port=8080']);
      await kubectl(['rollout', 'status', 'deployment/quick', '--timeout=120s']);
      const ip = await kubectl(['get', 'service', 'quick', '-o', 'jsonpath={.spec.clusterIP}']);
      // It waits for a line of input, so that its answer does not come before kubectl listens.
      const script = `read line; until timeout 5 wget -q -O - http://${ip}/; do sleep 0.2; done`;
      const once = ['run', 'once', '--image=fairlead.local/box:1', '--restart=Never', '--rm', '-i', '--quiet', '--', 'sh', '-c', script];
      const fetched = await kubectl(once, 'go\n');
      assert.match(fetched, /^pod=quick-/);
      await kubectl(['label', 'deployment', 'quick', 'tier=front']);
      await kubectl(['annotate', 'deployment', 'quick', 'note=this']);
      await kubectl([
        'patch',
        'deployment',
        'quick',
        '-p',
        '{"spec":{"template":{"spec":{"containers":[{"name":"box","env":[{"name":"A","value":"b"}]}]}}}}',
      ]);
      assert.match(await kubectl(['get', 'deployment', '-l', 'tier=front', '--no-headers']), /^quick /);
      assert.equal(await kubectl(['auth', 'can-i', 'create', 'pods']), 'yes\n');
      const cannot = await run(['auth', 'can-i', 'create', 'pods', '--as=system:serviceaccount:kubectl:default']);
      assert.deepEqual([cannot.stdout, cannot.code], ['no\n', 1]);
    });
  });
}
