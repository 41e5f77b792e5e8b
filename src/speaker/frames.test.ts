import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { arpReply, gratuitousArp, readArpRequest } from './arp.ts';
import { advertisement, readSolicitation, solicitedNodeGroup, unsolicitedAdvertisement } from './ndp.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const mac = hex('02 00 00 00 00 01');

describe('ARP', () => {
  // As busybox arping sends it.
  const request = hex('ffffffffffff 8a1b04c9d7ae 0806 0001 0800 06 04 0001 8a1b04c9d7ae 0a090901 ffffffffffff 0a090902');

  test('a request tells who asks, and for what', () => {
    assert.deepEqual(readArpRequest(request), {
      senderMac: Uint8Array.from(hex('8a1b04c9d7ae')),
      senderIp: '10.9.9.1',
      targetIp: '10.9.9.2',
    });
  });

  for (const [name, at, value] of [
    ['a reply', 21, 2],
    ['another protocol than ARP', 13, 0],
    ['another medium than Ethernet', 15, 6],
    ['another protocol than IPv4', 16, 0x86],
    ['addresses of another length', 19, 16],
  ] as const)
    test(`${name} is no request`, () => {
      const other = Buffer.from(request);
      other[at] = value;
      assert.equal(readArpRequest(other), undefined);
    });

  test('nor is one that was cut off', () => assert.equal(readArpRequest(request.subarray(0, 41)), undefined));

  test('the answer goes to who asked', () => {
    const asked = readArpRequest(request);
    assert.ok(asked);
    const expected = '8a1b04c9d7ae 020000000001 0806 0001 0800 06 04 0002 020000000001 0a090902 8a1b04c9d7ae 0a090901';
    assert.deepEqual(arpReply(mac, asked), hex(expected));
  });

  test('who tells unasked tells everybody, by request and by reply', () => {
    const both = ['0001', '0002'].map((operation) =>
      hex(`ffffffffffff 020000000001 0806 0001 0800 06 04 ${operation} 020000000001 0a090902 ffffffffffff 0a090902`),
    );
    assert.deepEqual(gratuitousArp(mac, '10.9.9.2'), both);
  });
});

describe('neighbour discovery', () => {
  const ipv6 = (length: string, from: string, to: string): string => `86dd 60000000 ${length} 3a ff ${from} ${to}`;
  const asker = 'fd000000000000000000000000000001';
  const target = 'fd000000000000000000000000000010';
  // Seen on a veth: the kernel's solicitation for fd00::10 by fd00::1.
  const solicitation = hex(
    `3333ff000010 8a1b04c9d7ae ${ipv6('0020', asker, 'ff0200000000000000000001ff000010')} 8700 18e9 00000000 ${target} 0101 8a1b04c9d7ae`,
  );

  test('a solicitation tells who asks, and for what', () => {
    assert.deepEqual(readSolicitation(solicitation), {
      sourceMac: Uint8Array.from(hex('8a1b04c9d7ae')),
      sourceIp: 'fd00::1',
      target: 'fd00::10',
    });
  });

  for (const [name, at, value] of [
    ['from beyond a router', 21, 64],
    ['with a wrong checksum', 57, 1],
    ['of another type', 54, 136],
    ['with a code', 55, 1],
    ['of another protocol', 20, 17],
    ['that is no IPv6', 13, 0],
  ] as const)
    test(`a packet ${name} is none`, () => {
      const other = Buffer.from(solicitation);
      other[at] = value;
      assert.equal(readSolicitation(other), undefined);
    });

  /** With the checksum that it needs. */
  const summed = (text: string): Buffer => {
    const frame = hex(text);
    let sum = frame.readUInt16BE(18) + 58;
    for (let at = 22; at < frame.length; at += 2) sum += frame.readUInt16BE(at);
    frame.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 56);
    return frame;
  };

  for (const [name, length, option] of [
    ['that is cut off', '001c', '0101 0a0a'],
    ['of another length', '0020', '0102 0a0a0a0a0a0a'],
    ['of another kind', '0020', '0e01 0a0a0a0a0a0a'],
    ['that is not there', '0018', ''],
  ] as const)
    test(`who asks with an option ${name} is known by the frame's own address`, () => {
      const group = 'ff0200000000000000000001ff000010';
      const asked = readSolicitation(
        summed(`3333ff000010 8a1b04c9d7ae ${ipv6(length, asker, group)} 8700 0000 00000000 ${target} ${option}`),
      );
      assert.equal(Buffer.from(asked?.sourceMac ?? []).toString('hex'), '8a1b04c9d7ae');
    });

  test('the answer names the MAC, to who asked', () => {
    const asked = readSolicitation(solicitation);
    assert.ok(asked);
    const frame = advertisement(mac, asked);
    const head = `8a1b04c9d7ae 020000000001 ${ipv6('0020', target, asker)} 8800`;
    assert.equal(frame.subarray(0, 56).toString('hex'), hex(head).toString('hex'));
    // Router, solicited, override.
    assert.equal(frame.subarray(58).toString('hex'), hex(`e0000000 ${target} 0201 020000000001`).toString('hex'));
  });

  test('who tells unasked, and who answers one without an address, tells all nodes', () => {
    const frame = unsolicitedAdvertisement(mac, 'fd00::10');
    assert.deepEqual(frame, advertisement(mac, { sourceMac: mac, sourceIp: '::', target: 'fd00::10' }));
    assert.equal(frame.subarray(0, 6).toString('hex'), '333300000001');
    assert.equal(frame.subarray(38, 54).toString('hex'), 'ff020000000000000000000000000001');
    assert.equal(frame[58], 0xa0);
  });

  test('its checksum is right', () => {
    const frame = unsolicitedAdvertisement(mac, 'fd00::10');
    // One's complement over the pseudo-header and all of the message.
    let sum = 32 + 58;
    for (let at = 22; at < frame.length; at += 2) sum += frame.readUInt16BE(at);
    assert.equal(((sum & 0xffff) + (sum >>> 16)) & 0xffff, 0xffff);
  });

  test('an address is asked for in the group of its last three bytes', () => {
    assert.equal(solicitedNodeGroup('fd00::1:2:ab34:5678'), 'ff02::1:ff34:5678');
  });
});
