/** Helm 3, which applies on the client's side, and Helm 4, which applies on the server's. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type ExecResult, systemExec } from '../../src/linux/exec.ts';
import { Cluster } from '../e2e/testing/cluster.ts';
import { cannotStartLabs, TestLab } from '../e2e/testing/lab.ts';
import { findProgram, lacksProgram } from './testing/programs.ts';

const programs = ['helm3', 'helm4'] as const;
const files: Readonly<Record<string, string>> = {
  'Chart.yaml': '{ apiVersion: v2, name: small, version: 0.1.0 }\n',
  'values.yaml': '{ page: first, command: [], tolerations: [] }\n',
  'templates/page.yaml': `apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data: { page: {{ .Values.page }} }
`,
  'templates/service.yaml': `apiVersion: v1
kind: Service
metadata: { name: {{ .Release.Name }} }
spec: { selector: { app: {{ .Release.Name }} }, ports: [{ name: http, port: 80, targetPort: http }] }
`,
  'templates/deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  replicas: 2
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} }, annotations: { page: {{ .Values.page }} } }
    spec:
      terminationGracePeriodSeconds: 1
      tolerations: {{ toJson .Values.tolerations }}
      containers:
        - name: box
          image: fairlead.local/box:1
          command: {{ toJson .Values.command }}
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
`,
  'templates/hook.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: { helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: hook-succeeded }
spec:
  template:
    spec: { restartPolicy: Never, containers: [{ name: box, image: fairlead.local/box:1, command: ["true"] }] }
`,
};

describe('Helm on fairlead', { skip: cannotStartLabs || lacksProgram(...programs) }, () => {
  let lab: TestLab;
  let running: Cluster;
  let dir: string;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-helm-'));
    await mkdir(join(dir, 'chart', 'templates'), { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir, 'chart', name), text);
    lab = new TestLab({ name: 'ihel', underlay: '192.168.149.0/24', workers: 1 });
    await lab.up();
    running = new Cluster(lab);
  });

  after(async () => {
    await lab?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  for (const program of programs) {
    /** In a namespace named like the program. */
    const run = (...args: readonly string[]): Promise<ExecResult> =>
      systemExec.run(findProgram(program) ?? program, ['--kubeconfig', lab.plan.kubeconfig, '-n', program, ...args], {
        timeoutMs: 240_000,
        env: { HOME: dir },
      });
    const helm = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await run(...args);
      assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    const upgrade = (...args: readonly string[]): readonly string[] => {
      return ['upgrade', '--install', 'web', join(dir, 'chart'), '--create-namespace', '--wait', ...args];
    };
    const generation = async (): Promise<number | undefined> =>
      (await running.apps.readNamespacedDeployment({ name: 'web', namespace: program })).metadata?.generation;

    test(`${program} installs, upgrades, rolls back and uninstalls a chart, and waits for each`, async () => {
      await helm(...upgrade('--timeout', '180s'));
      assert.equal((await running.pods(program, 'app=web')).length, 2);
      await helm(...upgrade('--timeout', '180s', '--set', 'page=second'));
      assert.equal((await running.core.readNamespacedConfigMap({ name: 'web', namespace: program })).data?.page, 'second');
      const settled = await generation();
      await helm(...upgrade('--timeout', '180s', '--set', 'page=second'));
      assert.equal(await generation(), settled, 'the same again is no change');

      const failed = await run(...upgrade('--timeout', '5s', '--set', 'page=third', '--set', 'command={false}'));
      assert.notEqual(failed.code, 0);
      await helm('rollback', 'web', '2', '--wait', '--timeout', '180s');
      assert.equal((await running.core.readNamespacedConfigMap({ name: 'web', namespace: program })).data?.page, 'second');
      const history = JSON.parse(await helm('history', 'web', '-o', 'json')) as { readonly status: string }[];
      assert.deepEqual(
        history.map(({ status }) => status),
        ['superseded', 'superseded', 'superseded', 'failed', 'deployed'],
      );

      await helm('uninstall', 'web', '--wait', '--timeout', '180s');
      await eventually('nothing to be left', async () => {
        assert.deepEqual(await running.pods(program), []);
        assert.deepEqual((await running.core.listNamespacedSecret({ namespace: program })).items, []);
        assert.deepEqual((await running.core.listNamespacedService({ namespace: program })).items, []);
      });
    });
  }
});
