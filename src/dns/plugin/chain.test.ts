/** A plugin is a folder and a line in the order table: these add some, and leave the rest of the chain as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import { Registry } from 'prom-client';
import { Client } from '../../client/client.ts';
import { InformerSet } from '../../client/informers.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { type Log, silentLog } from '../../observability/log.ts';
import { RCODE } from '../message/names.ts';
import { addressRecord } from '../message/records.ts';
import { emptyReply, type Reply } from '../message/reply.ts';
import { Responder } from '../server/responder.ts';
import { type Blocks, clusterBlocks } from './blocks.ts';
import { PluginChain } from './chain.ts';
import { order } from './order.ts';
import type { Client as DnsClient, Env, Handler, Plugin } from './plugin.ts';
import { type HostsBlock, hosts } from './testing/hosts.ts';

const client: DnsClient = { family: 4, address: '10.244.1.7', port: 40_000 };

function reply(ip: string): Reply {
  return { ...emptyReply(RCODE.NOERROR), answers: [addressRecord(undefined, 5, ip)] };
}

function plugin(name: string, handle: Handler['handle']): Plugin {
  return { name, setup: () => ({ handle }) };
}

interface Asked {
  readonly rcode: number;
  readonly addresses: readonly string[];
}

/** A server of these plugins; names of others go to `elsewhere`, the last one of `order`. */
function serverOf(
  plugins: readonly Plugin[],
  blocks: Blocks,
  log: Log = silentLog,
): (name: string, transport?: 'udp' | 'tcp') => Promise<Asked> {
  const informers = new InformerSet(new Client({ server: 'http://127.0.0.1:1' }));
  const env: Omit<Env, 'lookup'> = {
    clock: new FakeClock(),
    log,
    metrics: new Registry(),
    server: 'dns://:53',
    informers,
    serverIps: [],
    signal: new AbortController().signal,
  };
  const answering = new PluginChain(blocks, env, plugins);
  const responder = new Responder({ answer: (request) => answering.answer(request), log });
  return async (name, transport = 'udp') => {
    const message = packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] });
    const bytes = await responder.respond(message, transport, client);
    assert.ok(bytes);
    const addresses = (packet.decode(bytes).answers ?? []).map((a) => (a.type === 'A' ? a.data : a.type));
    return { rcode: (bytes[3] ?? 0) & 15, addresses };
  };
}

const clusterOnly = clusterBlocks({ zone: 'cluster.local', ranges: [], upstreams: () => [] });

test("order holds CoreDNS's names in the order of its plugin.cfg", () => {
  assert.deepEqual(
    order.map((p) => p.name),
    ['cache', 'kubernetes', 'forward'],
  );
});

test('a plugin in the order table answers before kubernetes, and passes on what it does not know', async () => {
  const block: HostsBlock = { entries: { 'web.default.svc.cluster.local': '192.0.2.1' } };
  const ask = serverOf([hosts, ...order], { ...clusterOnly, hosts: block });
  assert.deepEqual(await ask('web.default.svc.cluster.local'), { rcode: RCODE.NOERROR, addresses: ['192.0.2.1'] });
  // Kubernetes has not heard of its objects yet.
  assert.deepEqual(await ask('db.default.svc.cluster.local'), { rcode: RCODE.SERVFAIL, addresses: [] });
});

test('the order of the table counts, not that of the blocks; a plugin without a block is not asked', async () => {
  const first = plugin('first', () => reply('192.0.2.1'));
  const second = plugin('second', () => reply('192.0.2.2'));
  assert.deepEqual((await serverOf([first, second], { second: {}, first: {} })('x')).addresses, ['192.0.2.1']);
  assert.deepEqual((await serverOf([first, second], { second: {} })('x')).addresses, ['192.0.2.2']);
  assert.deepEqual(await serverOf([first, second], {})('x'), { rcode: RCODE.REFUSED, addresses: [] });
});

test('a plugin changes what the next one answered, now or later', async () => {
  const twice = plugin('twice', async (request, next) => {
    const found = await next(request);
    return 'raw' in found ? found : { ...found, answers: [...found.answers, addressRecord(undefined, 5, '192.0.2.9')] };
  });
  for (const last of [plugin('last', () => reply('192.0.2.1')), plugin('last', async () => reply('192.0.2.1'))])
    assert.deepEqual((await serverOf([twice, last], { twice: {}, last: {} })('x')).addresses, ['192.0.2.1', '192.0.2.9']);
});

test('a plugin changes what the next one is asked', async () => {
  const rename = plugin('rename', (request, next) => next({ ...request, query: { ...request.query, name: 'b' } }));
  const last = plugin('last', ({ query }) => reply(query.name === 'b' ? '192.0.2.2' : '192.0.2.1'));
  assert.deepEqual((await serverOf([rename, last], { rename: {}, last: {} })('a')).addresses, ['192.0.2.2']);
});

for (const [how, handle] of [
  ['throws', () => assert.fail('a fault of mine')],
  ['rejects', async () => assert.fail('a fault of mine')],
] satisfies [string, Handler['handle']][]) {
  test(`a plugin that ${how} makes SERVFAIL of that one question, and is logged; others go on`, async () => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, error: (text) => lines.push(text) };
    const faulty = plugin('faulty', (request, next) => (request.query.name === 'bad' ? handle() : next(request)));
    const ask = serverOf([faulty, plugin('last', () => reply('192.0.2.1'))], { faulty: {}, last: {} }, log);
    assert.deepEqual(await ask('bad'), { rcode: RCODE.SERVFAIL, addresses: [] });
    assert.deepEqual(lines, ['Cannot answer "bad": a fault of mine']);
    assert.deepEqual(await ask('good'), { rcode: RCODE.NOERROR, addresses: ['192.0.2.1'] });
  });
}

test('a plugin sees who asks, and how', async () => {
  const seen: string[] = [];
  const spy = plugin('spy', ({ client: who, transport }) => {
    seen.push(`${who.address} ${who.port} ${who.family} ${transport}`);
    return reply('192.0.2.1');
  });
  const ask = serverOf([spy], { spy: {} });
  await ask('x');
  await ask('x', 'tcp');
  assert.deepEqual(seen, ['10.244.1.7 40000 4 udp', '10.244.1.7 40000 4 tcp']);
});

test('lookup asks the whole chain from its start', async () => {
  const names: string[] = [];
  const spy = plugin('spy', (request, next) => {
    names.push(request.query.name);
    return next(request);
  });
  const alias: Plugin = {
    name: 'alias',
    setup: (_block, { lookup }) => ({
      handle: (request) =>
        request.query.name === 'b' ? reply('192.0.2.2') : lookup({ ...request, query: { ...request.query, name: 'b' } }),
    }),
  };
  assert.deepEqual((await serverOf([spy, alias], { spy: {}, alias: {} })('a')).addresses, ['192.0.2.2']);
  assert.deepEqual(names, ['a', 'b']);
});

test('a block of no plugin is refused, with the names that there are', () => {
  assert.throws(() => serverOf(order, { ...clusterOnly, rewrite: {} }), {
    code: 'BAD_CONFIG',
    message: 'Cannot use DNS plugin "rewrite": there is none of that name',
    hint: 'There are: cache, kubernetes, forward',
  });
});

test('who is not ready is named, and synced waits for all', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let isReady = false;
  const late: Plugin = {
    name: 'late',
    setup: () => ({ handle: (r, next) => next(r), synced: promise, notReady: () => (isReady ? undefined : 'late: not yet') }),
  };
  const env = {
    clock: new FakeClock(),
    log: silentLog,
    metrics: new Registry(),
    server: '',
    informers: new InformerSet(new Client({ server: 'http://127.0.0.1:1' })),
    serverIps: [],
    signal: new AbortController().signal,
  };
  const answering = new PluginChain({ late: {}, hosts: { entries: {} } }, env, [late, hosts]);
  assert.deepEqual(answering.notReady(), ['late: not yet']);
  let isSynced = false;
  void answering.synced.then(() => {
    isSynced = true;
  });
  await Promise.resolve();
  assert.equal(isSynced, false);
  isReady = true;
  resolve();
  await answering.synced;
  assert.deepEqual(answering.notReady(), []);
});
