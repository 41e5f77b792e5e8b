import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '../../clock/testing/eventually.ts';
import { loadLibc, openLibc } from '../libc.ts';
import { inNetns } from '../netns.ts';
import { cannotMakeNamespaces, Namespaces } from '../testing/namespaces.ts';
import { addAddress } from './address.ts';
import { changeLink } from './link.ts';
import { encodeMessage, NLM_F_REQUEST } from './message.ts';
import { isErrno, NetlinkError } from './netlink-error.ts';
import { NETLINK_ROUTE } from './netlink-socket.ts';
import { addRoute } from './route.ts';
import { RTNLGRP, Rtnetlink } from './rtnetlink.ts';

const send = openLibc().lib.func('intptr_t send(int, const uint8_t *, uintptr_t, int)');
const AF_NETLINK = 16;
const SOCK_RAW = 3;
/** Of a socket whose notices nobody has read: room for a few dozen of them. */
const tight = { room: 16 * 1024 };

/** Two thousand addresses for `lo` by a plain send(2): nobody reads a notice while it lasts. */
function flood(netns: string, index: number, round = 1): void {
  const fd = inNetns(netns, () => loadLibc().socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  const requests = Array.from({ length: 2000 }, (_, i) =>
    encodeMessage(addAddress({ index, ip: `10.${round}.${i >> 8}.${i & 255}`, prefix: 32 }), i, NLM_F_REQUEST),
  );
  const bytes = Buffer.concat(requests);
  assert.equal(Number(send(fd, bytes, bytes.length, 0)), bytes.length);
  closeSync(fd);
}

describe('NetlinkSocket', { skip: cannotMakeNamespaces }, () => {
  test('tells a listener that has nothing else to do of notices that were lost, and goes on listening', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using socket = Rtnetlink.openIn(net.path('n'), tight);
    const lo = (await socket.link('lo'))?.index ?? 0;
    let lost = 0;
    let told = 0;
    socket.subscribe([RTNLGRP.address4], (notice) => void (notice === 'lost' ? lost++ : told++));
    for (const round of [1, 2, 3]) {
      flood(net.path('n'), lo, round);
      await eventually(`loss ${round} is told`, () => lost === round);
    }
    assert.ok(told < 6000, `${told} of 6000 notices cannot have been lost`);
    const before = told;
    await socket.must([addAddress({ index: lo, ip: '10.9.9.9', prefix: 32 })], 'add an address');
    await eventually('a later notice is heard', () => told > before);
    assert.equal(lost, 3);
    assert.equal((await socket.addresses()).length, 6003);
  });

  test('is not told of what a socket changes that it ignores, and of all others', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using listener = Rtnetlink.openIn(net.path('n'));
    using ignored = Rtnetlink.openIn(net.path('n'));
    using other = Rtnetlink.openIn(net.path('n'));
    const index = (await other.link('lo'))?.index ?? 0;
    const told: unknown[] = [];
    listener.subscribe([RTNLGRP.address4], (notice) => void told.push(notice));
    listener.ignore(ignored.port);
    await ignored.must([addAddress({ index, ip: '10.9.9.1', prefix: 32 })], 'add an address');
    await other.must([addAddress({ index, ip: '10.9.9.9', prefix: 32 })], 'add an address');
    await eventually('the other is heard', () => told.length > 0);
    assert.equal(told.length, 1);
  });

  test('is closed at the answer to a request while another waits to be sent', async () => {
    await using net = new Namespaces();
    await net.add('n');
    // In the turn of a timer the first of two is sent at once, and the second when the socket is looked at: the answer to the first is there by then.
    await new Promise((resolve) => setTimeout(resolve, 1));
    const socket = Rtnetlink.openIn(net.path('n'));
    const first = socket.link('lo').finally(() => socket.close());
    const second = assert.rejects(socket.link('lo'), (err) => isErrno(err, 'ESHUTDOWN'));
    assert.equal((await first)?.name, 'lo');
    await second;
    // What is left of it is closed in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(socket.link('lo'), (err) => isErrno(err, 'ESHUTDOWN'));
  });

  test('leaves to the process what a listener throws, and tells the next notice all the same', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using listener = Rtnetlink.openIn(net.path('n'));
    using other = Rtnetlink.openIn(net.path('n'));
    const index = (await other.link('lo'))?.index ?? 0;
    let told = 0;
    listener.subscribe([RTNLGRP.address4], () => {
      told++;
      throw new Error(`at notice ${told}`);
    });
    const others = process.rawListeners('uncaughtException') as ((err: Error) => void)[];
    process.removeAllListeners('uncaughtException');
    const thrown: string[] = [];
    process.on('uncaughtException', ({ message }) => thrown.push(message));
    try {
      await other.must(
        ['10.9.9.1', '10.9.9.2'].map((ip) => addAddress({ index, ip, prefix: 32 })),
        'add addresses',
      );
      await eventually('both are told', () => thrown.length === 2);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const one of others) process.on('uncaughtException', one);
    }
    assert.deepEqual(thrown, ['at notice 1', 'at notice 2']);
  });

  test('fails a request whose answer the kernel had no room for, and goes on with the next', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using socket = Rtnetlink.openIn(net.path('n'), tight);
    const lo = (await socket.link('lo'))?.index ?? 0;
    socket.subscribe([RTNLGRP.address4], () => {});
    flood(net.path('n'), lo);
    await assert.rejects(socket.link('lo'), (err) => isErrno(err, 'ENOBUFS'));
    assert.equal((await socket.link('lo'))?.name, 'lo');
  });

  test('hears two thousand notices at once in the room that it has by itself', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using socket = Rtnetlink.openIn(net.path('n'));
    const lo = (await socket.link('lo'))?.index ?? 0;
    const notices: unknown[] = [];
    socket.subscribe([RTNLGRP.address4], (notice) => notices.push(notice));
    flood(net.path('n'), lo);
    await eventually('all are heard', () => notices.length === 2000);
    assert.ok(!notices.includes('lost'));
  });

  const places = {
    'on the event loop': false,
    'beside the event loop': true,
    'beside the event loop but for what is short': 'if-long',
  } as const;
  for (const [place, aside] of Object.entries(places)) {
    describe(place, () => {
      test('answers each request of a batch, in order, with what the kernel says in words', async () => {
        await using net = new Namespaces();
        await net.add('n');
        using socket = Rtnetlink.openIn(net.path('n'), { aside });
        const lo = (await socket.link('lo'))?.index ?? 0;
        const good = Array.from({ length: 150 }, (_, i) => addAddress({ index: lo, ip: `10.1.0.${i}`, prefix: 32 }));
        const bad = addRoute({ dst: '10.2.0.0/24', index: lo, gateway: '192.0.2.1' });
        const errors = await socket.batch([...good.slice(0, 100), bad, ...good.slice(100), ...good.slice(0, 1)], 'change all');
        assert.deepEqual(
          [...errors.keys()].filter((i) => errors[i] !== undefined),
          [100, 151],
        );
        assert.ok(errors[100] instanceof NetlinkError);
        assert.deepEqual(
          [errors[100].errno, (errors[100].cause as Error).message, errors[151]?.errno],
          ['ENETUNREACH', 'Nexthop has invalid gateway', 'EEXIST'],
        );
        assert.equal((await socket.addresses()).filter((a) => a.ip.startsWith('10.1.')).length, 150);
      });

      test('lists two thousand addresses, asked for several times at once', async () => {
        await using net = new Namespaces();
        await net.add('n');
        using socket = Rtnetlink.openIn(net.path('n'), { aside });
        flood(net.path('n'), (await socket.link('lo'))?.index ?? 0);
        const [all, again, routes] = await Promise.all([socket.addresses(), socket.addresses(), socket.routes()]);
        assert.deepEqual([all.length, again.length, routes.length], [2002, 2002, 0]);
      });

      test('fails what is asked of it after it was closed', async () => {
        await using net = new Namespaces();
        await net.add('n');
        const socket = Rtnetlink.openIn(net.path('n'), { aside });
        const underWay = socket.batch([changeLink('lo', { up: true })], 'x');
        socket.close();
        await underWay;
        await assert.rejects(socket.link('lo'), (err) => isErrno(err, 'ESHUTDOWN'));
      });
    });
  }
});
