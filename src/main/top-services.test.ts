/** `fairlead top services` as a program, beside pages as a proxy serves them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { type Page, PageServer } from '../observability/health-pages.ts';

const program = new URL('./fairlead.ts', import.meta.url).pathname;

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(...args: readonly string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, 'top', 'services', ...args], (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

const connections = (namespace: string, service: string, count: number): string =>
  `fairlead_service_connections_total{namespace="${namespace}",service="${service}",port="",protocol="TCP"} ${count}\n`;

describe('fairlead top services', () => {
  let metrics = '';
  let ofEndpoints = '';
  const text = (body: string): Page => ({ code: 200, body });
  const proxy = new PageServer({ '/metrics': () => text(metrics), '/metrics/endpoints': () => text(ofEndpoints) });
  let at: readonly [string, string];
  before(async () => {
    at = ['--proxy-metrics-address', `127.0.0.1:${await proxy.listen('127.0.0.1:0')}`];
  });
  after(() => proxy.close());

  test('prints those of all namespaces, or of one', async () => {
    metrics = connections('n', 'web', 1) + connections('m', 'web', 2);
    assert.deepEqual((await run(...at, '-o', 'name')).out.split('\n').filter(Boolean), ['service/web.m', 'service/web.n']);
    assert.equal((await run(...at, '-o', 'name', '-n', 'n')).out, 'service/web.n\n');
  });

  test('leaves bytes open where none are counted, and says so', async () => {
    metrics = connections('n', 'web', 1);
    const without = await run(...at);
    assert.match(without.out, /^n +web +TCP +1 +- +- +0 *$/m);
    assert.match(without.err, /No bytes were counted .* the log of the proxy/);
    metrics += 'fairlead_service_receive_bytes_total{namespace="n",service="web",port="",protocol="TCP"} 5\n';
    const counted = await run(...at);
    assert.match(counted.out, /^n +web +TCP +1 +5 +- +0 *$/m);
    assert.equal(counted.err, '');
  });

  test('prints endpoints when they are asked for', async () => {
    ofEndpoints =
      'fairlead_service_endpoint_connections_total{namespace="n",service="web",port="",protocol="TCP",endpoint="10.0.0.1:80"} 3\n';
    assert.deepEqual(JSON.parse((await run(...at, '--endpoints', '-o', 'json')).out), [
      { namespace: 'n', service: 'web', port: '', protocol: 'TCP', endpoint: '10.0.0.1:80', connections: 3 },
    ]);
  });

  test('says why nothing is counted', async () => {
    metrics = '';
    assert.match((await run(...at)).err, /No Service was used .* --service-counters=false/);
  });

  test('says that no proxy answers', async () => {
    const { code, err } = await run('--proxy-metrics-address', '127.0.0.1:1');
    assert.notEqual(code, 0);
    assert.match(err, /Cannot ask the service proxy at "127\.0\.0\.1:1"/);
  });
});
