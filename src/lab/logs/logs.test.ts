import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../clock/clock.ts';
import { defaultLabOptions, storeNames } from '../lab-options.ts';
import { planLab } from '../plan.ts';
import { storeOf } from '../store/stores.ts';
import { showLogs } from './show-logs.ts';
import { logSources, partFilter } from './sources.ts';

describe('logSources()', () => {
  const plan = planLab({ ...defaultLabOptions, workers: 1 });
  const cases: [string, string | undefined, string | undefined, string][] = [
    ['a node and a file', 'worker-1', 'containerd', 'worker-1/containerd'],
    ['a part of the agent', 'worker-1', 'proxy', 'worker-1/proxy'],
    ['a part on every node', 'dns', undefined, 'control-plane/dns worker-1/dns'],
    ['a part of the server, which only the control plane has', 'scheduler', undefined, 'control-plane/scheduler'],
    ['what controllers and scheduler watch by', 'informers', undefined, 'control-plane/informers'],
    ['a whole worker', 'worker-1', undefined, 'worker-1/agent worker-1/containerd worker-1/init worker-1/boot'],
    ['the relay', 'relay', undefined, 'relay'],
  ];
  for (const [name, where, part, want] of cases)
    test(`finds ${name}`, () => {
      assert.equal(
        logSources(plan, where, part)
          .map((source) => source.label)
          .join(' '),
        want,
      );
    });

  test('finds everything, the relay too', () => {
    const labels = logSources(plan, undefined, undefined).map((source) => source.label);
    assert.equal(labels.length, 5 + 4 + 1);
    assert.ok(labels.includes('relay'));
  });

  test('finds what several control planes run besides', () => {
    const three = planLab({ ...defaultLabOptions, workers: 1, controlPlanes: 3, store: 'redis' });
    const labels = (where?: string, part?: string): string =>
      logSources(three, where, part)
        .map(({ label }) => label)
        .join(' ');
    assert.equal(labels('sentinel'), 'control-plane/sentinel control-plane-2/sentinel control-plane-3/sentinel');
    assert.equal(labels('balancer'), 'balancer');
    assert.match(labels(), / relay balancer$/);
    assert.throws(() => logSources(three, 'worker-1', 'redis'), { code: 'USAGE' });
    assert.throws(() => logSources(plan, 'control-plane', 'etcd'), { code: 'USAGE' });
    for (const store of storeNames) {
      const own = planLab({ ...defaultLabOptions, workers: 0, store });
      const files = logSources(own, 'control-plane', undefined).map(({ label }) => label.split('/')[1]);
      assert.deepEqual(files.slice(1, -4), Object.keys(storeOf(own).services(own, own.controlPlane)), store);
    }
  });

  for (const [where, part] of [
    ['worker-2', undefined],
    ['worker-1', 'prox'],
    ['worker-1', 'scheduler'],
  ] as const)
    test(`names what there is in place of ${where} ${part ?? ''}`, () => {
      assert.throws(() => logSources(plan, where, part), { code: 'USAGE', hint: /arts: .*kubelet/ });
    });
});

test('partFilter() keeps the lines of a part with those that go on with them', () => {
  const lines = [
    '2026-01-01T00:00:00.000Z INFO  a part=dns',
    '    at x',
    '2026-01-01T00:00:01.000Z INFO  b part=dns-x',
    '    at y',
    '2026-01-01T00:00:02.000Z ERROR c part=dns err=z',
  ];
  assert.deepEqual(lines.filter(partFilter('dns')), [lines[0], lines[1], lines[4]]);
});

describe('showLogs()', () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'logs-'));
  });
  after(() => rm(dir, { recursive: true }));

  const options = { clock: systemClock, tail: undefined, follow: false, signal: new AbortController().signal };

  test('mixes files by time, each line with its source, and leaves unfinished lines for later', async () => {
    await writeFile(join(dir, 'a'), '2026-01-01T00:00:00.100Z INFO  first\n2026-01-01T00:00:03Z INFO  last\nunfinish');
    await writeFile(join(dir, 'b'), 'time="2026-01-01T00:00:02Z" level=warn\n  and more\n');
    let out = '';
    const sources = [
      { label: 'n/a', file: join(dir, 'a') },
      { label: 'node/b', file: join(dir, 'b') },
      { label: 'none', file: join(dir, 'none') },
    ];
    await showLogs(sources, { ...options, write: (text) => (out += text) });
    const want = [
      'n/a    | 2026-01-01T00:00:00.100Z INFO  first',
      'node/b | time="2026-01-01T00:00:02Z" level=warn',
      'node/b |   and more',
    ];
    assert.equal(out, `${[...want, 'n/a    | 2026-01-01T00:00:03Z INFO  last'].join('\n')}\n`);
    out = '';
    await showLogs(sources, { ...options, tail: 1, write: (text) => (out += text) });
    assert.equal(out, 'n/a    | 2026-01-01T00:00:03Z INFO  last\n');
  });

  test('goes on with what is added, also after the file was cut, until it is told to stop', async () => {
    const file = join(dir, 'follow');
    await writeFile(file, 'one\n');
    const stop = new AbortController();
    let out = '';
    let heard = (): void => {};
    const said = (text: string): Promise<void> =>
      new Promise((resolve) => {
        heard = () => out.endsWith(text) && resolve();
        heard();
      });
    const write = (text: string): void => {
      out += text;
      heard();
    };
    const shown = showLogs([{ label: 'x', file }], { ...options, follow: true, signal: stop.signal, write });
    await said('one\n');
    await appendFile(file, 'tw');
    await appendFile(file, 'o\n');
    await said('two\n');
    await truncate(file);
    await appendFile(file, '3\n');
    await said('3\n');
    stop.abort();
    await shown;
    assert.equal(out, 'one\ntwo\n3\n');
  });
});
