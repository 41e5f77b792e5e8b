/** `fairlead server` as processes over one store: one of them does the work, another one when that is killed or frozen, and each may lead again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deployments, endpoints, leases, pods, replicaSets } from '../../src/api/resource-types.ts';
import type { Pod } from '../../src/api/schema/types.ts';
import { type Pem, TestPki } from '../../src/apiserver/testing/test-pki.ts';
import { Client } from '../../src/client/client.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { freePort } from '../../src/ip/testing/free-port.ts';
import { TestEtcd } from '../../src/storage/testing/etcd.ts';
import { issueCertificate } from '../../src/x509/authority.ts';
import { deployment, replicaSet } from './testing/manifests.ts';

const program = join(import.meta.dirname, '../../src/main/fairlead.ts');

/** A folder with what kubeadm puts into /etc/kubernetes/pki, and the kubeconfigs of the parts. */
async function makePki(dir: string): Promise<{ pki: TestPki; admin: Pem }> {
  const pki = await TestPki.create();
  const write = (name: string, text: string): Promise<void> => writeFile(join(dir, name), text, { mode: 0o600 });
  const pair = async (name: string, { cert, key }: Pem): Promise<void> => {
    await write(`${name}.crt`, cert);
    await write(`${name}.key`, key);
  };
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await write('sa.key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  await write('sa.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString());
  await write('ca.crt', pki.ca);
  const names = { commonName: 'kube-apiserver', ips: ['127.0.0.1'], dnsNames: ['kubernetes.default.svc'] };
  const { certPem: cert, keyPem: key } = await issueCertificate(pki.authority, { ...names, usages: ['server'] }, Date.now());
  await pair('apiserver', { cert, key });
  await pair('apiserver-kubelet-client', await pki.client('kube-apiserver-kubelet-client'));
  const users = { 'controller-manager': 'system:kube-controller-manager', scheduler: 'system:kube-scheduler' };
  for (const [file, user] of Object.entries({ ...users, 'cloud-controller-manager': 'system:cloud-controller-manager' }))
    await write(`${file}.conf`, kubeconfig(pki.ca, await pki.client(user)));
  const admin = await pki.client('admin', 'system:masters');
  await write('admin.conf', kubeconfig(pki.ca, admin));
  return { pki, admin };
}

/** The address is the process's own, whatever stands here. */
function kubeconfig(ca: string, { cert, key }: Pem): string {
  const data = (text: string): string => Buffer.from(text).toString('base64');
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1', 'certificate-authority-data': data(ca) } }],
    users: [{ name: 'u', user: { 'client-certificate-data': data(cert), 'client-key-data': data(key) } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
  });
}

class Server {
  readonly client: Client;
  readonly process: ChildProcess;
  said = '';

  constructor(t: TestContext, args: Readonly<Record<string, string>>, pem: Pem & { readonly ca: string }) {
    this.client = new Client({ server: `https://127.0.0.1:${args['secure-port']}`, ...pem });
    const argv = Object.entries(args).map(([name, value]) => `--${name}=${value}`);
    this.process = spawn(process.execPath, [program, 'server', ...argv], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr?.on('data', (chunk) => {
      this.said += chunk;
    });
    t.after(async () => {
      this.client.close();
      await this.end('SIGKILL');
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }

  async podsOf(name: string): Promise<Pod[]> {
    return (await this.client.list(pods, { namespace: 'default', labelSelector: `app=${name}` })).items;
  }

  /** Waits for pods of a Deployment that is created here. */
  async deploys(name: string, replicas: number): Promise<void> {
    await this.client.create(deployments, deployment(name, replicas));
    await eventually(async () => assert.equal((await this.podsOf(name)).length, replicas, this.said.slice(-1_000)));
  }

  /** The names of all pods that were ever made, by what ReplicaSet of `r-…`. */
  async countsPods(t: TestContext): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const made = new Map<string, Set<string>>();
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const options = { namespace: 'default', sendInitialEvents: true, signal: stop.signal };
    const following = this.client.watch(pods, options, ({ type, object: { metadata } }) => {
      if (type === 'BOOKMARK') resolve();
      const of = metadata.labels?.app ?? '';
      if (type === 'ADDED' && of.startsWith('r-')) made.set(of, (made.get(of) ?? new Set()).add(metadata.name));
    });
    // Whoever waits for pods notices that none are told of; the server may end first.
    following.catch(() => {});
    t.after(() => stop.abort());
    await promise;
    return made;
  }

  /** Waits until each of its parts has begun to lead so often. */
  async leads(times: number): Promise<void> {
    await this.#says('Leading by lease', times);
  }

  /** Waits until each of its parts has lost its Lease. */
  async loses(): Promise<void> {
    await this.#says('Lost lease', 1);
  }

  async #says(what: string, times: number): Promise<void> {
    for (const lease of electedParts)
      await eventually(() => assert.ok(this.said.split(`${what} "kube-system/${lease}"`).length > times, this.said.slice(-2_000)));
    assert.equal(this.process.exitCode, null);
  }

  /** Asks its API server again and again; `end` throws what it did not answer. */
  asksOn(): { end(): Promise<void> } {
    let isEnough = false;
    const asking = (async () => {
      for (; !isEnough; await sleep(20)) await this.client.list(leases, { namespace: 'kube-system' });
    })();
    asking.catch(() => {});
    return {
      end: () => {
        isEnough = true;
        return asking;
      },
    };
  }

  /** The addresses behind the Service `kubernetes`. */
  async servers(): Promise<string[]> {
    const { subsets = [] } = await this.client.get(endpoints, 'kubernetes', { namespace: 'default' });
    return subsets.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));
  }
}

const electedParts = ['kube-controller-manager', 'kube-scheduler', 'cloud-controller-manager'];

/** Gives a function that starts a server over the store, which the cluster reaches under the address. */
async function servers(t: TestContext, store: string): Promise<(address: string) => Promise<Server>> {
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-servers-'));
  t.after(() => rm(dir, { recursive: true }));
  const { pki, admin } = await makePki(dir);
  const times = { 'leader-elect-lease-duration': '8s', 'leader-elect-renew-deadline': '6s', 'leader-elect-retry-period': '1s' };
  return async (address) => {
    const port = String(await freePort());
    const own = { 'secure-port': port, 'bind-address': '127.0.0.1', 'advertise-address': address };
    const server = new Server(t, { store, 'pki-dir': dir, 'leader-elect': 'true', ...own, ...times }, { ...admin, ca: pki.ca });
    await eventually(() => assert.match(server.said, /API server listens/));
    return server;
  };
}

async function etcdOf(t: TestContext): Promise<TestEtcd> {
  const etcd = await TestEtcd.start();
  t.after(() => etcd[Symbol.asyncDispose]());
  return etcd;
}

test('of two servers over one etcd either answers, one works, and the other one when that is killed', async (t) => {
  const start = await servers(t, (await etcdOf(t)).url());
  const a = await start('192.0.2.1');
  await a.deploys('first', 3);
  const b = await start('192.0.2.2');
  await b.deploys('second', 3);
  await eventually(async () => assert.deepEqual(await b.servers(), ['192.0.2.1', '192.0.2.2']));
  await a.end('SIGKILL');
  await b.deploys('third', 3);
  const { spec } = await b.client.get(leases, 'kube-controller-manager', { namespace: 'kube-system' });
  assert.ok(spec?.holderIdentity && !a.said.includes(spec.holderIdentity), spec?.holderIdentity);
  await b.leads(1);
  await eventually(async () => assert.deepEqual(await b.servers(), ['192.0.2.2']));
  await b.end('SIGTERM');
  assert.equal(b.process.exitCode, 0, b.said.slice(-2_000));
});

test('a server that was frozen until the other one led answers again, waits for its turn, and works in the same process', async (t) => {
  const start = await servers(t, (await etcdOf(t)).url());
  const a = await start('192.0.2.1');
  await a.deploys('first', 3);
  await a.leads(1);
  const b = await start('192.0.2.2');
  a.process.kill('SIGSTOP');
  await b.leads(1);
  await b.deploys('second', 3);
  a.process.kill('SIGCONT');
  await a.loses();
  await a.deploys('third', 3);
  for (const name of ['first', 'second', 'third']) assert.equal((await a.podsOf(name)).length, 3, name);
  await b.end('SIGTERM');
  assert.equal(b.process.exitCode, 0, b.said.slice(-2_000));
  await a.leads(2);
  await a.deploys('fourth', 3);
  await a.end('SIGTERM');
  assert.equal(a.process.exitCode, 0, a.said.slice(-2_000));
});

test('a server that is frozen in the middle of its work and goes on when another one has done it does nothing of it once more', async (t) => {
  const start = await servers(t, (await etcdOf(t)).url());
  const a = await start('192.0.2.1');
  await a.deploys('first', 1);
  await a.leads(1);
  const b = await start('192.0.2.2');
  const made = await b.countsPods(t);
  const count = 200;
  const creating = Promise.all(Array.from({ length: count }, (_, i) => b.client.create(replicaSets, replicaSet(`r-${i}`, 1))));
  await eventually(() => assert.ok(made.size > count / 20, a.said.slice(-1_000)), { pauseMs: 2 });
  a.process.kill('SIGSTOP');
  const underWay = made.size;
  await creating;
  await b.leads(1);
  await eventually(() => assert.equal(made.size, count, b.said.slice(-1_000)), { timeoutMs: 240_000 });
  a.process.kill('SIGCONT');
  await a.loses();
  await a.deploys('second', 1);
  t.diagnostic(`frozen after ${underWay} of ${count}`);
  const twice = [...made].filter(([, names]) => names.size > 1);
  assert.deepEqual(twice, []);
});

test('a server whose Leases another one takes answers all the while, and works in the same process when they have run out', async (t) => {
  const a = await (await servers(t, 'memory:'))('192.0.2.1');
  await a.deploys('first', 1);
  await a.leads(1);
  const asking = a.asksOn();
  for (const name of electedParts)
    await a.client.patch(leases, name, { spec: { holderIdentity: 'another' } }, { namespace: 'kube-system' });
  await a.loses();
  await a.leads(2);
  await a.deploys('second', 1);
  for (const name of electedParts) {
    const { spec } = await a.client.get(leases, name, { namespace: 'kube-system' });
    assert.ok(spec?.holderIdentity && a.said.includes(spec.holderIdentity), spec?.holderIdentity);
  }
  await asking.end();
  await a.end('SIGTERM');
  assert.equal(a.process.exitCode, 0, a.said.slice(-2_000));
});

for (const [what, away, back] of [
  ['was killed', (etcd: TestEtcd) => etcd.kill(), (etcd: TestEtcd) => etcd.start()],
  ['hung', async (etcd: TestEtcd) => etcd.signal('SIGSTOP'), async (etcd: TestEtcd) => etcd.signal('SIGCONT')],
] as const)
  test(`a server whose etcd ${what} until every Lease was lost works again, in the same process`, async (t) => {
    const etcd = await etcdOf(t);
    const a = await (await servers(t, etcd.url()))('192.0.2.1');
    await a.deploys('first', 2);
    await a.leads(1);
    await away(etcd);
    await a.loses();
    await back(etcd);
    await a.leads(2);
    await a.deploys('second', 2);
    await eventually(async () => assert.deepEqual(await a.servers(), ['192.0.2.1']));
    await a.end('SIGTERM');
    assert.equal(a.process.exitCode, 0, a.said.slice(-2_000));
  });
