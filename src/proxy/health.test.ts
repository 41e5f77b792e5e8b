import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import { ServiceHealth } from './health.ts';
import type { HealthCheck } from './plan/service-plan.ts';
import { freePort } from './testing/running-proxy.ts';

interface Family {
  readonly healthChecks: ReadonlyMap<string, HealthCheck>;
}

/** A family whose Service asks for health at `port`, if it is said. */
function family(port: number | undefined): Family {
  return { healthChecks: new Map<string, HealthCheck>(port === undefined ? [] : [['n/a', { port, localReady: 1 }]]) };
}

const everywhere = [''];

/** By a connection of its own; undefined where nobody listens. */
async function weightAt(host: string, port: number): Promise<string | undefined> {
  try {
    const [answer] = (await once(get({ host, port, agent: false }), 'response')) as [IncomingMessage];
    answer.resume();
    return String(answer.headers['x-load-balancing-endpoint-weight']);
  } catch {
    return undefined;
  }
}

test('ServiceHealth tells that it listens on other ports than before, not that it could not: the proxy then looks again, without end', async () => {
  const port = await freePort();
  const health = new ServiceHealth(() => true, silentLog);
  const other = createServer().listen(port);
  await once(other, 'listening');
  try {
    assert.equal(await health.update([family(port)], () => everywhere), false);
    other.close();
    await once(other, 'close');
    assert.equal(await health.update([family(port)], () => everywhere), true);
    assert.equal(await health.update([family(port)], () => everywhere), false);
    assert.equal(await health.update([family(undefined)], () => everywhere), true);
    assert.equal(await health.update([family(undefined)], () => everywhere), false);
  } finally {
    other.close();
    await health.close();
  }
});

test('ServiceHealth says once that it cannot listen, and again when it could not a second time', async () => {
  const port = await freePort();
  const told: string[] = [];
  const health = new ServiceHealth(() => true, { ...silentLog, warn: (message: string) => void told.push(message) });
  const other = createServer().listen(port);
  await once(other, 'listening');
  try {
    const failed: string[][] = [];
    for (let sync = 0; sync < 3; sync++)
      await health.update(
        [family(port)],
        () => everywhere,
        (...failure) => void failed.push(failure),
      );
    assert.equal(told.length, 1);
    assert.deepEqual(failed, [['n/a', told[0]]]);
    assert.match(told[0] ?? '', /^Cannot answer health checks of Service "n\/a": /);
    await health.update([family(undefined)], () => everywhere);
    await health.update([family(port)], () => everywhere);
    assert.equal(told.length, 2);
  } finally {
    other.close();
    await health.close();
  }
});

test('ServiceHealth listens at the addresses of node ports alone, and moves when they do', async () => {
  const port = await freePort();
  const health = new ServiceHealth(() => true, silentLog);
  const open = async (): Promise<string[]> => {
    const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
    const answers = await Promise.all(hosts.map(async (host) => [host, await weightAt(host, port)] as const));
    return answers.filter(([, weight]) => weight === '1').map(([host]) => host);
  };
  try {
    assert.equal(await health.update([family(port), family(undefined)], () => ['127.0.0.1', '127.0.0.2']), true);
    assert.deepEqual(await open(), ['127.0.0.1', '127.0.0.2'], 'those of both families, for the Service of one');
    assert.equal(await health.update([family(port)], () => ['127.0.0.2', '127.0.0.3']), true);
    assert.deepEqual(await open(), ['127.0.0.2', '127.0.0.3']);
    assert.equal(await health.update([family(port)], () => everywhere), true);
    assert.deepEqual(await open(), ['127.0.0.1', '127.0.0.2', '127.0.0.3']);
    assert.equal(await health.update([family(port)], () => ['127.0.0.1']), true);
    assert.deepEqual(await open(), ['127.0.0.1']);
    assert.equal(await health.update([family(port)], () => []), true);
    assert.deepEqual(await open(), []);
  } finally {
    await health.close();
  }
});

test('ServiceHealth answers at the other addresses when one cannot be had', async () => {
  const port = await freePort();
  const told: string[] = [];
  const health = new ServiceHealth(() => true, { ...silentLog, warn: (message: string) => void told.push(message) });
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  try {
    const families = [family(port)];
    const hosts = ['127.0.0.1', '127.0.0.2'];
    assert.equal(await health.update(families, () => hosts), true);
    assert.equal(await weightAt('127.0.0.2', port), '1');
    assert.deepEqual(
      told.map((text) => text.includes(`127.0.0.1:${port}`)),
      [true],
    );
    other.close();
    await once(other, 'close');
    assert.equal(await health.update(families, () => hosts), true);
    assert.equal(await weightAt('127.0.0.1', port), '1');
  } finally {
    other.close();
    await health.close();
  }
});
