/** `fairlead controller-manager` as several processes on one API server. What they publish as the root CA says which of them acts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { configMaps, events, leases, pods, replicaSets } from '../../src/api/resource-types.ts';
import type { Lease } from '../../src/api/schema/types.ts';
import type { Client } from '../../src/client/client.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { ControlPlane } from './testing/control-plane.ts';
import { replicaSet } from './testing/manifests.ts';

const program = join(import.meta.dirname, '../../src/main/fairlead.ts');

class Candidate {
  readonly process: ChildProcess;
  said = '';

  constructor(kubeconfig: string, rootCa: string, controllers: string) {
    const flags = { kubeconfig, 'root-ca-file': rootCa, 'secure-port': '0', 'leader-elect-lease-duration': '8s' };
    const more = {
      'leader-elect-renew-deadline': '6s',
      'leader-elect-retry-period': '1s',
      controllers,
    };
    const args = Object.entries({ ...flags, ...more }).map(([name, value]) => `--${name}=${value}`);
    this.process = spawn(process.execPath, [program, 'controller-manager', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr?.on('data', (chunk) => {
      this.said += chunk;
    });
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill(signal);
      await ended;
    }
    return this.process.exitCode;
  }
}

/** An API server, and what was seen of it. */
class Scene {
  readonly #plane: ControlPlane;
  readonly #dir: string;
  readonly #t: TestContext;
  readonly #stop = new AbortController();
  /** Whose root CA was published, one after the other. */
  readonly published: string[] = [];

  private constructor(t: TestContext, plane: ControlPlane, dir: string) {
    this.#t = t;
    this.#plane = plane;
    this.#dir = dir;
    void this.#follow();
  }

  static async open(t: TestContext): Promise<Scene> {
    const plane = await ControlPlane.start({ controllers: [], scheduler: false, kubelet: false, nodes: 0 });
    const dir = await mkdtemp(join(tmpdir(), 'fairlead-candidates-'));
    const scene = new Scene(t, plane, dir);
    t.after(async () => {
      scene.#stop.abort();
      await plane.stop();
      await rm(dir, { recursive: true });
    });
    return scene;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    await this.#plane.client.watch(configMaps, { namespace: 'default', sendInitialEvents: true, signal }, ({ type, object }) => {
      const by = type === 'BOOKMARK' ? undefined : object.data?.['ca.crt'];
      if (by !== undefined && by !== this.published.at(-1)) this.published.push(by);
    });
  }

  get client(): Client {
    return this.#plane.client;
  }

  async candidate(name: string, controllers: string = 'root-ca-certificate-publisher-controller'): Promise<Candidate> {
    const rootCa = join(this.#dir, name);
    await writeFile(rootCa, name);
    const candidate = new Candidate(await this.#plane.kubeconfig(), rootCa, controllers);
    this.#t.after(() => candidate.end('SIGKILL'));
    await eventually(() => assert.match(candidate.said, /Takes part in the election/));
    return candidate;
  }

  async lease(): Promise<NonNullable<Lease['spec']>> {
    return (await this.#plane.client.get(leases, 'kube-controller-manager', { namespace: 'kube-system' })).spec ?? {};
  }

  /** Waits until the candidate acts; every change of who acts was a transition of the Lease. */
  async actsNow(...all: readonly string[]): Promise<void> {
    await eventually(() => assert.deepEqual(this.published, all));
    assert.equal((await this.lease()).leaseTransitions, all.length - 1);
  }
}

test('one controller manager acts; when it is killed or ends, the other takes over', async (t) => {
  const scene = await Scene.open(t);
  const a = await scene.candidate('a');
  await scene.actsNow('a');
  const b = await scene.candidate('b');
  await a.end('SIGKILL');
  await scene.actsNow('a', 'b');
  assert.equal(await b.end('SIGTERM'), 0, b.said);
  assert.equal((await scene.lease()).holderIdentity, '', 'it gave the Lease back');
  const c = await scene.candidate('c');
  await eventually(() => assert.deepEqual(scene.published, ['a', 'b', 'c']));
  assert.match(c.said, /Leading by lease "kube-system\/kube-controller-manager"/);
  const told = async (): Promise<string[]> => {
    const { items } = await scene.client.list(events, { namespace: 'kube-system', fieldSelector: 'involvedObject.kind=Lease' });
    return items.map(({ reason, source, message = '' }) => `${source?.component} ${reason} ${message.replace(/^\S+/, 'X')}`).toSorted();
  };
  const [became, stopped] = ['became leader', 'stopped leading'].map((what) => `kube-controller-manager LeaderElection X ${what}`);
  // The one that was killed said nothing more.
  await eventually(async () => assert.deepEqual(await told(), [became, became, became, stopped]));
});

test('a leader that was frozen does nothing when it wakes, waits, and leads again when the other ends', async (t) => {
  const scene = await Scene.open(t);
  const a = await scene.candidate('a');
  await scene.actsNow('a');
  const b = await scene.candidate('b');
  a.process.kill('SIGSTOP');
  await scene.actsNow('a', 'b');
  a.process.kill('SIGCONT');
  await eventually(() => assert.match(a.said, /Lost lease/));
  assert.equal(await b.end('SIGTERM'), 0, b.said);
  await scene.actsNow('a', 'b', 'a');
  assert.equal(await a.end('SIGTERM'), 0, a.said);
});

/** Creates `count` ReplicaSets of one pod. */
async function replicate(client: Client, prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.create(replicaSets, replicaSet(`${prefix}-${i}`, 1));
}

test('a ReplicaSet of one never has two pods, whoever is frozen, woken or killed', async (t) => {
  const scene = await Scene.open(t);
  const made: string[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  const options = { namespace: 'default', sendInitialEvents: true, signal: stop.signal };
  const following = scene.client.watch(pods, options, ({ type, object }) => {
    if (type === 'ADDED') made.push(object.metadata.labels?.app ?? '');
  });
  const each = (count: number): Promise<void> => eventually(() => assert.equal(made.length, count, made.join()), { timeoutMs: 240_000 });
  const controller = 'replicaset-controller,serviceaccount-controller';
  const a = await scene.candidate('a', controller);
  await replicate(scene.client, 'first', 20);
  await each(20);
  const b = await scene.candidate('b', controller);
  // What it has not done yet, it finds when it wakes: by then the other one has done it.
  await replicate(scene.client, 'frozen', 20);
  a.process.kill('SIGSTOP');
  await replicate(scene.client, 'second', 20);
  await each(60);
  a.process.kill('SIGCONT');
  await replicate(scene.client, 'woken', 20);
  await eventually(() => assert.match(a.said, /Lost lease/));
  await each(80);
  await b.end('SIGKILL');
  await replicate(scene.client, 'last', 20);
  await each(100);
  assert.equal(new Set(made).size, 100, made.toSorted().join());
  stop.abort();
  await following;
});
