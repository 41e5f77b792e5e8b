/** Names elsewhere, through resolvers that are slow, dead, hostile, or lead back. */
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Clock, systemClock } from '../../src/clock/clock.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { FakeClock } from '../../src/clock/testing/fake-clock.ts';
import { emptyReply } from '../../src/dns/message/reply.ts';
import { Cache } from '../../src/dns/plugin/cache/cache.ts';
import { chain } from '../../src/dns/plugin/chain.ts';
import { Forward } from '../../src/dns/plugin/forward/forward.ts';
import type { Upstream } from '../../src/dns/plugin/forward/resolver.ts';
import type { Answer } from '../../src/dns/plugin/plugin.ts';
import { startDnsServer } from '../../src/dns/server/server.ts';
import { hostResolvers } from '../../src/linux/host-resolvers.ts';
import { dig, keepingLog, resolverAnswer, startBrokenResolver, startResolver } from './cluster.ts';

/** With a clock that stands still, what waits for a time waits for ever. */
async function forwarder(
  t: TestContext,
  upstreams: () => readonly Upstream[],
  log: string[] = [],
  clock: Clock = systemClock,
): Promise<{ port: number; asked: () => number }> {
  const end = new AbortController();
  const forward = new Forward({ to: upstreams, clock, log: keepingLog(log), signal: end.signal });
  let asked = 0;
  const answer = chain([new Cache({ clock }), forward], () => emptyReply(5));
  const server = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    log: keepingLog(log),
    answer(request) {
      asked++;
      return answer(request);
    },
  });
  t.after(async () => {
    end.abort();
    await server.close();
  });
  return { port: server.port, asked: () => asked };
}

const at = (port: number): Upstream => ({ address: '127.0.0.1', port });
const example = ['example.com. A 192.0.2.80'];

test('a resolver where nobody listens is passed over at once', async (t) => {
  const good = await startResolver();
  t.after(() => good.close());
  const dead = await startBrokenResolver((m) => m);
  dead.close();
  const { port } = await forwarder(t, () => [at(dead.port), at(good.port)], [], new FakeClock());
  for (const name of ['example.com', 'a.example.com', 'b.example.com']) assert.equal((await dig(port, name)).status, 'NOERROR');
});

const broken: readonly (readonly [string, (message: Buffer) => Buffer])[] = [
  ['refuses', (m) => answerWith(m, 5)],
  ['fails', (m) => answerWith(m, 2)],
  ['refuses without the question', (m) => Buffer.concat([m.subarray(0, 2), Buffer.from([0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0])])],
  ['promises records that are not there', (m) => Buffer.from(answerWith(m, 0).fill(9, 7, 8))],
];

function answerWith(message: Buffer, rcode: number): Buffer {
  const out = Buffer.from(message);
  out[2] = 0x81;
  out[3] = 0x80 | rcode;
  return out;
}

for (const [what, bytesFor] of broken) {
  test(`a resolver that ${what} is passed over; alone it makes an error, soon`, async (t) => {
    const bad = await startBrokenResolver(bytesFor);
    const good = await startResolver();
    t.after(async () => {
      bad.close();
      await good.close();
    });
    const both = await forwarder(t, () => [at(bad.port), at(good.port)]);
    assert.deepEqual((await dig(both.port, 'example.com')).answers, example);
    const alone = await forwarder(t, () => [at(bad.port)], [], new FakeClock());
    assert.match((await dig(alone.port, 'example.com')).status, /SERVFAIL|REFUSED/);
  });
}

test('answers under a wrong id or for another question are not believed', async (t) => {
  const liar = await startBrokenResolver((m) => {
    const out = answerWith(m, 3);
    out[m.length % 2 === 0 ? 0 : 14] = (out[0] ?? 0) ^ 0x55;
    return out;
  });
  const good = await startResolver();
  t.after(async () => {
    liar.close();
    await good.close();
  });
  const { port } = await forwarder(t, () => [at(liar.port), at(good.port)]);
  assert.deepEqual((await dig(port, 'example.com')).answers, example);
});

test('a resolver that is this very server is told apart, said, and no longer asked', async (t) => {
  const log: string[] = [];
  const upstreams: Upstream[] = [];
  const { port, asked } = await forwarder(t, () => upstreams, log);
  upstreams.push(at(port));
  await dig(port, 'example.com');
  await eventually('it is said', () => log.length > 0);
  assert.match(log[0] ?? '', /^Cannot forward to resolver "127\.0\.0\.1#\d+": it sends questions back to this server$/);
  const before = asked();
  for (let i = 0; i < 5; i++) assert.equal((await dig(port, `n${i}.example.com`)).status, 'SERVFAIL');
  assert.equal(asked() - before, 5, 'one question each: nothing came back');
  assert.equal(log.length, 1);
});

test('two servers that forward to each other do not melt', async (t) => {
  const log: string[] = [];
  const upstreams: Upstream[] = [];
  const a = await forwarder(t, () => upstreams, log);
  const b = await forwarder(t, () => [at(a.port)]);
  upstreams.push(at(b.port));
  await Promise.all(Array.from({ length: 5 }, (_, i) => dig(a.port, `n${i}.example.com`)));
  await eventually('it is said', () => log.some((line) => line.includes('sends questions back')));
  assert.ok(a.asked() + b.asked() < 100, `${a.asked()} and ${b.asked()} questions`);
});

test('new resolvers in resolv.conf are taken without a restart, and an empty file is said', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'fairlead-dns-'));
  t.after(() => rm(dir, { recursive: true }));
  const file = join(dir, 'resolv.conf');
  const write = async (text: string): Promise<void> => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  const good = await startResolver();
  t.after(() => good.close());
  await write('# nothing\n');
  const log: string[] = [];
  const servers = hostResolvers(file);
  // The file cannot name a port.
  const { port } = await forwarder(t, () => servers().map((address) => ({ address, port: good.port })), log);
  assert.equal((await dig(port, 'example.com')).status, 'SERVFAIL');
  assert.match(log[0] ?? '', /no resolver is configured/);
  await write('nameserver 127.0.0.1\n');
  assert.deepEqual((await dig(port, 'example.com')).answers, example);
});

test('stopping while questions are out answers them and throws nothing', async (t) => {
  let questions = 0;
  const silent = await startBrokenResolver((m) => {
    // The loop probe goes out too.
    if (m.includes('example')) questions++;
    return m.subarray(0, 1);
  });
  t.after(() => silent.close());
  const end = new AbortController();
  const forward = new Forward({ to: () => [at(silent.port)], clock: systemClock, log: keepingLog([]), signal: end.signal });
  const server = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    log: keepingLog([]),
    answer: chain([forward], () => emptyReply(5)),
  });
  t.after(() => server.close());
  const asked = Array.from({ length: 3 }, (_, i) => dig(server.port, `n${i}.example.com`));
  await eventually('they are out', () => questions >= 3);
  end.abort();
  for (const got of await Promise.all(asked)) assert.equal(got.status, 'SERVFAIL');
});

test('a resolver that comes back is used again', async (t) => {
  let isWell = false;
  const moody = await startResolver((query) => (isWell ? resolverAnswer(query) : emptyReply(2)));
  t.after(() => moody.close());
  const { port } = await forwarder(t, () => [at(moody.port)]);
  assert.equal((await dig(port, 'a.example.com')).status, 'SERVFAIL');
  isWell = true;
  assert.deepEqual((await dig(port, 'example.com')).answers, example);
});

test('one of two resolvers is dead: no name is slow once that is known, and it is asked no more until a check is answered', async (t) => {
  let isDead = true;
  let asked = 0;
  let checks = 0;
  // A datagram of one byte is no answer.
  const dead = await startBrokenResolver((m) => {
    if (m.includes('example')) asked++;
    // The root's name servers: a root label, NS, IN.
    if (m.subarray(12, 17).equals(Buffer.from([0, 0, 2, 0, 1]))) checks++;
    return isDead ? m.subarray(0, 1) : answerWith(m, 0);
  });
  const good = await startResolver();
  t.after(async () => {
    dead.close();
    await good.close();
  });
  const end = new AbortController();
  t.after(() => end.abort());
  const options = { policy: 'round_robin' as const, clock: systemClock, log: keepingLog([]), signal: end.signal };
  const forward = new Forward({ to: () => [at(dead.port), at(good.port)], ...options });
  const server = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    log: keepingLog([]),
    answer: chain([forward], () => emptyReply(5)),
  });
  t.after(() => server.close());
  // The dead one has the first turn.
  for (let i = 0; i < 20; i++) assert.equal((await dig(server.port, `n${i}.example.com`)).status, 'NOERROR');
  assert.ok(asked < 8, `${asked} of 20 questions waited for the dead one`);
  await eventually('it counts as down', () => [...forward.statistics.failedChecks.values()].some((n) => n > 2));
  assert.deepEqual([...forward.statistics.failedChecks.keys()], [`127.0.0.1:${dead.port}`]);
  const before = asked;
  for (let i = 0; i < 20; i++) await dig(server.port, `m${i}.example.com`);
  assert.equal(asked, before, 'nothing is asked of it');
  isDead = false;
  const seen = checks;
  await eventually('it was checked', () => checks > seen);
  await eventually('it is asked again', async () => {
    await dig(server.port, 'again.example.com');
    return asked > before;
  });
});

test('a resolver that cannot even be sent to is passed over', async (t) => {
  const good = await startResolver();
  t.after(() => good.close());
  // Connecting to the broadcast address is refused by the kernel.
  const { port } = await forwarder(t, () => [{ address: '255.255.255.255', port: 53 }, at(good.port)]);
  for (let i = 0; i < 4; i++) assert.deepEqual((await dig(port, 'example.com')).answers, example);
  const alone = await forwarder(t, () => [{ address: '255.255.255.255', port: 53 }]);
  assert.equal((await dig(alone.port, 'example.com')).status, 'SERVFAIL');
});

test('an answer that comes late clears its resolver, though it answers no check', async (t) => {
  const held: ((answer: Answer) => void)[] = [];
  const late = await startResolver((request) => {
    const { name } = request.query;
    if (name === '') return new Promise(() => {});
    if (name !== 'late.example.com') return resolverAnswer(request);
    return new Promise((resolve) => held.push(resolve));
  });
  let asked = 0;
  const good = await startResolver((request) => {
    asked++;
    return resolverAnswer(request);
  });
  const end = new AbortController();
  const options = { policy: 'sequential' as const, clock: systemClock, log: keepingLog([]), signal: end.signal };
  const forward = new Forward({ to: () => [late, good], ...options });
  const server = await startDnsServer({
    address: '127.0.0.1',
    port: 0,
    log: keepingLog([]),
    answer: chain([forward], () => emptyReply(5)),
  });
  t.after(async () => {
    end.abort();
    await Promise.all([server.close(), late.close(), good.close()]);
  });
  assert.equal((await dig(server.port, 'late.example.com')).status, 'NOERROR');
  for (const resolve of held) resolve(emptyReply(3));
  await eventually('the first one is asked alone again', async () => {
    const before = asked;
    await dig(server.port, 'example.com');
    return asked === before;
  });
});
