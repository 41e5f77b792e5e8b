/** The day when the clock of a control plane has moved on past every certificate: real TLS between what lies in its folders, before and after the cure. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { ensureClusterPki, ensureNodeCredential } from '../../bootstrap/pki.ts';
import { Client } from '../../client/client.ts';
import { loadKubeconfig } from '../../client/kubeconfig.ts';
import { isKnownError, KnownError } from '../../errors/known-error.ts';
import { refuseEnded } from '../control-plane/control-plane.ts';
import { findCertificates } from './certs.ts';
import { checkCertificates } from './check.ts';
import { renewCertificates } from './renew.ts';

describe('a control plane of which everything but the authority has ended', () => {
  const now = Date.now();
  const long = now - 400 * 86_400_000;
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'all-ended-'));
    await make(long);
  });
  after(() => rm(dir, { recursive: true }));

  const dirs = (): { pkiDir: string; kubeconfigDir: string; certDir: string } => ({
    pkiDir: dir,
    kubeconfigDir: dir,
    certDir: join(dir, 'kubelet'),
  });

  /** As init makes it, or finds it. */
  async function make(at: number): Promise<void> {
    const cluster = { cluster: 'kubernetes', server: 'https://127.0.0.1:6443', now: at };
    const names = { addresses: ['127.0.0.1'], names: ['one'], serviceAddress: '10.96.0.1', clusterDomain: 'cluster.local' };
    await ensureClusterPki({ ...cluster, ...names, dir });
    await ensureNodeCredential({ ...cluster, pkiDir: dir, kubeconfig: join(dir, 'kubelet.conf'), certDir: dirs().certDir, node: 'one' });
  }

  /** Who the API server takes the owner of a kubeconfig for; why there is no connection otherwise. */
  async function whoIs(kubeconfig: string): Promise<string> {
    const text = (name: string): Promise<string> => readFile(join(dir, name), 'utf8');
    const [cert, key, ca] = await Promise.all(['apiserver.crt', 'apiserver.key', 'ca.crt'].map(text));
    const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: false }, ({ socket }, response) => {
      const tls = socket as TLSSocket;
      response.end(tls.authorized ? String(tls.getPeerCertificate().subject.CN) : `nobody: ${String(tls.authorizationError)}`);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = new Client({ ...(await loadKubeconfig(join(dir, kubeconfig))), server: `https://127.0.0.1:${port}` });
    try {
      return await client.raw('GET', '/');
    } catch (err) {
      if (!(err instanceof KnownError) || !isKnownError(err, 'API_UNREACHABLE')) throw err;
      return err.message;
    } finally {
      client.close();
      server.close();
    }
  }

  const configs = [
    'admin.conf',
    'super-admin.conf',
    'controller-manager.conf',
    'scheduler.conf',
    'cloud-controller-manager.conf',
    'kubelet.conf',
  ];

  test('serves nobody, is told by certs check, and init names the cure', async () => {
    for (const config of configs) assert.match(await whoIs(config), /expired/);
    const { isGood, text } = await checkCertificates(dirs(), 'text');
    assert.equal(isGood, false);
    assert.equal(text.match(/<invalid>/g)?.length, 9, text);
    await assert.rejects(async () => refuseEnded(await findCertificates(dirs()), now), {
      hint: 'fairlead certs renew; then this command again',
    });
  });

  test('is whole again by certs renew, and its node by init', async () => {
    const { renewed, left } = await renewCertificates(await findCertificates(dirs()), [], { pkiDir: dir, now });
    assert.equal(renewed.length, 8);
    assert.deepEqual(left.map(({ name }) => name).toSorted(), ['ca', 'front-proxy-ca', 'kubelet-client-current']);
    assert.match(await whoIs('kubelet.conf'), /nobody: .*EXPIRED|expired/);
    await make(now);
    refuseEnded(await findCertificates(dirs()), now);
    assert.deepEqual(await Promise.all(configs.map(whoIs)), [
      'kubernetes-admin',
      'kubernetes-super-admin',
      'system:kube-controller-manager',
      'system:kube-scheduler',
      'system:cloud-controller-manager',
      'system:node:one',
    ]);
    assert.equal((await checkCertificates(dirs(), 'text')).isGood, true);
  });
});
