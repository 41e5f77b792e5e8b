import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { describe, it } from 'node:test';
import koffi from 'koffi';
import { cannotMakeNamespaces, Namespaces } from '../fixture/namespaces.ts';
import { loadLibc } from '../libc.ts';
import { inNetns } from '../netns.ts';
import { addAddress } from './address.ts';
import { encodeMessage, NLM_F_REQUEST } from './message.ts';
import { isErrno } from './netlink-error.ts';
import { NETLINK_ROUTE } from './netlink-socket.ts';
import { RTNLGRP, Rtnetlink } from './rtnetlink.ts';

const send = koffi.load('libc.so.6').func('intptr_t send(int, const uint8_t *, uintptr_t, int)');
const AF_NETLINK = 16;
const SOCK_RAW = 3;

describe('NetlinkSocket', { skip: cannotMakeNamespaces }, () => {
  it('fails a request whose answer the kernel had no room for, and goes on with the next', async () => {
    await using net = new Namespaces();
    await net.add('n');
    using socket = Rtnetlink.openIn(net.path('n'));
    const notices: unknown[] = [];
    socket.subscribe([RTNLGRP.address4], (notice) => notices.push(notice));
    const lo = await socket.link('lo');
    const libc = loadLibc();
    const flood = inNetns(net.path('n'), () => libc.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    const requests = Array.from({ length: 2000 }, (_, i) =>
      encodeMessage(addAddress({ index: lo?.index ?? 0, ip: `10.1.${i >> 8}.${i & 255}`, prefix: 32 }), i, NLM_F_REQUEST),
    );
    // A plain send(2): nobody reads the notices while it lasts.
    const bytes = Buffer.concat(requests);
    assert.equal(Number(send(flood, bytes, bytes.length, 0)), bytes.length);
    closeSync(flood);
    await assert.rejects(socket.link('lo'), (err) => isErrno(err, 'ENOBUFS'));
    assert.ok(notices.includes('lost'));
    assert.equal((await socket.link('lo'))?.name, 'lo');
  });
});
