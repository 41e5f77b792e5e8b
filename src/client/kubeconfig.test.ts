/** Credentials that follow the files of a kubeconfig, over real connections to a server that says who asks. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { nodes } from '../api/resource-types.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { type Authority, createAuthority, issueCertificate } from '../x509/authority.ts';
import { Client } from './client.ts';
import { followKubeconfig } from './kubeconfig.ts';

const lookMs = 10_000;

describe('a client by a kubeconfig', () => {
  let dir: string;
  let authority: Authority;
  let server: Server;
  let clock: FakeClock;
  /** Watches that are open, by who asked. */
  const watches: { readonly user: string; readonly response: ServerResponse }[] = [];
  /** Answers that are held back until the test says so. */
  const held: ServerResponse[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-follow-'));
    authority = await createAuthority('ca', Date.now());
    const { certPem, keyPem } = await issueCertificate(
      authority,
      { commonName: 'server', ips: ['127.0.0.1'], usages: ['server'] },
      Date.now(),
    );
    server = createServer(
      { cert: certPem, key: keyPem, ca: authority.certPem, requestCert: true, rejectUnauthorized: false },
      (req, res) => {
        const user = (req.socket as TLSSocket).getPeerCertificate().subject?.CN ?? req.headers.authorization ?? 'nobody';
        if (req.url?.includes('watch=')) {
          res
            .writeHead(200)
            .write(`${JSON.stringify({ type: 'ADDED', object: { metadata: { name: String(user), resourceVersion: '7' } } })}\n`);
          watches.push({ user: String(user), response: res });
          res.on('close', () =>
            watches.splice(
              watches.findIndex(({ response }) => response === res),
              1,
            ),
          );
        } else if (req.url === '/held') held.push(res);
        else res.end(String(user));
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => {
    clock = new FakeClock();
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dir, { recursive: true });
  });

  /** Makes the pair of a user the one that the link names. */
  async function become(user: string): Promise<void> {
    const { certPem, keyPem } = await issueCertificate(authority, { commonName: user, usages: ['client'] }, Date.now());
    await writeFile(join(dir, `${user}.pem`), certPem + keyPem);
    await symlink(join(dir, `${user}.pem`), join(dir, 'updated.pem'));
    await rename(join(dir, 'updated.pem'), join(dir, 'current.pem'));
  }

  async function writeKubeconfig(user: object): Promise<void> {
    const ca = Buffer.from(authority.certPem).toString('base64');
    const cluster = { server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, 'certificate-authority-data': ca };
    const config = {
      'current-context': 'it',
      contexts: [{ name: 'it', context: { cluster: 'it', user: 'it' } }],
      clusters: [{ name: 'it', cluster }],
      users: [{ name: 'it', user }],
    };
    await writeFile(join(dir, 'kubelet.conf'), JSON.stringify(config));
  }

  async function clientBy(user: object): Promise<Client> {
    await writeKubeconfig(user);
    return new Client(await followKubeconfig(join(dir, 'kubelet.conf'), clock));
  }
  const byFile = { 'client-certificate': 'current.pem', 'client-key': 'current.pem' };
  const asks = (client: Client): Promise<string> => client.raw('GET', '/who');

  test('asks as whom the files say, some seconds after they were replaced', async () => {
    await become('first');
    const client = await clientBy(byFile);
    assert.equal(await asks(client), 'first');
    await become('second');
    await clock.advance(lookMs - 1);
    assert.equal(await asks(client), 'first');
    await clock.advance(1);
    assert.equal(await asks(client), 'second');
    client.close();
  });

  test('lets what is under way come to its end on the old connection, and keeps none of those', async () => {
    await become('first');
    const client = await clientBy(byFile);
    const slow = client.raw('GET', '/held');
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [answer] = held.splice(0);
    const closed = once(answer?.socket ?? server, 'close');
    await become('second');
    await clock.advance(lookMs);
    assert.equal(await asks(client), 'second');
    answer?.end('held');
    assert.equal(await slow, 'held');
    await closed;
    client.close();
  });

  test('ends a watch as a server does, so that the next one is opened as the new user', async () => {
    await become('first');
    const client = await clientBy(byFile);
    const seen: string[] = [];
    const watch = client.watch(nodes, { signal: new AbortController().signal }, ({ object }) => void seen.push(object.metadata.name));
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await become('second');
    await clock.advance(lookMs);
    assert.equal(await asks(client), 'second');
    // It ends, and with no error.
    await watch;
    assert.deepEqual(seen, ['first']);
    const stop = new AbortController();
    await client.watch(nodes, { signal: stop.signal }, ({ object }) => {
      seen.push(object.metadata.name);
      stop.abort();
    });
    assert.deepEqual(seen, ['first', 'second']);
    client.close();
  });

  test('stays who it was while the files hold nothing that could be used', async () => {
    await become('first');
    const client = await clientBy(byFile);
    const { certPem } = await issueCertificate(authority, { commonName: 'other', usages: ['client'] }, Date.now());
    const { keyPem } = await issueCertificate(authority, { commonName: 'other', usages: ['client'] }, Date.now());
    for (const text of [certPem + keyPem, '', 'nonsense']) {
      await writeFile(join(dir, 'first.pem'), text);
      await clock.advance(lookMs);
      assert.equal(await asks(client), 'first', text);
    }
    await become('third');
    await clock.advance(lookMs);
    assert.equal(await asks(client), 'third');
    client.close();
  });

  test('finds what was written while it looked', async () => {
    await writeKubeconfig({ token: 'first' });
    const { renewed } = await followKubeconfig(join(dir, 'kubelet.conf'), clock);
    // A look is a few steps, and the file is written anew between any two of them.
    for (let round = 0; round < 200; round++) {
      const steps = round % 20;
      await writeKubeconfig({ token: `before-${round}` });
      await clock.advance(lookMs);
      const look = renewed?.();
      for (let i = 0; i < steps; i++) await new Promise((resolve) => setImmediate(resolve));
      await writeKubeconfig({ token: `after-${round}` });
      const found = await look;
      await clock.advance(lookMs);
      assert.equal(((await renewed?.()) ?? found)?.token, `after-${round}`, `written ${steps} turns after the look began`);
    }
  });

  test('follows a kubeconfig that was written anew, from a token to a certificate', async () => {
    await become('first');
    const client = await clientBy({ token: 'one' });
    assert.equal(await asks(client), 'Bearer one');
    (await clientBy({ token: 'two' })).close();
    await clock.advance(lookMs);
    assert.equal(await asks(client), 'Bearer two');
    (await clientBy(byFile)).close();
    await clock.advance(lookMs);
    assert.equal(await asks(client), 'first');
    client.close();
  });
});
