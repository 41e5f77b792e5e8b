/** What dies is started again, and what did not die goes on. A lab of its own, because it is hurt. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CoreV1Api, KubeConfig, type V1Pod } from '@kubernetes/client-node';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { storeAnew } from '../control-plane/testing/store-anew.ts';
import { Cluster, isStatus } from './testing/cluster.ts';
import { askDns } from './testing/dns-query.ts';
import { cannotStartLabs, fairlead, output, TestLab } from './testing/lab.ts';
import { all, boxDeployment, boxPod, service } from './testing/manifests.ts';
import { connectOutcome, httpText, tcpEcho } from './testing/network.ts';

/** A TCP connection through a Service that is kept open while something dies. */
class Held {
  readonly #socket: Socket;
  #back = '';
  #error: string | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (s: string) => (this.#back += s));
    socket.on('error', (err) => (this.#error = err.message));
    socket.on('close', () => (this.#error ??= 'closed'));
  }

  static async open(address: string, port: number): Promise<Held> {
    const socket = connect(port, address);
    await once(socket, 'connect');
    const held = new Held(socket);
    await held.echo('first');
    return held;
  }

  /** The same connection still carries bytes there and back. */
  async echo(text: string): Promise<void> {
    this.#back = '';
    this.#socket.write(text);
    await eventually(`the echo of "${text}"`, () => assert.equal(this.#error ?? this.#back, text), { pauseMs: 10 });
  }

  close(): void {
    this.#socket.destroy();
  }
}

const agent = /fairlead\.mjs agent/;
const serving = /fairlead\.mjs server/;

const restarts = (pod: V1Pod): number => pod.status?.containerStatuses?.[0]?.restartCount ?? -1;

describe('faults', { skip: cannotStartLabs }, () => {
  let lab: TestLab;
  let cluster: Cluster;
  let ip = '';

  before(async () => {
    lab = new TestLab({ name: 'e2ef', underlay: '192.168.142.0/24' });
    await lab.up();
    cluster = new Cluster(lab);
    const steady = boxDeployment('steady', 3, {
      spec: 'tolerations: [{ key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 600 }]',
    });
    await cluster.apply(all(steady, service('steady', '80:8080 7:7')), 'default');
    await cluster.readyPods('default', 'app=steady', 3);
    ip = await cluster.clusterIp('default', 'steady');
    await eventually('the first answer', () => httpText(ip));
  });

  after(() => lab[Symbol.asyncDispose]());

  /** Ends a service of a node with SIGKILL, and waits until there is another. */
  async function killed(node: string, command: RegExp): Promise<void> {
    const pid = lab.pidOf(node, command);
    process.kill(pid, 'SIGKILL');
    await eventually(`another ${command} on ${node}`, () => assert.notEqual(lab.pidOf(node, command), pid));
  }

  /** So many requests one after the other, none of which may fail. */
  async function answers(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await httpText(ip);
  }

  async function podRunsOn(node: string, name: string): Promise<void> {
    await cluster.apply(boxPod(name, { spec: `nodeName: ${node}\ntolerations: [{ operator: Exists }]` }), 'default');
    await cluster.readyPod('default', name);
    await cluster.core.deleteNamespacedPod({ name, namespace: 'default' });
  }

  async function ready(node: string): Promise<void> {
    await eventually(`${node} to be Ready`, async () => {
      const conditions = (await cluster.core.readNode({ name: node })).status?.conditions ?? [];
      assert.equal(conditions.find((c) => c.type === 'Ready')?.status, 'True');
    });
  }

  test('agents killed with -9 come back; connections through a Service survive, pods are not restarted', async () => {
    const held = await Promise.all([1, 2, 3, 4, 5, 6].map(() => Held.open(ip, 7)));
    const before = await cluster.pods('default', 'app=steady');
    for (const { name } of lab.plan.nodes) {
      // Meanwhile the rules that stayed in the kernel serve new connections.
      await Promise.all([killed(name, agent), answers(20)]);
    }
    for (const connection of held) await connection.echo('after');
    for (const { name } of lab.plan.nodes) await podRunsOn(name, `after-agent-${name}`);
    for (const connection of held) await connection.echo('much later');
    for (const connection of held) connection.close();
    const now = await cluster.pods('default', 'app=steady');
    assert.deepEqual(now.map((p) => p.metadata?.uid).toSorted(), before.map((p) => p.metadata?.uid).toSorted());
    assert.deepEqual(now.map(restarts), [0, 0, 0]);
    for (const { name } of lab.plan.nodes) await ready(name);
  });

  test('a Service that changes while an agent is dead is right when it is back', async () => {
    process.kill(lab.pidOf('control-plane', agent), 'SIGKILL');
    const [gone] = await cluster.pods('default', 'app=steady');
    await cluster.core.deleteNamespacedPod({ name: gone?.metadata?.name ?? '', namespace: 'default' });
    await cluster.readyPods('default', 'app=steady', 3);
    // The client comes in through the control plane, whose rules must have learnt of the new pod.
    const names = new Set((await cluster.pods('default', 'app=steady')).map((p) => p.metadata?.name));
    const seen = new Set<string>();
    await eventually(
      'answers from the present pods',
      async () => {
        seen.add(/^pod=(\S+)/.exec(await httpText(ip))?.[1] ?? '');
        assert.deepEqual(seen, names);
      },
      { pauseMs: 10 },
    );
    await answers(30);
  });

  test('containerd killed with -9 comes back and finds its pods running', async () => {
    const ids = async (): Promise<string[]> =>
      (await cluster.pods('default', 'app=steady')).map((p) => p.status?.containerStatuses?.[0]?.containerID ?? '').toSorted();
    const before = await ids();
    for (const node of ['worker-1', 'worker-2']) {
      await Promise.all([killed(node, /^containerd --config/), answers(20)]);
    }
    for (const node of ['worker-1', 'worker-2']) {
      await ready(node);
      await eventually(`a pod on ${node}`, () => podRunsOn(node, `after-containerd-${node}`));
    }
    assert.deepEqual(await ids(), before);
    const [pod] = await cluster.pods('default', 'app=steady');
    const outcome = await eventually('exec', () => cluster.exec('default', pod?.metadata?.name ?? '', ['hostname']));
    assert.equal(outcome.stdout.trim(), pod?.metadata?.name);
  });

  test('a container killed with -9 is restarted, a sandbox that is killed is made anew', async () => {
    await cluster.apply(boxPod('victim', { spec: 'nodeName: worker-1' }), 'default');
    const pod = await cluster.readyPod('default', 'victim');
    const pidIn = async (id: string): Promise<string> => {
      const info = JSON.parse(
        await lab.must('worker-1', 'ctr', '--namespace', 'k8s.io', 'tasks', 'list').then((text) => JSON.stringify(text)),
      ) as string;
      return new RegExp(`^${id}\\s+(\\d+)`, 'm').exec(info)?.[1] ?? '';
    };
    const container = (pod.status?.containerStatuses?.[0]?.containerID ?? '').replace('containerd://', '');
    await lab.must('worker-1', 'busybox', 'kill', '-9', await pidIn(container));
    const again = await cluster.podWhen('default', 'victim', 'to be restarted', (p) => {
      assert.equal(restarts(p), 1);
      assert.ok(p.status?.containerStatuses?.[0]?.ready);
    });
    assert.equal(again.status?.podIP, pod.status?.podIP);
    const containers = await lab.must(
      'worker-1',
      'ctr',
      '--namespace',
      'k8s.io',
      'containers',
      'list',
      `labels."io.kubernetes.pod.name"==victim`,
    );
    const sandbox =
      containers
        .split('\n')
        .find((line) => line.includes('pause'))
        ?.split(/\s+/)[0] ?? '';
    await lab.must('worker-1', 'busybox', 'kill', '-9', await pidIn(sandbox));
    const remade = await cluster.podWhen('default', 'victim', 'to have a new sandbox', (p) => {
      assert.ok(p.status?.containerStatuses?.[0]?.ready);
      assert.ok(restarts(p) >= 2);
    });
    assert.match(await httpText(remade.status?.podIP ?? '', 8080), /^pod=victim/);
  });

  test('a server killed with -9 keeps every write that it acknowledged, while traffic goes on', async () => {
    const acknowledged: string[] = [];
    let stopped = false;
    const write = async (writer: number): Promise<void> => {
      for (let n = 0; !stopped; n++) {
        const name = `ack-${process.pid}-${writer}-${n}`;
        try {
          await cluster.core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name, labels: { e2e: 'ack' } } } });
          acknowledged.push(name);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const writers = [write(1), write(2), write(3)];
    try {
      for (let round = 0; round < 3; round++) {
        const count = acknowledged.length;
        await eventually('more writes', () => assert.ok(acknowledged.length > count + 50), { pauseMs: 10 });
        await Promise.all([killed('control-plane', serving), answers(20)]);
      }
      const count = acknowledged.length;
      await eventually('writes after the last death', () => assert.ok(acknowledged.length > count + 20));
    } finally {
      stopped = true;
      await Promise.all(writers);
    }
    const kept = await cluster.core.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'e2e=ack' });
    const names = new Set(kept.items.map((c) => c.metadata?.name));
    assert.deepEqual(
      acknowledged.filter((name) => !names.has(name)),
      [],
    );
    await cluster.core.deleteCollectionNamespacedConfigMap({ namespace: 'default', labelSelector: 'e2e=ack' });
  });

  test('controllers, scheduler and kubelets find the server again', async () => {
    await cluster.apply(all(boxDeployment('after-server', 2), service('after-server', '80:8080')), 'default');
    await cluster.readyPods('default', 'app=after-server', 2);
    const address = await cluster.clusterIp('default', 'after-server');
    await eventually('its Service', () => httpText(address));
    assert.equal(await tcpEcho(ip, 7, 'still'), 'still');
  });

  test('lab up on a running lab finds it and changes nothing', async () => {
    const inits = lab.plan.nodes.map((n) => lab.initOf(n.name));
    const { stderr, stdout } = await lab.up();
    assert.match(stderr, /Found lab "[^"]+" running: 3 nodes/);
    assert.match(stdout, /^export KUBECONFIG=\S+\/kubeconfig$/m);
    assert.deepEqual(
      lab.plan.nodes.map((n) => lab.initOf(n.name)),
      inits,
    );
  });

  // Which node answers for one of them goes by a hash of name and address.
  const balancers = Array.from({ length: 12 }, (_, i) => `anchor-${i}`);
  let anchored: Promise<unknown> | undefined;

  /** An address of a load balancer that this node answers for, and whose pod is elsewhere. */
  async function balancerAt(node: string): Promise<string> {
    const anchor = boxPod('anchor', { spec: 'nodeName: worker-1' });
    anchored ??= cluster.apply(
      all(anchor, ...balancers.map((name) => service(name, '80:8080', 'type: LoadBalancer', 'anchor'))),
      'default',
    );
    await anchored;
    await cluster.readyPod('default', 'anchor');
    for (const name of balancers) {
      const address = await eventually(`an address of ${name}`, async () => {
        const [ingress] = (await cluster.service('default', name)).status?.loadBalancer?.ingress ?? [];
        assert.ok(ingress?.ip, 'no address yet');
        return ingress.ip;
      });
      await eventually(`an answer at ${address}`, () => httpText(address));
      if ((await lab.neighbourAt(address)) === node) return address;
    }
    throw new Error(`${node} answers for none of ${balancers.length} addresses`);
  }

  test('when but the agent of a node is killed, its connections go on, and who looks for the address anew finds somebody soon', async (t) => {
    const address = await balancerAt('worker-2');
    const held = await Held.open(ip, 7);
    process.kill(lab.pidOf('worker-2', agent), 'SIGKILL');
    const died = performance.now();
    // Who knows the way already needs nobody who tells it: the rules are in the kernel.
    for (let i = 0; i < 5; i++) await httpText(address);
    const foundAnew = async (): Promise<string> => {
      await output('ip', ['neigh', 'flush', 'to', address]);
      await httpText(address, 80, '/', 300);
      const by = await lab.neighbourAt(address);
      assert.ok(by);
      return by;
    };
    const by = await eventually('somebody to answer', foundAnew, { pauseMs: 20 });
    t.diagnostic(
      `${by} answered at ${address} ${Math.round(performance.now() - died)} ms after the agent of worker-2 had been killed (aim: 3000)`,
    );
    await held.echo('after');
    held.close();
    await eventually('the agent', () => lab.pidOf('worker-2', agent) > 0);
    await ready('worker-2');
    await eventually('worker-2 to answer again', async () => assert.equal(await foundAnew(), 'worker-2'));
  });

  test('a node that dies is noticed, its addresses and endpoints go, and lab up brings it and its pods back', async (t) => {
    const address = await balancerAt('worker-2');
    process.kill(lab.initOf('worker-2'), 'SIGKILL');
    const died = performance.now();
    const takenOver = async (): Promise<void> => {
      await httpText(address, 80, '/', 300);
      assert.notEqual(await lab.neighbourAt(address), 'worker-2');
    };
    await eventually('another node to answer', takenOver, { pauseMs: 20 });
    t.diagnostic(`another node answered at ${address} ${Math.round(performance.now() - died)} ms after its own had been killed`);
    await eventually(
      'worker-2 to be unknown',
      async () => {
        const node = await cluster.core.readNode({ name: 'worker-2' });
        assert.equal(node.status?.conditions?.find((c) => c.type === 'Ready')?.status, 'Unknown');
        assert.ok(node.spec?.taints?.some((t) => t.key === 'node.kubernetes.io/unreachable' && t.effect === 'NoExecute'));
      },
      { timeoutMs: 300_000, pauseMs: 500 },
    );
    await eventually('its endpoints to go', async () => {
      const { items } = await cluster.discovery.listNamespacedEndpointSlice({
        namespace: 'default',
        labelSelector: 'kubernetes.io/service-name=steady',
      });
      const nodes = items.flatMap((s) => (s.endpoints ?? []).filter((e) => e.conditions?.ready).map((e) => e.nodeName));
      assert.ok(nodes.length > 0 && !nodes.includes('worker-2'));
    });
    await eventually('answers without worker-2', () => httpText(ip));
    await answers(20);
    const { stderr } = await lab.up();
    assert.match(stderr, /Found lab "[^"]+" with 2 nodes alive; starting worker-2/);
    await ready('worker-2');
    await podRunsOn('worker-2', 'after-node');
    await cluster.readyPods('default', 'app=steady', 3);
  });

  test('a full disk refuses writes, loses nothing, and reads go on', async () => {
    const pki = lab.plan.pkiDir;
    const port = '7443';
    const flags = ['--data-dir', '/mnt/data', '--pki-dir', pki, '--bind-address', '127.0.0.1', '--secure-port', port, '--cluster-dns', ''];
    const script = 'mount -t tmpfs -o size=6m e2e /mnt && mkdir /mnt/data && exec "$@"';
    const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', process.execPath, fairlead, 'server', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (s: string) => (said += s));
    try {
      const config = new KubeConfig();
      config.loadFromFile(join(pki, 'admin.conf'));
      for (const one of config.clusters) Object.assign(one, { server: `https://127.0.0.1:${port}` });
      const core = config.makeApiClient(CoreV1Api);
      await eventually('the server', () => core.readNamespace({ name: 'default' })).catch((err: unknown) => {
        throw new Error(`${String(err)}\n${said}`);
      });
      const acknowledged: string[] = [];
      const make = async (name: string): Promise<void> => {
        await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name }, data: { fill: 'x'.repeat(200_000) } } });
        acknowledged.push(name);
      };
      let refused: unknown;
      for (let n = 0; n < 100 && refused === undefined; n++) await make(`fill-${n}`).catch((err: unknown) => (refused = err));
      assert.ok(refused instanceof Error && 'body' in refused, `not refused: ${String(refused)}`);
      assert.match(String(refused.body), /disk|space/i);
      assert.ok(isStatus(refused, 507) || isStatus(refused, 500) || isStatus(refused, 503), String(refused));
      const listed = async (): Promise<(string | undefined)[]> =>
        (await core.listNamespacedConfigMap({ namespace: 'default' })).items.map((c) => c.metadata?.name);
      for (const name of acknowledged) assert.ok((await listed()).includes(name));
      const server = serverBelow(child);
      const enlarge = spawn('nsenter', [`--target=${server}`, '--mount', 'mount', '-o', 'remount,size=64m', '/mnt'], { stdio: 'ignore' });
      assert.deepEqual(await once(enlarge, 'exit'), [0, null]);
      await eventually('a write when there is room again', () => make('roomy'));
      for (const name of acknowledged) assert.ok((await listed()).includes(name));
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
  });

  test('a control plane that is destroyed and made anew has its nodes, pods, Services and names without a restart of their agents', async () => {
    const agents = (): (number | undefined)[] => lab.plan.nodes.map(({ name }) => lab.findPid(name, agent));
    const before = agents();
    const known = await cluster.core.listNamespace();
    const [old] = await cluster.readyPods('default', 'app=steady', 3);
    // Its init would start the server again at once.
    const init = lab.initOf('control-plane');
    process.kill(init, 'SIGSTOP');
    try {
      process.kill(lab.pidOf('control-plane', serving), 'SIGKILL');
      await eventually('its end', () => assert.equal(lab.findPid('control-plane', serving), undefined));
      await storeAnew(join(lab.plan.dir, 'server', 'state.db'), Number(known.metadata?.resourceVersion) + 1_000);
    } finally {
      process.kill(init, 'SIGCONT');
    }
    await eventually('the Service of the new cluster', () =>
      cluster.apply(all(boxDeployment('anew', 2), service('anew', '80:8080')), 'default'),
    );
    for (const { name } of lab.plan.nodes) await ready(name);
    await cluster.readyPods('default', 'app=anew', 2);
    const address = await cluster.clusterIp('default', 'anew');
    await eventually('answers of the new Service', () => httpText(address));
    const dns = lab.plan.dnsAddress;
    await eventually('its name', async () =>
      assert.deepEqual((await askDns(dns, 'anew.default.svc.cluster.local')).answers, [`A ${address}`]),
    );
    await eventually('the old name to be gone', async () =>
      assert.equal((await askDns(dns, 'steady.default.svc.cluster.local')).rcode, 'NXDOMAIN'),
    );
    if (address !== ip)
      await eventually('the old Service to be gone', async () => assert.equal(await connectOutcome(ip, 80), 'ECONNREFUSED'));
    const list = ['ctr', '--namespace', 'k8s.io', 'containers', 'list', '--quiet', `labels."io.kubernetes.pod.uid"==${old?.metadata?.uid}`];
    await eventually('an old pod to be gone', async () => assert.equal(await lab.must(old?.spec?.nodeName ?? '', ...list), ''));
    assert.deepEqual(agents(), before);
  });
});

/** unshare and sh replaced themselves, so it is the child; the check keeps a surprise from becoming a remount elsewhere. */
function serverBelow(child: ChildProcess): number {
  const command = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8');
  assert.match(command, /fairlead\.ts\0server/);
  assert.ok(readdirSync(`/proc/${child.pid}/root/mnt`).includes('data'));
  return child.pid ?? 0;
}
