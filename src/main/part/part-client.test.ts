import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { FlagReader } from '../flag-reader.ts';
import { apiServerOf, endClient, nodePartClient, partClient } from './part-client.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-kubeconfig-'));
after(() => rmSync(dir, { recursive: true }));
const kubeconfig = join(dir, 'conf');
const contexts = [{ name: 'it', context: { cluster: 'it', user: 'it' } }];
const clusters = [{ name: 'it', cluster: { server: 'https://[fd00::1]:6443' } }];
writeFileSync(kubeconfig, JSON.stringify({ 'current-context': 'it', contexts, clusters, users: [] }));
const flags = new FlagReader({ kubeconfig });

describe('clients of parts', () => {
  test('go where the kubeconfig says, or to the API server of the same process', async () => {
    const alone = await partClient('scheduler', flags, { parts: [] });
    assert.deepEqual([alone.server, apiServerOf(alone)], ['https://[fd00::1]:6443', 'fd00::1']);
    const loopback = { server: 'https://127.0.0.1:6443', serverName: 'localhost' };
    const beside = await partClient('scheduler', flags, { parts: [], apiServer: loopback });
    assert.deepEqual([beside.server, beside.transport.config.serverName], ['https://127.0.0.1:6443', 'localhost']);
  });

  const hints: [string, RegExp][] = [
    ['proxy', /fairlead manifest proxy --group system:nodes/],
    ['kubelet', /--kubeconfig \/etc\/kubernetes\/kubelet\.conf/],
    ['scheduler', /--kubeconfig \/etc\/kubernetes\/scheduler\.conf/],
  ];
  for (const [part, hint] of hints)
    test(`tell where a kubeconfig for ${part} comes from when none is given`, async () => {
      await assert.rejects(
        nodePartClient(part, new FlagReader({}), 'n1'),
        (err) => isKnownError(err, 'USAGE') && hint.test(err.hint ?? ''),
      );
    });

  test('of a node tell what to do about a refusal, unless the user is the right one', async () => {
    const forbidden = async (part: string, user: string): Promise<string | undefined> =>
      (await nodePartClient(part, flags, 'n1')).transport.config.whenForbidden?.(user);
    assert.match((await forbidden('dns', 'system:node:n1')) ?? '', /fairlead manifest dns --group system:nodes/);
    assert.match((await forbidden('kubelet', 'system:node:n2')) ?? '', /"system:node:n1" in group "system:nodes"/);
    assert.equal(await forbidden('kubelet', 'system:node:n1'), undefined);
    assert.equal((await nodePartClient('dns', flags, 'n1')).transport.config.userAgent, 'fairlead-dns');
  });
});

describe('endClient()', () => {
  const open = (): { clock: FakeClock; stop: AbortController; closedAt: number[]; client: { close(): void } } => {
    const clock = new FakeClock();
    const closedAt: number[] = [];
    return { clock, stop: new AbortController(), closedAt, client: { close: () => void closedAt.push(clock.monotonic()) } };
  };

  test('cuts requests that hang a second after the signal, and waits for the work to end', async () => {
    const { clock, stop, closedAt, client } = open();
    const work = Promise.withResolvers<void>();
    let isOver = false;
    const ended = endClient(client, work.promise, { clock, signal: stop.signal }).then(() => {
      isOver = true;
    });
    await clock.advance(60_000);
    assert.deepEqual(closedAt, []);
    stop.abort();
    await clock.advance(999);
    assert.deepEqual(closedAt, []);
    await clock.advance(1);
    assert.deepEqual(closedAt, [61_000]);
    assert.ok(!isOver);
    work.resolve();
    await ended;
  });

  test('closes at once when the work has ended, well or not', async () => {
    const { clock, stop, closedAt, client } = open();
    stop.abort();
    await endClient(client, Promise.resolve(), { clock, signal: stop.signal });
    await assert.rejects(endClient(client, Promise.reject(new Error('broken')), { clock, signal: stop.signal }), /broken/);
    await clock.advance(0);
    assert.deepEqual(closedAt, [0, 0]);
  });
});
