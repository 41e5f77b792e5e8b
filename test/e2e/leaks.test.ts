/**
 * `npm start` and `npm stop` on a machine: a network namespace stands for the machine's own, so that the lab that attaches itself to
 * its host attaches itself to that. The baseline is taken before the first command.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { defaultLabOptions } from '../../src/lab/lab-options.ts';
import { type LabPlan, planLab } from '../../src/lab/plan.ts';
import type { LabState } from '../../src/lab/state.ts';
import type { Baseline } from '../../src/lab/testing/baseline.ts';
import { forgetLab, recordLab, runName } from '../../src/lab/testing/run-name.ts';
import { type ExecOptions, type ExecResult, systemExec } from '../../src/linux/exec.ts';
import { Namespaces } from '../../src/linux/testing/namespaces.ts';
import { cannotStartLabs, fairlead } from './testing/lab.ts';
import { baselineIn, leaksSince } from './testing/leaks.ts';

const npmScripts = join(import.meta.dirname, '../../src/bootstrap');
const scenario = join(import.meta.dirname, '../../rules/scenarios/web/objects.yaml');
const nobody = 65534;

describe('start and stop', { skip: cannotStartLabs }, () => {
  const machines = new Namespaces();
  // Its ranges are known once it runs: another lab of this machine may have the usual ones.
  let plan: LabPlan = planLab({ ...defaultLabOptions, name: runName('e2el') });
  const second: LabPlan = planLab({ ...defaultLabOptions, name: runName('e2e2'), attach: false, client: true });
  let machine = '';
  let baseline: Baseline;

  before(async () => {
    await machines.add('machine');
    machine = machines.path('machine');
    baseline = await baselineIn(machine);
    for (const { options } of [plan, second]) await recordLab(options.name);
  });

  after(async () => {
    for (const { options } of [plan, second]) {
      await on([process.execPath, fairlead, 'lab', 'down', '--name', options.name]);
      await forgetLab(options.name);
    }
    await machines[Symbol.asyncDispose]();
  });

  /** Runs a command on the machine. */
  function on(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return systemExec.run('nsenter', [`--net=${machine}`, ...command], { timeoutMs: 300_000, ...options });
  }

  async function must(command: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    const result = await on(command, options);
    assert.equal(result.code, 0, `${command.join(' ')}: ${result.stderr}`);
    return result;
  }

  const start = async (...args: string[]): Promise<ExecResult> => {
    const result = await must([process.execPath, join(npmScripts, 'start.mjs'), '--name', plan.options.name, ...args], {
      env: { SUDO_UID: String(nobody), SUDO_GID: String(nobody), FAIRLEAD_E2E_LAB: plan.options.name },
    });
    plan = planLab(recordOf(plan).options);
    return result;
  };
  const stop = (): Promise<ExecResult> => must([process.execPath, join(npmScripts, 'stop.mjs'), '--name', plan.options.name]);

  async function nothingLeft(lab: LabPlan): Promise<void> {
    // The kernel takes namespaces and cgroups apart a moment after the last process in them.
    await eventually('the machine to be as before', async () => assert.deepEqual(leaksSince(baseline, await baselineIn(machine), lab), []));
    assert.ok(!existsSync(lab.dir));
  }

  function recordOf(lab: LabPlan): LabState {
    return JSON.parse(readFileSync(join(lab.dir, 'lab.json'), 'utf8')) as LabState;
  }

  function initsOf(lab: LabPlan): number[] {
    return Object.values(recordOf(lab).nodes).map((id) => id.pid);
  }

  const kubectl = async (...args: string[]): Promise<string> =>
    (await must(['kubectl', ...args], { env: { KUBECONFIG: plan.kubeconfig } })).stdout;

  test('npm start says each step with its seconds, and prints the kubeconfig, which is its owner’s alone', async () => {
    const { stdout, stderr } = await start();
    assert.equal(stdout, `export KUBECONFIG=${plan.kubeconfig}\n`);
    for (const step of [
      /✓ Booted control-plane, worker-1, worker-2 \(\d+\.\d s\)/,
      /✓ API server ready at https:\/\//,
      /✓ 3 nodes Ready/,
      /✓ DNS answers at 10\.\d+\.0\.10/,
    ])
      assert.match(stderr, step);
    const { mode, uid, gid } = statSync(plan.kubeconfig);
    assert.deepEqual([(mode & 0o777).toString(8), uid, gid], ['600', nobody, nobody]);
    assert.equal(statSync(join(plan.dir, 'nodes')).mode & 0o777, 0o700, 'logs and volumes are for root alone');
  });

  test('the machine reaches ClusterIP, NodePort and DNS through the link of the lab', async (t) => {
    const route = (await must(['ip', 'route', 'get', plan.kubernetesAddress])).stdout;
    assert.match(route, new RegExp(` dev ${plan.hostLink} `));
    if ((await systemExec.run('kubectl', ['version', '--client']).catch(() => undefined)) === undefined)
      return t.skip('kubectl is not installed');
    await kubectl('apply', '-f', scenario);
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=240s');
    const ip = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    const pods = (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ').toSorted();
    for (const url of [`http://${ip}/`, ...plan.nodes.map((n) => `http://${n.address}:30080/`)]) {
      const seen = new Set<string>();
      await eventually(`all three pods at ${url}`, async () => {
        const { stdout } = await must(['curl', '-sS', '--max-time', '30', url, url, url, url]);
        for (const [, pod = ''] of stdout.matchAll(/pod=(\S+)/g)) seen.add(pod);
        assert.deepEqual([...seen].toSorted(), pods);
      });
    }
    const dig = await on(['dig', '+short', '+time=5', `@${plan.dnsAddress}`, 'web.default.svc.cluster.local', 'A']).catch(() => undefined);
    if (dig) assert.equal(dig.stdout.trim(), ip);
  });

  test('a second lab lives beside the first, with the same ranges, and ends without touching it', async () => {
    const flags = ['--name', second.options.name, '--no-attach', '--client', '--no-relay'];
    await must([process.execPath, fairlead, 'lab', 'up', ...flags]);
    const [mine, theirs] = [initsOf(plan), initsOf(second)];
    assert.equal(new Set([...mine, ...theirs]).size, 6);
    const nodes = await systemExec.run('nsenter', [
      `--net=${second.clientNetns}`,
      'curl',
      '-sS',
      '--max-time',
      '5',
      '-k',
      `${second.server}/readyz`,
    ]);
    assert.equal(nodes.stdout, 'ok', nodes.stderr);
    await must([process.execPath, fairlead, 'lab', 'down', '--name', second.options.name]);
    assert.deepEqual(initsOf(plan), mine);
    assert.equal((await on([process.execPath, fairlead, 'lab', 'status', '--name', plan.options.name])).code, 0);
  });

  test('an attached lab of ranges that are routed already is refused by name', async () => {
    const ranges = ['--underlay', plan.underlay.text, '--pod-cidr', plan.pods.text, '--service-cidr', plan.services.text];
    const { code, stderr } = await on([process.execPath, fairlead, 'lab', 'up', '--name', second.options.name, ...ranges]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /Cannot use "[\d./]+" for --(underlay|pod-cidr|service-cidr): this machine has the route ".* dev fl-e2el-/);
    assert.match(stderr, /next: Choose (another range|other ranges) with --/);
    assert.ok(!existsSync(second.dir));
  });

  test('a second attached lab gets ranges of its own, and this machine reaches both by their kubeconfigs', async (t) => {
    const up = [process.execPath, fairlead, 'lab', 'up', '--name', second.options.name, '--workers', '0', '--no-relay'];
    t.after(() => on([process.execPath, fairlead, 'lab', 'down', '--name', second.options.name]));
    const { stderr } = await must(up);
    // Beside another run of these tests the first lab may have moved already, and the usual ranges be free again.
    if (plan.underlay.text === '192.168.120.0/24')
      assert.match(stderr, /The usual ranges are taken: nodes get \S+, pods \S+, Services \S+/);
    const other = planLab(recordOf(second).options);
    for (const key of ['underlay', 'pods', 'services'] as const) assert.notEqual(other[key].text, plan[key].text);
    for (const lab of [plan, other]) {
      const ca = join(lab.pkiDir, 'ca.crt');
      assert.equal((await must(['curl', '-sS', '--max-time', '30', '--cacert', ca, `${lab.server}/readyz`])).stdout, 'ok');
    }
    await must([process.execPath, fairlead, 'lab', 'down', '--name', second.options.name]);
    assert.ok(!existsSync(other.dir));
    assert.ok(!(await must(['ip', 'route'])).stdout.includes(other.pods.text));
    assert.equal((await on([process.execPath, fairlead, 'lab', 'status', '--name', plan.options.name])).code, 0);
  });

  test('npm start on a running lab finds it', async () => {
    const inits = initsOf(plan);
    const { stderr, stdout } = await start();
    assert.match(stderr, /Found lab "e2el-[^"]+" running: 3 nodes/);
    assert.equal(stdout, `export KUBECONFIG=${plan.kubeconfig}\n`);
    assert.deepEqual(initsOf(plan), inits);
  });

  test('lab tour shows everything without kubectl', async () => {
    const { stdout } = await must([process.execPath, fairlead, 'lab', 'tour', '--name', plan.options.name]);
    for (const part of [/pod=web-/, /web\.default\.svc\.cluster\.local/]) assert.match(stdout, part);
  });

  test('npm start after every node was killed brings the cluster and its objects back', async (t) => {
    for (const pid of initsOf(plan)) process.kill(pid, 'SIGKILL');
    const { stderr } = await start();
    assert.match(stderr, /Found lab "e2el-[^"]+"/);
    if ((await systemExec.run('kubectl', ['version', '--client']).catch(() => undefined)) === undefined)
      return t.skip('kubectl is not installed');
    await kubectl('wait', '--for=condition=Available', 'deployment/web', '--timeout=240s');
    const ip = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');
    await eventually('an answer', async () =>
      assert.match((await on(['curl', '-sS', '--max-time', '2', `http://${ip}/`])).stdout, /^pod=web-/),
    );
  });

  test('npm stop leaves nothing behind', async () => {
    await stop();
    await nothingLeft(plan);
  });

  test('with --egress=nat the machine forwards while the lab runs, and is as before afterwards', async () => {
    await start('--egress=nat', '--workers', '1');
    assert.match((await must(['nft', 'list', 'tables'])).stdout, new RegExp(`table ip ${plan.nftTable}`));
    await stop();
    await nothingLeft(plan);
  });

  test('a start that was killed half way is cleared away by the next stop', async () => {
    const child = systemExec.run('nsenter', [`--net=${machine}`, process.execPath, fairlead, 'lab', 'up', '--name', plan.options.name], {
      timeoutMs: 600,
    });
    assert.notEqual((await child).code, 0);
    // On a busy machine it may not have come to anything yet.
    await on([process.execPath, join(npmScripts, 'stop.mjs'), '--name', plan.options.name]);
    await nothingLeft(plan);
  });

  test('npm stop of a lab that is not there says so', async () => {
    const { code, stderr } = await on([process.execPath, join(npmScripts, 'stop.mjs'), '--name', plan.options.name]);
    assert.equal(code, 2);
    assert.match(stderr, /Cannot end lab "e2el-[^"]+": there is no such lab\n {2}next: /);
    await nothingLeft(plan);
  });
});
