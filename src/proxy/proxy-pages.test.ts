import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { WireReader } from '../api/codec/wire-reader.ts';
import type { Client } from '../client/client.ts';
import { eventually } from '../clock/testing/eventually.ts';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { ProxyMetrics } from './metrics.ts';
import type { ProxyOptions } from './options.ts';
import { ProxyPages } from './proxy-pages.ts';
import { freePort } from './testing/running-proxy.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const toldOf = (mode: string): Parameters<ProxyPages['serve']>[1] => ({
  mode,
  metrics: new ProxyMetrics('failures'),
  counts: async () => [],
  health: () => ({ code: 200, body: mode }),
});
const options = (more: Partial<ProxyOptions>): ProxyOptions => ({ client: {} as Client, nodeName: 'n', ...more });

function opened(clock = new FakeClock(), log: Log = silentLog): ProxyPages {
  const pages = new ProxyPages(clock, log);
  closers.push(() => pages.close());
  return pages;
}

async function text(address: string, path: string): Promise<string> {
  return await (await fetch(`http://${address}${path}`)).text();
}

describe('ProxyPages', () => {
  test('tell of the next proxy where they told of the last, and leave an address that is not wanted any more', async () => {
    const [first, second] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const pages = opened();
    await pages.serve(options({ healthzAddress: first, metricsAddress: second }), toldOf('one'));
    assert.deepEqual([await text(first, '/healthz'), await text(second, '/proxyMode')], ['one', 'one']);
    await pages.serve(options({ healthzAddress: first }), toldOf('two'));
    assert.deepEqual([await text(first, '/healthz'), pages.bound(first), pages.bound(second)], ['two', first, undefined]);
    await assert.rejects(fetch(`http://${second}/proxyMode`));
  });

  for (const bindAddressHardFail of [false, true])
    test(`go to another host with the same port and back, ${bindAddressHardFail ? 'where a port that is taken ends the start' : 'at once'}`, async () => {
      const port = await freePort();
      const [all, local] = [`0.0.0.0:${port}`, `127.0.0.1:${port}`];
      const pages = opened();
      await pages.serve(options({ healthzAddress: all, bindAddressHardFail }), toldOf('one'));
      await pages.serve(options({ healthzAddress: local, bindAddressHardFail }), toldOf('two'));
      assert.deepEqual([await text(local, '/healthz'), pages.bound(all), pages.bound(local)], ['two', undefined, local]);
      await pages.serve(options({ healthzAddress: all, bindAddressHardFail }), toldOf('three'));
      assert.equal(pages.bound(local), undefined);
      // The client may still try the connection that ended.
      await eventually(async () => assert.equal(await text(local, '/healthz'), 'three'));
    });

  test('are back at the address from before after one that another program has ended a start', async () => {
    const [address, taken] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    await opened().serve(options({ healthzAddress: taken }), toldOf('other'));
    const pages = opened();
    const before = options({ healthzAddress: address, bindAddressHardFail: true });
    await pages.serve(before, toldOf('one'));
    await assert.rejects(pages.serve({ ...before, healthzAddress: taken }, toldOf('two')), { code: 'PORT_TAKEN' });
    await pages.serve(before, toldOf('one'));
    assert.equal(await text(address, '/healthz'), 'one');
  });

  test('try an address again that another program has, and say so once', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const other = createServer().listen(Number(address.split(':')[1]), '127.0.0.1');
    closers.push(() => other.close());
    await once(other, 'listening');
    const said: string[] = [];
    const clock = new FakeClock();
    const pages = opened(clock, { ...silentLog, error: (line) => void said.push(line) });
    await pages.serve(options({ healthzAddress: address }), toldOf('one'));
    assert.equal(pages.bound(address), undefined);
    await clock.advance(5000);
    await eventually(() => clock.pending > 0);
    other.close();
    await once(other, 'close');
    await clock.advance(5000);
    await eventually(async () => assert.equal(await text(address, '/healthz'), 'one'));
    const wanted = `Cannot listen on "${address}": another program does; the rules do not wait, it is tried every 5 s`;
    assert.deepEqual([said, pages.bound(address)], [[wanted], address]);
  });

  test('end the start at an address that another program has when they are asked to', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await opened().serve(options({ healthzAddress: address }), toldOf('one'));
    const fatal = options({ metricsAddress: address, bindAddressHardFail: true });
    await assert.rejects(opened().serve(fatal, toldOf('two')), { code: 'PORT_TAKEN' });
  });
});

describe('/debug/flags/v', () => {
  async function served(debugFlags: boolean): Promise<{ url: string; set: number[] }> {
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const set: number[] = [];
    const pages = opened();
    await pages.serve(options({ metricsAddress, debugFlags, setVerbosity: (verbosity) => set.push(verbosity) }), toldOf('one'));
    return { url: `http://${metricsAddress}/debug/flags/v`, set };
  }

  test('takes another verbosity by PUT, in the words of kube-proxy', async () => {
    const { url, set } = await served(true);
    const answers: [number, string][] = [];
    for (const request of [{ method: 'PUT', body: '5' }, { method: 'PUT', body: 'much' }, { method: 'PUT', body: '4294967296' }, {}]) {
      const answer = await fetch(url, request);
      answers.push([answer.status, await answer.text()]);
    }
    assert.deepEqual(answers, [
      [200, 'successfully set klog.logging.verbosity to 5'],
      [400, 'strconv.ParseUint: parsing "much": invalid syntax'],
      [400, 'strconv.ParseUint: parsing "4294967296": value out of range'],
      [406, 'unsupported http method'],
    ]);
    assert.deepEqual(set, [5]);
    assert.match(await (await fetch(url.replace(/v$/, ''))).text(), /<tr>v<br>/);
  });

  test('is there only under enableProfiling', async () => {
    const { url, set } = await served(false);
    assert.equal((await fetch(url, { method: 'PUT', body: '5' })).status, 404);
    assert.deepEqual(set, []);
  });
});

describe('/debug/pprof', () => {
  async function served(debugFlags: boolean): Promise<{ url: string; clock: FakeClock; serve(debugFlags: boolean): Promise<void> }> {
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const clock = new FakeClock();
    const pages = opened(clock);
    const serve = (isOn: boolean) => pages.serve(options({ metricsAddress, debugFlags: isOn, setVerbosity: () => {} }), toldOf('one'));
    await serve(debugFlags);
    return { url: `http://${metricsAddress}/debug/pprof`, clock, serve };
  }

  /** What a profile names: its string table. */
  async function namesIn(answer: Response): Promise<string[]> {
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/octet-stream']);
    const reader = new WireReader(gunzipSync(await answer.arrayBuffer()));
    const names: string[] = [];
    while (reader.pos < reader.length) {
      const tag = reader.uint32(reader.length);
      if (tag >>> 3 === 6) names.push(reader.string(reader.length));
      else if ((tag & 7) === 0) reader.int64(reader.length);
      else reader.pos = reader.lengthDelimited(reader.length);
    }
    return names;
  }

  function toilForTheProfile(): void {
    for (const end = performance.now() + 200; performance.now() < end; );
  }

  test('tells who worked, in the form of pprof, to one at a time', async () => {
    const { url, clock } = await served(true);
    const tooLong = await fetch(`${url}/profile?seconds=301`);
    assert.deepEqual([tooLong.status, await tooLong.text()], [400, 'seconds may be 300 at most\n']);
    const profile = fetch(`${url}/profile?seconds=5`);
    await eventually('a profile is made', () => clock.pending > 0);
    const second = await fetch(`${url}/profile`);
    assert.deepEqual([second.status, await second.text()], [500, 'Could not enable CPU profiling: cpu profiling already in use\n']);
    toilForTheProfile();
    await clock.advance(5000);
    const names = await namesIn(await profile);
    assert.deepEqual(names.slice(0, 5), ['', 'samples', 'count', 'cpu', 'nanoseconds']);
    assert.ok(names.includes('toilForTheProfile'), names.join(' '));
  });

  test('makes no profile for who has gone', async () => {
    const { url, clock } = await served(true);
    const leaves = new AbortController();
    const profile = fetch(`${url}/profile`, { signal: leaves.signal });
    await eventually('a profile is made', () => clock.pending > 0);
    leaves.abort();
    await assert.rejects(profile);
    await eventually('nothing waits', () => clock.pending === 0);
    const next = fetch(`${url}/profile?seconds=1`);
    await eventually('the next one is made', () => clock.pending > 0);
    await clock.advance(1000);
    await namesIn(await next);
  });

  test('tells who holds memory, and what was called', async () => {
    const { url } = await served(true);
    function holdForTheProfile(): string[] {
      return Array.from({ length: 200_000 }, (_, i) => `${i} ${i}`);
    }
    const held = holdForTheProfile();
    const names = await namesIn(await fetch(`${url}/heap`));
    assert.ok(names.includes('inuse_space') && names.includes('holdForTheProfile'), names.join(' '));
    assert.equal(held.length, 200_000);
    assert.equal(await (await fetch(`${url}/cmdline`)).text(), process.argv.join('\0'));
  });

  test('says what there is, and why not the rest', async () => {
    const { url } = await served(true);
    const index = await (await fetch(`${url}/`)).text();
    for (const name of ['profile', 'heap', 'cmdline']) assert.ok(index.includes(`<a href="/debug/pprof/${name}">`), index);
    for (const name of ['allocs', 'block', 'goroutine', 'mutex', 'symbol', 'threadcreate', 'trace']) {
      const answer = await fetch(`${url}/${name}`);
      assert.equal(answer.status, 404);
      assert.match(await answer.text(), new RegExp(`^no ${name} here: .`));
      assert.ok(index.includes(`\n${name}: `), index);
    }
  });

  test('is there only under enableProfiling, which may change', async () => {
    const { url, serve } = await served(false);
    const status = async () => (await fetch(`${url}/cmdline`)).status;
    const seen = [await status()];
    for (const isOn of [true, false, true]) {
      await serve(isOn);
      seen.push(await status());
    }
    assert.deepEqual(seen, [404, 200, 404, 200]);
  });
});
