import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../clock/testing/eventually.ts';
import { type ExecResult, systemExec } from '../linux/exec.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';

/** As a runtime does it: the installed executable, a bare environment, the configuration on standard input. */
describe('the plugin as containerd calls it', { skip: cannotMakeNamespaces }, () => {
  const pods = ['p1', 'p2', 'p3'] as const;
  let net: Namespaces;
  let dir: string;
  let server: ChildProcess;

  async function startServer(mtu = '1450'): Promise<void> {
    const script = fileURLToPath(new URL('./testing/server.ts', import.meta.url));
    server = net.start('node', process.execPath, [script, dir, '10.244.1.0/24', mtu]);
    assert.ok(server.stdout);
    const started = await Promise.race([once(server.stdout, 'data').then(() => true), once(server, 'close').then(() => false)]);
    assert.ok(started, 'the server ended at once');
  }

  async function stopServer(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const closed = once(server, 'close');
    server.kill(signal);
    await closed;
  }

  function call(command: string, pod: string, config: object = {}, change: Record<string, string> = {}): Promise<ExecResult> {
    const { PLUGIN = 'fairlead', ...env } = change;
    const variables = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: `sandbox-${pod}`,
      CNI_NETNS: net.path(pod),
      CNI_IFNAME: 'eth0',
      CNI_PATH: join(dir, 'bin'),
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_INFRA_CONTAINER_ID=x;K8S_POD_UID=u-${pod}`,
      ...env,
    };
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const input = JSON.stringify({ cniVersion: '1.0.0', name: 'fairlead', type: 'fairlead', ...config });
    return systemExec.run('env', ['-i', ...words, join(dir, 'bin', PLUGIN)], { input, timeoutMs: 90_000 });
  }

  async function ok(answer: Promise<ExecResult>): Promise<string> {
    const { code, stdout, stderr } = await answer;
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  async function error(answer: Promise<ExecResult>): Promise<{ readonly code: number; readonly msg: string; readonly cniVersion: string }> {
    const { code, stdout } = await answer;
    assert.equal(code, 1, stdout);
    return JSON.parse(stdout) as { code: number; msg: string; cniVersion: string };
  }

  function addressOf(result: string): string {
    return (JSON.parse(result) as { ips: { address: string }[] }).ips[0]?.address.split('/')[0] ?? '';
  }

  before(async () => {
    net = new Namespaces();
    dir = await mkdtemp(join(tmpdir(), 'fl-cni-'));
    await net.add('node');
    for (const pod of pods) await net.add(pod);
    await startServer();
  });

  after(async () => {
    await net?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  test('is installed with a configuration, and a socket for root only', async () => {
    assert.deepEqual((await readdir(join(dir, 'bin'))).toSorted(), ['fairlead', 'loopback']);
    const conflist = JSON.parse(await readFile(join(dir, 'net.d', '10-fairlead.conflist'), 'utf8')) as { plugins: object[] };
    assert.deepEqual(conflist.plugins, [{ type: 'fairlead', capabilities: { portMappings: true } }]);
    assert.equal((await stat(join(dir, 'cni.sock'))).mode & 0o777, 0o600);
  });

  test('attaches pods that reach each other, the node, and themselves', async () => {
    const [a, b] = [addressOf(await ok(call('ADD', 'p1'))), addressOf(await ok(call('ADD', 'p2')))];
    assert.deepEqual([a, b], ['10.244.1.2', '10.244.1.3']);
    for (const [from, to] of [
      ['p1', b],
      ['p2', a],
      ['p1', '10.244.1.1'],
      ['node', a],
      ['p1', a],
    ] as const) {
      await eventually(`${from} reaches ${to}`, () => net.pings(from, to));
    }
  });

  test('routes by the gateway, and makes a hairpin port that tells its pod', async () => {
    const routes = await net.ip('p1', 'route');
    assert.match(routes, /^default via 10\.244\.1\.1 dev eth0/m);
    assert.match(routes, /^10\.244\.1\.0\/24 via 10\.244\.1\.1 dev eth0/m);
    const links = await net.ip('node', '-d link show type veth');
    assert.match(links, /hairpin on/);
    assert.match(links, /alias fairlead 10\.244\.1\.2 sandbox-p1\/eth0 fairlead default\/p1/);
  });

  test('brings up the loopback under the name that containerd uses', async () => {
    await net.ip('p1', 'link set lo down');
    const result = await ok(call('ADD', 'p1', { name: 'cni-loopback', cniVersion: '0.3.1' }, { PLUGIN: 'loopback', CNI_IFNAME: 'lo' }));
    assert.equal(addressOf(result), '127.0.0.1');
    assert.ok(await net.pings('p1', '127.0.0.1'));
    await ok(call('DEL', 'p1', { name: 'cni-loopback', cniVersion: '0.3.1' }, { PLUGIN: 'loopback', CNI_IFNAME: 'lo' }));
  });

  test('refuses a second ADD, and a link name that the pod has already', async () => {
    assert.equal((await error(call('ADD', 'p1'))).code, 4);
    await net.ip('p3', 'link add taken type veth peer name other');
    assert.equal((await error(call('ADD', 'p3', { cniVersion: '0.4.0' }, { CNI_IFNAME: 'taken' }))).cniVersion, '0.4.0');
    assert.equal((await net.ip('node', 'link show type veth')).match(/master cni0/g)?.length, 2);
    await net.ip('p3', 'link del taken');
  });

  const damages: readonly [what: string, damage: () => Promise<string>, repair: () => Promise<string>][] = [
    ['the link is down', () => net.ip('p1', 'link set eth0 down'), () => ok(call('DEL', 'p1')).then(() => ok(call('ADD', 'p1')))],
    [
      'a route is missing',
      () => net.ip('p1', 'route del 10.244.1.0/24'),
      () => net.ip('p1', 'route add 10.244.1.0/24 via 10.244.1.1 dev eth0'),
    ],
    ['the address is missing', () => net.ip('p1', 'addr flush dev eth0'), () => ok(call('DEL', 'p1')).then(() => ok(call('ADD', 'p1')))],
  ];
  for (const [what, damage, repair] of damages) {
    test(`finds in CHECK that ${what}`, async () => {
      await ok(call('CHECK', 'p1'));
      await damage();
      assert.equal((await error(call('CHECK', 'p1'))).code, 100);
      await repair();
      await ok(call('CHECK', 'p1'));
    });
  }

  test('says its versions and status', async () => {
    assert.match(await ok(call('VERSION', 'p1')), /"supportedVersions":\["0\.3\.0",.*"1\.1\.0"\]/);
    assert.equal(await ok(call('STATUS', 'p1', { cniVersion: '1.1.0' })), '');
    assert.equal((await error(call('ADD', 'p3', { cniVersion: '3.0.0' }))).code, 1);
  });

  test("puts a pod's link back into the bridge, and up again", async () => {
    const link = /^\d+: (veth\w+)@/m.exec(await net.ip('node', 'link show type veth'))?.[1] ?? '';
    for (const damage of ['nomaster', 'down']) {
      await net.ip('node', `link set ${link} ${damage}`);
      await eventually(`"${damage}" is undone`, async () => /UP.* master cni0 /.test(await net.ip('node', `link show ${link}`)));
    }
    assert.match(await net.ip('node', `-d link show ${link}`), /hairpin on/);
  });

  test('writes again what somebody has deleted or changed of its files', async () => {
    const conflist = join(dir, 'net.d', '10-fairlead.conflist');
    const before = await readFile(conflist, 'utf8');
    await rm(conflist);
    await eventually('the configuration is back', () => existsSync(conflist) && readFileSync(conflist, 'utf8') === before);
    const plugin = join(dir, 'bin', 'fairlead');
    const script = await readFile(plugin, 'utf8');
    await chmod(plugin, 0o600);
    await eventually('it can be run again', () => (statSync(plugin).mode & 0o777) === 0o755);
    await writeFile(plugin, 'x');
    await eventually('it says what it said', () => readFileSync(plugin, 'utf8') === script);
    await rm(join(dir, 'bin'), { recursive: true });
    await eventually('both are back', () => ['fairlead', 'loopback'].every((name) => existsSync(join(dir, 'bin', name))));
    await ok(call('CHECK', 'p1'));
  });

  test('forwards a host port to the pod, from outside, from the node, and from the pod itself', async () => {
    const ip = addressOf(
      await ok(call('ADD', 'p3', { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] } })),
    );
    net.start('p3', 'busybox', ['httpd', '-f', '-p', '80', '-h', join(dir, 'net.d')], ['ignore', 'ignore', 'ignore']);
    const get = async (from: string, to: string): Promise<boolean> =>
      (await net.run(from, 'busybox', ['timeout', '2', 'busybox', 'wget', '-qO-', `http://${to}/10-fairlead.conflist`])).stdout.includes(
        'fairlead',
      );
    await eventually('the pod serves', () => get('node', `${ip}:80`));
    for (const [from, to] of [
      ['p1', '10.244.1.1:8080'],
      ['node', '10.244.1.1:8080'],
      ['node', '127.0.0.1:8080'],
      ['p3', '10.244.1.1:8080'],
    ] as const) {
      assert.ok(await get(from, to), `${from} gets no answer from ${to}`);
    }
    await ok(call('DEL', 'p3'));
    assert.equal((await net.run('node', 'nft', ['list', 'tables'])).stdout.trim(), '');
  });

  test('survives a kill -9: what was attached stays attached, and addresses stay taken', async () => {
    await stopServer('SIGKILL');
    assert.ok(await net.pings('p1', '10.244.1.3'));
    await startServer();
    await ok(call('CHECK', 'p2'));
    assert.ok(!['10.244.1.2', '10.244.1.3'].includes(addressOf(await ok(call('ADD', 'p3')))));
    await ok(call('DEL', 'p3'));
  });

  test('gives pods that are there the MTU that the network has now, at both ends', async () => {
    const mtus = async (): Promise<(string | undefined)[]> => {
      const links = [
        await net.ip('p1', 'link show eth0'),
        await net.ip('p2', 'link show eth0'),
        await net.ip('node', 'link show type veth'),
      ];
      return links.flatMap((text) => [...text.matchAll(/mtu (\d+)/g)].map(([, mtu]) => mtu));
    };
    assert.deepEqual(await mtus(), Array(4).fill('1450'));
    for (const mtu of ['1500', '1450']) {
      await stopServer('SIGTERM');
      await startServer(mtu);
      assert.deepEqual(await mtus(), Array(4).fill(mtu));
      assert.ok(await net.pings('p1', '10.244.1.3'));
      await ok(call('CHECK', 'p1'));
    }
  });

  const taken = async (): Promise<string[]> =>
    (await readdir(join(dir, 'cni.sock.pipes'), { recursive: true })).filter((name) => name.endsWith('.taken'));

  test('lets nobody wait for an agent that was killed', async () => {
    server.kill('SIGSTOP');
    const add = error(call('ADD', 'p3'));
    const del = ok(call('DEL', 'p3'));
    await eventually('the callers wait', async () => (await taken()).length === 2);
    await stopServer('SIGKILL');
    const killed = performance.now();
    assert.equal((await add).code, 11);
    assert.equal(await del, '');
    // And whoever comes before it is back.
    assert.equal((await error(call('ADD', 'p3'))).code, 11);
    assert.ok(performance.now() - killed < 20_000, `${performance.now() - killed} ms`);
    assert.deepEqual(await readdir(join(dir, 'state', 'notes')), ['sandbox-p3.eth0.json']);
    await startServer();
    await ok(call('ADD', 'p3'));
    await ok(call('DEL', 'p3'));
    assert.deepEqual(await taken(), []);
  });

  test('has nobody wait for longer than the deadline for an agent that is stuck, and leaks no address', async () => {
    const veths = await net.ip('node', 'link show type veth');
    const ids = Array.from({ length: 40 }, (_, i) => `stuck${i}`);
    await net.add(...ids.slice(0, 3));
    const begun = performance.now();
    server.kill('SIGSTOP');
    // More than there are pipes, some in the long way, each with a long configuration.
    const config = { padding: 'x'.repeat(3000) };
    const change = (id: string): Record<string, string> => ({
      FAIRLEAD_CNI_TIMEOUT: '2',
      CNI_NETNS: net.path(ids.indexOf(id) < 3 ? id : 'stuck0'),
    });
    const adds = ids.map((id) => error(call('ADD', id, id === 'stuck1' ? { padding: 'x'.repeat(5000) } : config, change(id))));
    for (const { code } of await Promise.all(adds)) assert.equal(code, 11);
    assert.ok(performance.now() - begun < 90_000, `${performance.now() - begun} ms`);
    assert.equal(await ok(call('DEL', 'stuck0', {}, change('stuck0'))), '');
    assert.equal((await error(call('STATUS', 'p3', { cniVersion: '1.1.0' }, change('stuck0')))).code, 51);
    server.kill('SIGCONT');
    await ok(call('ADD', 'p3'));
    await ok(call('DEL', 'p3'));
    await eventually('everything abandoned is taken back', async () => (await net.ip('node', 'link show type veth')) === veths);
    await eventually('and the pipes are free', async () => (await taken()).length === 0);
  });

  test('takes back an ADD that was under way when its caller gave up', async () => {
    const veths = await net.ip('node', 'link show type veth');
    await net.add('slow0', 'slow1');
    for (const [i, config] of [{}, { padding: 'x'.repeat(5000) }].entries()) {
      const add = call('ADD', `slow${i}`, config, { FAIRLEAD_CNI_TIMEOUT: '1' });
      let isOver = false;
      void add.finally(() => (isOver = true));
      // On a busy machine its second may be over before the server has looked at it.
      await eventually('the ADD is under way', async () => {
        const addresses = await readFile(join(dir, 'state', 'addresses.jsonl'), 'utf8');
        return isOver || addresses.includes(`slow${i}`);
      });
      server.kill('SIGSTOP');
      const { code, stdout } = await add;
      server.kill('SIGCONT');
      // It may have been too quick for us.
      if (code === 0) await ok(call('DEL', `slow${i}`, config));
      else assert.equal((JSON.parse(stdout) as { code: number }).code, 11);
      const now = (): Promise<string> => net.ip('node', 'link show type veth');
      await eventually(`slow${i}, which ended with ${code}, is taken back`, async () => (await now()) === veths).catch(async (err) => {
        throw new Error(`before:\n${veths}\nnow:\n${await now()}`, { cause: err });
      });
    }
  });

  test('has nobody wait and no address leak when it is killed in the middle of ADDs and DELs', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `killed${i}`);
    await net.add(...ids);
    const links = await net.ip('node', 'link show type veth');
    for (const [round, [first, second]] of (['ADD', 'DEL'] as const).flatMap((c) => [5, 15, 30].map((ms) => [c, ms] as const)).entries()) {
      if (first === 'DEL') for (const id of ids) await ok(call('ADD', id));
      const calls = ids.map((id) => call(first, id));
      await new Promise((resolve) => setTimeout(resolve, second));
      await stopServer('SIGKILL');
      const killed = performance.now();
      for (const { code, stdout } of await Promise.all(calls)) {
        if (code !== 0) assert.equal((JSON.parse(stdout) as { code: number }).code, 11, stdout);
      }
      assert.ok(performance.now() - killed < 20_000, `round ${round}: ${performance.now() - killed} ms`);
      await startServer();
      for (const id of ids) await ok(call('DEL', id));
      assert.equal(await net.ip('node', 'link show type veth'), links);
    }
    const results = await Promise.all(ids.map((id) => ok(call('ADD', id))));
    assert.equal(new Set(results.map(addressOf)).size, ids.length);
    await Promise.all(ids.map((id) => ok(call('DEL', id))));
  });

  test('answers many callers at once, long calls and short ones', async () => {
    const ids = Array.from({ length: 12 }, (_, i) => `many${i}`);
    await net.add(...ids);
    // The config of every third one is too long for the pipe, and has line breaks.
    const config = (id: string): object => (Number(id.slice(4)) % 3 === 0 ? { padding: 'x'.repeat(5000), text: 'a\nb' } : {});
    const results = await Promise.all(ids.map((id) => ok(call('ADD', id, config(id)))));
    assert.equal(new Set(results.map(addressOf)).size, ids.length);
    await Promise.all(ids.map((id) => ok(call('DEL', id, config(id)))));
    assert.doesNotMatch(await net.ip('node', 'link'), /many/);
  });

  test('takes a note of a DEL while the agent is down, and acts on it later', async () => {
    await stopServer('SIGTERM');
    assert.equal((await error(call('ADD', 'p3'))).code, 11);
    assert.equal((await error(call('STATUS', 'p3', { cniVersion: '1.1.0' }))).code, 51);
    await ok(call('VERSION', 'p3'));
    await ok(call('DEL', 'p2'));
    await startServer();
    assert.deepEqual(await readdir(join(dir, 'state', 'notes')), []);
    assert.equal((await error(call('CHECK', 'p2'))).code, 3);
    await ok(call('CHECK', 'p1'));
  });

  test('collects garbage, and deletes without a namespace as often as it is asked', async () => {
    await ok(call('ADD', 'p2'));
    await ok(call('GC', '', { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'sandbox-p2', ifname: 'eth0' }] }));
    assert.equal((await error(call('CHECK', 'p1'))).code, 3);
    await ok(call('CHECK', 'p2'));
    for (let i = 0; i < 2; i++) await ok(call('DEL', 'p2', {}, { CNI_NETNS: '' }));
    assert.equal((await net.ip('node', 'link show type veth')).trim(), '');
  });
});

describe('the plugin in place of another one', { skip: cannotMakeNamespaces }, () => {
  test('gives nobody the address of a pod that the other has attached, nor one that it has written down', async () => {
    await using net = new Namespaces();
    const dir = await mkdtemp(join(tmpdir(), 'fl-cni-'));
    await net.add('node', 'old', 'new');
    // As flannel left it: a pod in the bridge, and files, one of them of a pod that nobody can ask.
    for (const line of [
      'link add cni0 type bridge',
      'link set cni0 up',
      'link add veth-old type veth peer name eth0 netns @old',
      'link set veth-old master cni0 up',
    ])
      await net.ip('node', line);
    await net.ip('old', 'addr add 10.244.1.2/24 dev eth0');
    await net.ip('old', 'link set eth0 up');
    await mkdir(join(dir, 'networks', 'cbr0'), { recursive: true });
    for (const name of ['10.244.1.3', 'last_reserved_ip.0', 'lock']) await writeFile(join(dir, 'networks', 'cbr0', name), 'x\r\neth0');
    const script = fileURLToPath(new URL('./testing/server.ts', import.meta.url));
    const server = net.start('node', process.execPath, [script, dir, '10.244.1.0/24']);
    try {
      assert.ok(server.stdout);
      await once(server.stdout, 'data');
      const add = async (id: string): Promise<string> => {
        const env = ['CNI_COMMAND=ADD', `CNI_CONTAINERID=${id}`, `CNI_NETNS=${net.path('new')}`, `CNI_IFNAME=${id}`];
        const input = JSON.stringify({ cniVersion: '1.0.0', name: 'fairlead', type: 'fairlead' });
        const { stdout } = await systemExec.run('env', ['-i', ...env, join(dir, 'bin', 'fairlead')], { input, timeoutMs: 90_000 });
        return (JSON.parse(stdout) as { ips?: { address: string }[] }).ips?.[0]?.address ?? stdout;
      };
      assert.equal(await add('a'), '10.244.1.4/24');
      assert.doesNotMatch(await net.ip('node', 'neigh'), /10\.244\.1\.4/);
      assert.ok(await net.pings('old', '10.244.1.1'));
    } finally {
      const closed = once(server, 'close');
      server.kill('SIGTERM');
      await closed;
      await rm(dir, { recursive: true, force: true });
    }
  });
});
