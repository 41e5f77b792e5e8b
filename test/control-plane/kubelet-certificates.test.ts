/** A kubelet's certificates from the first to the next ones, against the real API server and controllers. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type BootstrapToken, bootstrapTokenSecret } from '../../src/api/bootstrap-token.ts';
import { nodes, secrets } from '../../src/api/resource-types.ts';
import type { Node } from '../../src/api/schema/types.ts';
import { Client } from '../../src/client/client.ts';
import { Informer } from '../../src/client/informer.ts';
import { followKubeconfig } from '../../src/client/kubeconfig.ts';
import { type Clock, systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { bootstrap } from '../../src/kubelet/certificate/bootstrap.ts';
import {
  clientCertificateManager,
  servingCertificateManager,
  servingCertificates,
} from '../../src/kubelet/certificate/kubelet-certificates.ts';
import { type Log, silentLog } from '../../src/observability/log.ts';
import { ControlPlane } from './testing/control-plane.ts';

const token: BootstrapToken = {
  id: 'abcdef',
  secret: '0123456789abcdef',
  usages: ['authentication'],
  groups: ['system:bootstrappers:kubeadm:default-node-token'],
};
const day = 86_400_000;

/** The system's clock, so many milliseconds ahead; its timers and waits are the system's in a hundredth of the time. */
class FastClock implements Clock {
  aheadMs = 0;
  now(): number {
    return systemClock.now() + this.aheadMs;
  }
  monotonic(): number {
    return systemClock.monotonic() * 100;
  }
  after(ms: number, fn: () => void): { cancel(): void } {
    return systemClock.after(ms / 100, fn);
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms / 100, signal);
  }
}

describe('a kubelet', () => {
  let cp: ControlPlane;
  let dir: string;
  let said: string[];
  const clock = new FastClock();
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  const clients: Client[] = [];
  const log: Log = { ...silentLog, warn: (msg) => void said.push(msg), child: () => log };

  before(async () => {
    said = [];
    dir = await mkdtemp(join(tmpdir(), 'fairlead-kubelet-pki-'));
    const controllers = [
      'certificatesigningrequest-signing-controller',
      'certificatesigningrequest-approving-controller',
      'kubelet-serving-approving-controller',
    ];
    cp = await ControlPlane.start({ controllers, nodes: 0, scheduler: false, kubelet: false });
  });
  after(async () => {
    stop.abort();
    await Promise.all(running);
    for (const client of clients) client.close();
    await cp.stop();
    await rm(dir, { recursive: true });
  });

  const kubeconfig = (): string => join(dir, 'kubelet.conf');
  const bootstrapKubeconfig = (): string => join(dir, 'bootstrap.conf');
  const pki = (): string => join(dir, 'pki');
  const current = (): Promise<string> => readFile(join(pki(), 'kubelet-client-current.pem'), 'utf8');
  const options = (): Omit<Parameters<typeof bootstrap>[0], 'bootstrapKubeconfig' | 'kubeconfig' | 'certDir'> => ({
    nodeName: 'n1',
    clock,
    log,
    signal: stop.signal,
  });

  async function client(): Promise<Client> {
    const made = new Client(await followKubeconfig(kubeconfig(), clock));
    clients.push(made);
    return made;
  }

  /** The credential of a connection: which certificate the server saw. */
  async function credentialOf(by: Client): Promise<unknown> {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {} };
    const { status } = JSON.parse(
      await by.raw('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { body: JSON.stringify(review) }),
    );
    return status.userInfo.extra['authentication.kubernetes.io/credential-id'][0];
  }
  const fingerprint = (pem: string): string => `X509SHA256=${new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()}`;

  test('waits for a token that nobody knows yet, says what to do, and gets its certificate when it is there', async () => {
    await writeFile(bootstrapKubeconfig(), cp.kubeconfigText({ token: `${token.id}.${token.secret}` }));
    const ready = bootstrap({ ...options(), kubeconfig: kubeconfig(), bootstrapKubeconfig: bootstrapKubeconfig(), certDir: pki() });
    await eventually('its complaint', () => {
      assert.match(
        said[0] ?? '',
        /does not know the token in ".*bootstrap\.conf", or it has ended .*fairlead token create --print-join-command/,
      );
    });
    await cp.client.create(secrets, bootstrapTokenSecret(token));
    await ready;
    assert.equal(said.length, 1);
    const { users, contexts } = JSON.parse(await readFile(kubeconfig(), 'utf8'));
    const path = join(pki(), 'kubelet-client-current.pem');
    assert.deepEqual(users, [{ name: 'default-auth', user: { 'client-certificate': path, 'client-key': path } }]);
    assert.equal(contexts[0].context.user, 'default-auth');
    assert.deepEqual([(await stat(path)).mode & 0o777, (await stat(kubeconfig())).mode & 0o777], [0o600, 0o600]);
    assert.match(await readlink(path), /kubelet-client-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d\.pem$/);
    const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } };
    await (await client()).create(nodes, node);
  });

  test('needs the token no more', async () => {
    await cp.client.delete(secrets, 'bootstrap-token-abcdef', { namespace: 'kube-system' });
    const before = await current();
    await bootstrap({ ...options(), kubeconfig: kubeconfig(), bootstrapKubeconfig: bootstrapKubeconfig(), certDir: pki() });
    assert.equal(await current(), before);
  });

  test('writes its kubeconfig again from a certificate that is there', async () => {
    const [text, pem] = [await readFile(kubeconfig(), 'utf8'), await current()];
    await rm(kubeconfig());
    await bootstrap({ ...options(), kubeconfig: kubeconfig(), bootstrapKubeconfig: bootstrapKubeconfig(), certDir: pki() });
    assert.deepEqual([await readFile(kubeconfig(), 'utf8'), await current()], [text, pem]);
  });

  test('has its next certificate long before the end; requests and watches of every part move, and none fails', async () => {
    const [own, other] = [await client(), await client()];
    const first = await current();
    assert.deepEqual([await credentialOf(own), await credentialOf(other)], [fingerprint(first), fingerprint(first)]);
    const complaints: string[] = [];
    const seen: string[] = [];
    const informer = new Informer(other, nodes, {
      log: { ...log, warn: (msg) => void complaints.push(msg) },
      fieldSelector: 'metadata.name=n1',
    });
    informer.on({ update: ({ metadata }) => void seen.push(metadata.annotations?.round ?? '') });
    running.push(informer.start(stop.signal));
    await informer.synced;

    const manager = clientCertificateManager({ ...options(), client: own, certDir: pki(), bootstrapKubeconfig: undefined });
    running.push(manager.run(stop.signal));
    // Requests that go on all the while.
    const failures: unknown[] = [];
    const enough = new AbortController();
    const asked = (async () => {
      while (!enough.signal.aborted) await other.get(nodes, 'n1').catch((err: unknown) => failures.push(err));
    })();
    try {
      clock.aheadMs = 330 * day;
      await eventually('the next certificate', async () => assert.notEqual(await current(), first));
      // The signers' clock was not set, so that the next one is near its end, too, while this one is ahead.
      clock.aheadMs = 0;
      await eventually('all to use it', async () => {
        const next = fingerprint(await current());
        assert.deepEqual([await credentialOf(own), await credentialOf(other)], [next, next]);
      });
      await cp.client.patch(nodes, 'n1', { metadata: { annotations: { round: 'after' } } });
      await eventually('the watch to tell what came after', () => assert.deepEqual(seen.slice(-1), ['after']));
    } finally {
      enough.abort();
      await asked;
    }
    assert.deepEqual([failures, complaints, said.slice(1)], [[], [], []]);
    assert.equal(manager.problem, undefined);
  });

  test('gets the certificate that it serves with once its Node has addresses', async () => {
    const manager = servingCertificateManager({ ...options(), client: await client(), certDir: pki() });
    running.push(manager.run(stop.signal));
    const addresses = [
      { type: 'InternalIP', address: '192.0.2.77' },
      { type: 'Hostname', address: 'n1' },
    ];
    await cp.client.patch(nodes, 'n1', { status: { addresses } }, { subresource: 'status' });
    const stored = await eventually('the certificate', async () => {
      const found = await servingCertificates(pki()).current();
      assert.ok(found);
      return found;
    });
    assert.equal(stored.leaf.subjectAltName, 'DNS:n1, IP Address:192.0.2.77');
    assert.deepEqual(stored.leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  });

  test('that slept past the end of its certificate is told to join again, and comes back by a new token', async () => {
    const again = join(dir, 'again');
    clock.aheadMs = 800 * day;
    const start = (by: string | undefined): Promise<void> =>
      bootstrap({ ...options(), kubeconfig: kubeconfig(), bootstrapKubeconfig: by, certDir: again });
    await assert.rejects(start(undefined), /its client certificate has ended at .* and no bootstrap kubeconfig is given/);
    const fresh = { ...token, id: 'second' };
    await cp.client.create(secrets, bootstrapTokenSecret(fresh));
    await writeFile(bootstrapKubeconfig(), cp.kubeconfigText({ token: `${fresh.id}.${fresh.secret}` }));
    await start(bootstrapKubeconfig());
    clock.aheadMs = 0;
    assert.equal((await (await client()).get(nodes, 'n1')).metadata.name, 'n1');
  });
});
