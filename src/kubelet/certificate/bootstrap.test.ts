/** What a kubelet says when it has no certificate and no way to one. How it gets one: test/control-plane/kubelet-certificates.test.ts. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { silentLog } from '../../observability/log.ts';
import { createAuthority, issueCertificate } from '../../x509/authority.ts';
import { bootstrap } from './bootstrap.ts';

const now = Date.UTC(2026, 0, 1);

describe('a kubelet without a bootstrap kubeconfig', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-bootstrap-'));
  });
  after(() => rm(dir, { recursive: true }));

  async function kubeconfigWith(user: object): Promise<string> {
    const path = join(dir, 'kubelet.conf');
    const config = {
      'current-context': 'it',
      contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
      clusters: [{ name: 'it', cluster: { server: 'https://192.0.2.1:6443' } }],
      users: [{ name: 'it', user }],
    };
    await writeFile(path, JSON.stringify(config));
    return path;
  }

  async function certificateFrom(issuedAt: number): Promise<object> {
    const pair = await issueCertificate(await createAuthority('ca', issuedAt), { commonName: 'a', usages: ['client'], days: 1 }, issuedAt);
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    return { 'client-certificate-data': base64(pair.certPem), 'client-key-data': base64(pair.keyPem) };
  }

  const start = (kubeconfig: string, bootstrapKubeconfig?: string): Promise<void> =>
    bootstrap({
      kubeconfig,
      bootstrapKubeconfig,
      certDir: join(dir, 'pki'),
      nodeName: 'n1',
      clock: new FakeClock(now),
      log: silentLog,
      signal: new AbortController().signal,
    });

  test('starts when its certificate is good, and when it has a token', async () => {
    await start(await kubeconfigWith(await certificateFrom(now)));
    await start(await kubeconfigWith({ token: 'x' }));
  });

  for (const [what, user, words] of [
    [
      'has ended',
      () => certificateFrom(now - 2 * 86_400_000),
      /its client certificate has ended at 2025-12-31T00:00:00\.000Z, and no bootstrap/,
    ],
    [
      'cannot be read',
      async () => ({ 'client-certificate-data': 'AAAA', 'client-key-data': 'AAAA' }),
      /kubelet\.conf": .*, and no bootstrap/,
    ],
  ] as const)
    test(`is told to join again when its certificate ${what}`, async () => {
      const path = await kubeconfigWith(await user());
      await assert.rejects(start(path), (err) => {
        assert.ok(isKnownError(err, 'BAD_CONFIG'));
        assert.match(err.message, words);
        assert.match(err.hint ?? '', /fairlead token create --print-join-command/);
        return true;
      });
    });

  test('is told which file is not there', async () => {
    await assert.rejects(start(join(dir, 'none.conf')), /none\.conf": it is not there, and no bootstrap kubeconfig is given/);
    await assert.rejects(start(join(dir, 'none.conf'), join(dir, 'bootstrap.conf')), /bootstrap\.conf" is not there/);
  });
});
