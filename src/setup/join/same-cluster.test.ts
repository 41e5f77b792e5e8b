import assert from 'node:assert/strict';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import { createAuthority, issueCertificate, type KeyPair } from '../../x509/authority.ts';
import { publicKeyHash } from '../discovery/public-key-hash.ts';
import { requireSameCluster } from './same-cluster.ts';

describe('who joins again', () => {
  const now = Date.now();
  let own: KeyPair;
  let other: KeyPair;
  let server: https.Server;
  let endpoint = '';
  const notes: string[] = [];
  /** What happens while it waits. */
  let onSleep = (): void => {};
  const context = {
    clock: { ...systemClock, sleep: async (): Promise<void> => onSleep() },
    signal: new AbortController().signal,
    steps: { note: (text: string) => notes.push(text) } as never,
    timeoutMs: 60_000,
  };
  const join = (ca: string, at: string, hashes: readonly string[], timeoutMs = 60_000): Promise<void> =>
    requireSameCluster({ ...context, timeoutMs }, { server: 'https://here:6443', ca }, at, hashes);

  before(async () => {
    const authority = await createAuthority('kubernetes', now);
    [own, other] = [authority, await createAuthority('kubernetes', now)];
    const pair = await issueCertificate(authority, { commonName: 'server', ips: ['127.0.0.1'], usages: ['server'] }, now);
    server = https.createServer({ cert: pair.certPem, key: pair.keyPem }, (_request, response) => {
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ kind: 'Status', message: 'forbidden', code: 403 }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  test('stays where one of the pins is that of its authority, without asking anybody', async () => {
    await join(own.certPem, '127.0.0.1:1', [publicKeyHash(other.certPem), publicKeyHash(own.certPem)]);
    await join(`${other.certPem}${own.certPem}`, '127.0.0.1:1', [publicKeyHash(own.certPem)]);
  });

  test('is refused where none is, and told how to leave', async () => {
    await assert.rejects(join(own.certPem, endpoint, [publicKeyHash(other.certPem)]), {
      code: 'CHECK_FAILED',
      message: /is a node of another, that of https:\/\/here:6443/,
      hint: /fairlead reset/,
    });
  });

  test('goes without pins by who answers there, whatever that says', async () => {
    await join(own.certPem, endpoint, []);
    await assert.rejects(join(other.certPem, endpoint, []), { code: 'CHECK_FAILED', message: /is a node of another/ });
  });

  test('waits for who does not answer, and not for ever', async () => {
    await assert.rejects(join(own.certPem, '127.0.0.1:1', [], -1), { code: 'API_UNREACHABLE' });
    onSleep = () => {
      throw new Error('enough');
    };
    await assert.rejects(join(own.certPem, '127.0.0.1:1', []), /enough/);
    assert.match(notes.at(-1) ?? '', /^Waiting: .*ECONNREFUSED/);
  });
});
