/** With a clock that is far off TLS gives no answer; doctor must name the clock all the same. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import { type Authority, createAuthority, issueCertificate } from '../../x509/authority.ts';
import { askCluster, type Heard } from './ask-cluster.ts';

const dayMs = 86_400_000;

describe('askCluster()', () => {
  const now = Date.now();
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-doctor-'));
  let authority: Authority;
  before(async () => {
    authority = await createAuthority('kubernetes', now - 1000 * dayMs);
  });
  after(() => rmSync(dir, { recursive: true }));

  /** A control plane that has lived since `startMs`, and by whose clock it is `timeMs`; and what it was asked, with whose token. */
  async function ask(startMs: number, timeMs: number): Promise<Heard & { readonly asked: readonly string[] }> {
    const pair = await issueCertificate(authority, { commonName: 'server', ips: ['127.0.0.1'], usages: ['server'] }, startMs);
    const asked: string[] = [];
    const server = https.createServer({ cert: pair.certPem, key: pair.keyPem }, (request, response) => {
      asked.push(`${request.url} ${request.headers.authorization}`);
      response.setHeader('date', new Date(timeMs).toUTCString());
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ apiVersion: 'v1', kind: 'NodeList', metadata: {}, items: [] }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const config = {
      clusters: [
        {
          name: 'a',
          cluster: {
            server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
            'certificate-authority-data': Buffer.from(authority.certPem).toString('base64'),
          },
        },
      ],
      users: [{ name: 'a', user: { token: 'secret' } }],
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      'current-context': 'a',
    };
    const file = join(dir, 'kubeconfig');
    writeFileSync(file, JSON.stringify(config));
    try {
      return { ...(await askCluster(file, 'one', { clock: systemClock, signal: new AbortController().signal, timeoutMs: 10_000 })), asked };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  test('tells a kubeconfig that cannot be used from none', async () => {
    const context = { clock: systemClock, signal: new AbortController().signal, timeoutMs: 10_000 };
    const file = join(dir, 'empty');
    writeFileSync(file, '');
    const { cluster } = await askCluster(file, 'one', context);
    assert.equal(cluster.kind, 'unusable');
    assert.match('why' in cluster ? cluster.why : '', /there is no context/);
    assert.equal((await askCluster(join(dir, 'none'), 'one', context)).cluster.kind, 'none');
  });

  test('hears what time it is there', async () => {
    const { cluster, skewMs, asked } = await ask(now - dayMs, now);
    assert.equal(cluster.kind, 'heard', JSON.stringify(cluster));
    assert.ok(Math.abs(skewMs ?? Number.NaN) < 60_000, String(skewMs));
    assert.equal(asked[0], '/version Bearer secret');
  });

  for (const [what, startMs, timeMs] of [
    ['behind', now + 10 * dayMs, now + 10 * dayMs],
    ['ahead', now - 500 * dayMs, now - 500 * dayMs],
  ] as const)
    test(`hears it also while no certificate holds, as the clock here is ${what}, and tells nobody the token`, async () => {
      const { cluster, skewMs, asked } = await ask(startMs, timeMs);
      assert.deepEqual([cluster.kind, 'outOfTime' in cluster && cluster.outOfTime], ['silent', true]);
      const days = Math.round((skewMs ?? Number.NaN) / dayMs);
      assert.equal(days, Math.round((now - timeMs) / dayMs));
      assert.deepEqual(asked, ['/version undefined']);
    });
});
