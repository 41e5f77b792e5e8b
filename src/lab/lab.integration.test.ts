/**
 * Labs on this machine, started and ended as a user would: each has a name and ranges of its own, and the one that attaches does so to a
 * network namespace that stands in for the machine, so that nothing of the real one is touched.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Progress } from '../cli/progress.ts';
import { systemClock } from '../clock/clock.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { type ExecResult, systemExec } from '../linux/exec.ts';
import { ociArchive } from './images/oci-image.ts';
import { unpackMissing } from './images/programs-of-debian.ts';
import { type TarEntry, tarOf } from './images/tar.ts';
import { toolPrograms } from './images/tools-image.ts';
import { defaultLabOptions } from './lab-options.ts';
import { planLab, stateRoot } from './plan.ts';
import { forgetLab, recordLab, runName } from './testing/run-name.ts';
import { findTools } from './tools.ts';
import { labUp } from './up.ts';

const program = join(import.meta.dirname, '../main/fairlead.ts');
const missing =
  process.getuid?.() !== 0
    ? 'root is needed'
    : await findTools().then(
        () => false as const,
        (err: Error) => err.message,
      );

function lab(args: readonly string[], inside?: number): Promise<ExecResult> {
  const command = [process.execPath, program, 'lab', ...args];
  const whole = inside === undefined ? command : ['nsenter', `--target=${inside}`, '--net', ...command];
  return systemExec.run(whole[0] ?? '', whole.slice(1), { timeoutMs: 300_000 });
}

async function must(args: readonly string[], inside?: number): Promise<ExecResult> {
  const result = await lab(args, inside);
  assert.equal(result.code, 0, `lab ${args.join(' ')}: ${result.stderr}`);
  return result;
}

/** Everything on the machine that bears a lab's name. */
async function traces(name: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(`/fairlead/${name}/`));
  const cgroups: string[] = [];
  for (const dir of await readdir('/sys/fs/cgroup')) {
    const found = await readdir(join('/sys/fs/cgroup', dir)).catch(() => []);
    cgroups.push(...[dir, ...found].filter((entry) => entry === `fairlead.${name}`));
  }
  const processes: string[] = [];
  for (const pid of await readdir('/proc')) {
    const environment = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '') : '';
    if (environment.includes(`FL_DIR=/var/lib/fairlead/${name}/`)) processes.push(pid);
  }
  return [...mounts, ...cgroups, ...processes];
}

describe('a lab that loses parts', { skip: missing }, () => {
  const name = runName('ita');
  const plan = planLab({ ...defaultLabOptions, name, underlay: '192.168.123.0/24' });
  before(async () => {
    await recordLab(name);
    await must(['up', '--name', name, '--workers', '1', '--no-attach', '--client', '--underlay', '192.168.123.0/24']);
  });
  after(async () => {
    await lab(['down', '--name', name]);
    await forgetLab(name);
  });

  const initOf = async (node: string): Promise<number> => Number(await readFile(join(plan.dir, 'nodes', node, 'init.pid'), 'utf8'));

  test('is healthy, and says so to programs', async () => {
    const status = JSON.parse((await must(['status', '--name', name, '-o', 'json'])).stdout) as { healthy: boolean; nodes: object[] };
    assert.equal(status.healthy, true);
    assert.equal(status.nodes.length, 2);
  });

  test('answers to the client through the Service range', async () => {
    const args = ['exec', 'client', '--name', name, '--', 'curl', '-sk', '--max-time', '30', 'https://10.96.0.1/version'];
    assert.match((await must(args)).stdout, /gitVersion/);
  });

  test('pulls images through its relay, which serves nobody else', async () => {
    const kubectl = (...words: string[]): Promise<ExecResult> => must(['exec', 'control-plane', '--name', name, '--', 'kubectl', ...words]);
    await kubectl('run', 'puller', '--image', 'registry.invalid/x:1', '--restart', 'Never');
    // The relay's own words: it took the runtime for one, and could not resolve the name.
    await eventually('the reason in the events of the pod', async () =>
      /the lab's relay cannot reach/.test((await kubectl('get', 'events', '-o', 'jsonpath={.items[*].message}')).stdout),
    );
    const ask = `printf 'CONNECT 127.0.0.1:443 HTTP/1.1\\r\\n\\r\\n' | busybox nc -w 5 ${plan.relayAddress} 3128`;
    assert.match((await must(['exec', 'client', '--name', name, '--', 'sh', '-c', ask])).stdout, /^HTTP\/1\.1 407 /);
  });

  test('starts its relay again when that dies', async () => {
    const relays = async (): Promise<string[]> => {
      const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
      const lines = await Promise.all(pids.map(async (pid) => [pid, await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')]));
      return lines.flatMap(([pid = '', line = '']) => (/^\S*node\0.*relay-process\.ts\0/.test(line) && line.includes(name) ? [pid] : []));
    };
    const [first] = await relays();
    assert.ok(first);
    process.kill(Number(first), 'SIGKILL');
    await eventually('another relay', async () => (await relays()).some((pid) => pid !== first));
    await eventually('the lab to be healthy', async () => (await lab(['status', '--name', name])).code === 0);
  });

  const imagesOn = async (node: string): Promise<string[]> =>
    (await must(['exec', node, '--name', name, '--', 'ctr', 'images', 'ls', '-q'])).stdout.split('\n');

  test('loads archives of images, by their names, into every node', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'load-'));
    try {
      const cpu = process.arch === 'arm64' ? 'arm64' : 'amd64';
      const oci = join(dir, 'oci.tar');
      await writeFile(oci, ociArchive({ reference: 'mine.example/oci:1', architecture: cpu, rootfs: [], command: ['/none'] }));
      const unpacked = join(dir, 'app');
      await mkdir(unpacked);
      assert.equal((await systemExec.run('tar', ['-xf', oci, '-C', unpacked])).code, 0);
      assert.equal((await systemExec.run('gzip', ['-k', oci])).code, 0);
      const layer = tarOf([{ path: 'file', kind: 'file', mode: 0o644, content: Buffer.from('x') }]);
      const digest = createHash('sha256').update(layer).digest('hex');
      const config = { architecture: cpu, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] } };
      const manifest = [{ Config: 'config.json', RepoTags: ['docker:1'], Layers: ['layer.tar'] }];
      const entry = (path: string, content: Uint8Array | object): TarEntry => ({
        path,
        kind: 'file',
        mode: 0o644,
        content: content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content)),
      });
      const docker = [entry('config.json', config), entry('layer.tar', layer), entry('manifest.json', manifest)];
      await writeFile(join(dir, 'docker.tar'), tarOf(docker));
      await must(['load', oci, '--name', name]);
      await must(['load', unpacked, '--name', name, '--as', 'renamed:2']);
      await must(['load', `${oci}.gz`, '--name', name, '--as', 'zipped']);
      await must(['load', join(dir, 'docker.tar'), '--name', name]);
      for (const node of ['control-plane', 'worker-1']) {
        const there = await imagesOn(node);
        for (const image of [
          'mine.example/oci:1',
          'docker.io/library/renamed:2',
          'docker.io/library/zipped:latest',
          'docker.io/library/docker:1',
        ])
          assert.ok(there.includes(image), `${image} on ${node}`);
      }
      const refused = await lab(['load', '/etc/passwd', '--name', name]);
      assert.deepEqual([refused.code, /is no tar archive/.test(refused.stderr)], [2, true]);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('makes the tools image when a pod first asks for it, with programs that run', async (t) => {
    const cannot = await unpackMissing(systemExec, toolPrograms, join(plan.cacheDir, 'tools')).then(
      () => undefined,
      (err: Error) => err.message,
    );
    if (cannot !== undefined) return t.skip(cannot);
    const kubectl = (...words: string[]): Promise<ExecResult> => must(['exec', 'control-plane', '--name', name, '--', 'kubectl', ...words]);
    await kubectl('run', 'tools', '--image', 'fairlead.local/tools:1');
    await kubectl('wait', '--for=condition=Ready', 'pod/tools', '--timeout=100s');
    // Each with all of its libraries: what lacks one says so and ends with 127.
    const each = 'curl -V && dig -v && wget -V && iperf3 -v && tcpdump --version && ip -V && jq -V && nc -h; host -V';
    const said = await kubectl('exec', 'tools', '--', 'sh', '-ec', `(${each}) 2>&1`);
    assert.doesNotMatch(said.stdout, /error while loading|not found/);
    for (const own of [/^GNU Wget/m, /^ip utility, iproute2/m, /^OpenBSD netcat/m])
      assert.match(said.stdout, own, 'not an applet of busybox');
    const names = await kubectl('exec', 'tools', '--', 'dig', '+short', 'kubernetes.default.svc.cluster.local');
    assert.equal(names.stdout.trim(), plan.kubernetesAddress);
  });

  test('says which parts do not answer, though their processes are there', async () => {
    const pidOf = async (node: string, command: string): Promise<number> => {
      for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
        const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
        if (!(await read('environ')).includes(`FL_DIR=${join(plan.dir, 'nodes', node)}\0`)) continue;
        if ((await read('cmdline')).includes(`/fairlead.mjs\0${command}\0`)) return Number(pid);
      }
      throw new Error(`${node} runs no ${command}`);
    };
    for (const [node, command, missing] of [
      ['worker-1', 'agent', 'dns'],
      ['control-plane', 'server', 'api'],
    ] as const) {
      const pid = await pidOf(node, command);
      process.kill(pid, 'SIGSTOP');
      try {
        const { code, stdout } = await lab(['status', '--name', name, '-o', 'json']);
        const { parts } = JSON.parse(stdout) as { parts: Record<string, boolean> };
        const bad = Object.keys(parts).filter((part) => !parts[part]);
        assert.deepEqual([code, bad], [1, [missing]]);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await eventually('the lab to be healthy', async () => (await lab(['status', '--name', name])).code === 0);
    }
  });

  test('names the labs there are when one is to be ended that is not', async () => {
    const { code, stderr } = await lab(['down', '--name', runName('itx')]);
    assert.equal(code, 2);
    assert.match(stderr, /Cannot end lab "itx-[^"]+": there is no such lab\n {2}next: Known labs: .*\bita-/);
  });

  test('passes on the exit code of what runs on a node', async () => {
    assert.equal((await lab(['exec', 'worker-1', '--name', name, '--', 'sh', '-c', 'exit 7'])).code, 7);
    assert.match(
      (await lab(['exec', 'worker-9', '--name', name, '--', 'true'])).stderr,
      /has no such node[\s\S]*control-plane, worker-1, client/,
    );
  });

  test('shows a node nothing of the keys and homes of the machine', async () => {
    const seen = await must([
      'exec',
      'worker-1',
      '--name',
      name,
      '--',
      'sh',
      '-c',
      'ls -A /root /home /var/lib/fairlead /etc/kubernetes/pki 2>&1 || true',
    ]);
    assert.doesNotMatch(seen.stdout, /ca\.key|kubeconfig|lab\.json|\.ssh/);
  });

  test('starts a killed node again and leaves the other alone', async () => {
    const [worker, control] = [await initOf('worker-1'), await initOf('control-plane')];
    process.kill(worker, 'SIGKILL');
    // The kernel may not have taken the node's port away by then; here one like it stays for good.
    const { underlayNetns } = planLab({ ...defaultLabOptions, name });
    const bridge = (...args: string[]): Promise<ExecResult> => systemExec.run('nsenter', [`--net=${underlayNetns}`, 'ip', 'link', ...args]);
    await bridge('delete', 'worker-1');
    assert.equal((await bridge('add', 'worker-1', 'type', 'veth', 'peer', 'name', 'in-the-way')).code, 0);
    const again = await must(['up', '--name', name]);
    assert.match(again.stderr, /with 1 nodes alive; starting worker-1/);
    assert.equal(await initOf('control-plane'), control);
    assert.notEqual(await initOf('worker-1'), worker);
    assert.ok((await imagesOn('worker-1')).includes('docker.io/library/docker:1'), 'what was loaded is there again');
  });

  test('refuses other ranges while it runs', async () => {
    const refused = await lab(['up', '--name', name, '--pod-cidr', '10.99.0.0/16']);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /Cannot change --pod-cidr of lab "ita-[^"]+": it is running/);
  });

  test('leaves nothing behind', async () => {
    assert.notDeepEqual(await traces(name), []);
    await must(['down', '--name', name]);
    assert.deepEqual(await traces(name), []);
    assert.ok(!existsSync(join(stateRoot, '.locks', name)));
    assert.match((await lab(['status', '--name', name])).stderr, /Cannot find lab "ita-[^"]+"/);
  });
});

describe('an attached lab', { skip: missing }, () => {
  const name = runName('itb');
  let machine: ChildProcess;
  let pid = 0;
  let routesBefore = '';
  const routes = async (): Promise<string> => (await systemExec.run('nsenter', [`--target=${pid}`, '--net', 'ip', 'route'])).stdout;
  const ranges = ['--underlay', '192.168.124.0/24', '--pod-cidr', '10.124.0.0/16', '--service-cidr', '10.224.0.0/16'];

  before(async () => {
    machine = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up; ip addr add 172.31.0.1/24 dev lo; echo ready; exec sleep 600']);
    await new Promise((resolve) => machine.stdout?.once('data', resolve));
    pid = machine.pid ?? 0;
    routesBefore = await routes();
    await recordLab(name);
    await must(['up', '--name', name, '--workers', '1', '--attach', '--no-relay', '--proxy-mode', 'iptables', ...ranges], pid);
  });
  after(async () => {
    await lab(['down', '--name', name], pid);
    await forgetLab(name);
    machine.kill('SIGKILL');
  });

  test('is reached from the machine by ClusterIP', async () => {
    const args = [`--target=${pid}`, '--net', 'curl', '-sk', '--max-time', '30', 'https://10.224.0.1/version'];
    assert.match((await systemExec.run('nsenter', args)).stdout, /gitVersion/);
  });

  test('serves Services in the mode that was asked for', async () => {
    const on = async (...command: string[]): Promise<string> =>
      (await must(['exec', 'worker-1', '--name', name, '--', ...command], pid)).stdout;
    await eventually('the chains of Service kubernetes', async () => /-d 10\.224\.0\.1\/32 .*-j KUBE-SVC-/.test(await on('iptables-save')));
    assert.match(await on('curl', '-sk', '--max-time', '30', 'https://10.224.0.1/version'), /gitVersion/);
    assert.doesNotMatch(await on('nft', 'list', 'tables'), /kube-proxy/);
  });

  test('keeps packets for it from leaving by another way when its link is gone', async () => {
    await systemExec.run('nsenter', [`--target=${pid}`, '--net', 'ip', 'link', 'set', `fl-${name}`, 'down']);
    const answer = await systemExec.run('nsenter', [`--target=${pid}`, '--net', 'ip', 'route', 'get', '10.224.0.1']);
    assert.match(answer.stderr, /No route to host|unreachable/i);
  });

  test('refuses a second lab on the same ranges by naming the route', async () => {
    const refused = await lab(['up', '--name', runName('itc'), '--attach', '--no-relay', ...ranges], pid);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /this machine has the route "[^"]*(unreachable|fl-itb-)[^"]*"[\s\S]*--no-attach/);
  });

  test('gives the machine its routes back', async () => {
    await must(['down', '--name', name], pid);
    assert.equal(await routes(), routesBefore);
    assert.deepEqual(await traces(name), []);
  });
});

test('a machine whose kernel lacks something is told so, and keeps nothing of the lab that it cannot have', {
  skip: missing,
}, async () => {
  const plan = planLab({ ...defaultLabOptions, name: runName('itc'), attach: false, underlay: '192.168.125.0/24' });
  // Without its kernel the rest fails as well, which explains nothing.
  const tools = { ...(await findTools()), nft: '/bin/false', busybox: '/bin/false' };
  const progress = new Progress({ clock: systemClock, write: () => {}, terminal: false, colour: false });
  const starting = labUp({ exec: systemExec, clock: systemClock, tools, progress }, plan, undefined, {
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    owner: undefined,
  });
  await assert.rejects(starting, { code: 'KERNEL_FEATURE_MISSING' });
  assert.deepEqual(await traces(runName('itc')), []);
  assert.equal(existsSync(plan.dir), false);
});
