import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { connect } from 'node:tls';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import type { Cri } from '../cri/cri.ts';
import { makeCertificates } from '../testing/test-certificates.ts';
import type { Access } from './access.ts';
import { keepCertificate } from './keep-certificate.ts';
import { serveKubelet } from './kubelet-server.ts';
import type { PodLookup } from './pod-lookup.ts';

test('a serving certificate that is renewed is shown to the next client; half of it changes nothing', async () => {
  const [before, after] = [makeCertificates(), makeCertificates()];
  const first = { ...before.server, clientCa: before.ca };
  const parts = { access: {} as Access, pods: {} as PodLookup, cri: {} as Cri };
  const common = { nodeName: 'n1', logDir: '/none', log: silentLog, problem: () => undefined };
  const server = await serveKubelet({ tls: first, port: 0, ...parts, ...common });
  const clock = new FakeClock();
  const stop = new AbortController();
  let files = first;
  const said: string[] = [];
  const log = { ...silentLog, info: (text: string) => void said.push(text), warn: () => void said.push('half') };
  const kept = keepCertificate(server, first, { read: async () => files, clock, log, signal: stop.signal });
  const isShown = async (ca: string): Promise<boolean> => {
    const socket = connect({ host: '127.0.0.1', port: server.port, ca, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.destroy();
    return socket.authorized;
  };
  try {
    assert.equal(await isShown(before.ca), true);
    files = { ...first, cert: after.server.cert };
    await clock.advance(60_000);
    assert.equal(await isShown(before.ca), true);
    files = { ...after.server, clientCa: after.ca };
    await clock.advance(30_000);
    assert.equal(await isShown(after.ca), true);
    await clock.advance(60_000);
    assert.deepEqual(said, ['half', 'the serving certificate was renewed'], 'each once');
  } finally {
    stop.abort();
    await clock.advance(0);
    await kept;
    await server.close();
  }
});

test('the first certificate that is given to a node is shown within a second', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const [first, given] = ['own', 'given'].map((cert) => ({ cert, key: '', clientCa: '' })) as [
    Record<'cert' | 'key' | 'clientCa', string>,
    never,
  ];
  let files = first;
  const shown: unknown[] = [];
  const kept = keepCertificate({ renew: (tls) => shown.push(tls) }, first, {
    read: async () => files,
    clock,
    log: silentLog,
    signal: stop.signal,
  });
  await clock.advance(5_000);
  files = given;
  await clock.advance(1_000);
  assert.deepEqual(shown, [given]);
  stop.abort();
  await clock.advance(0);
  await kept;
});
