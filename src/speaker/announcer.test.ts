import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { mustCidr } from '../ip/ip.ts';
import type { FrameKind } from '../linux/packet-socket.ts';
import { type Log, silentLog } from '../observability/log.ts';
import { Announcer, type AnnouncingLink, type Wire } from './announcer.ts';
import { gratuitousArp } from './arp.ts';
import { linkFor, type NodeLink } from './links.ts';

const eth0: AnnouncingLink = { index: 2, name: 'eth0', mac: Buffer.from('020000000001', 'hex') };
const eth1: AnnouncingLink = { index: 3, name: 'eth1', mac: Buffer.from('020000000002', 'hex') };
const asker = Buffer.from('02000000000a', 'hex');

/** A wire that keeps what is sent. */
class FakeWire implements Wire {
  /** `open 2 arp`, `send 2 arp`, `close 2 arp`, `join 2 ff02::1:ff00:1`, in order. */
  readonly done: string[] = [];
  readonly frames: Buffer[] = [];
  readonly #hears = new Map<string, (frame: Buffer) => void>();
  refuses = false;

  open(index: number, kind: FrameKind, onFrame: (frame: Buffer) => void): ReturnType<Wire['open']> {
    if (this.refuses) throw new Error('no such link');
    const name = `${index} ${kind}`;
    this.done.push(`open ${name}`);
    this.#hears.set(name, onFrame);
    return {
      send: (frame) => {
        this.done.push(`send ${name}`);
        this.frames.push(Buffer.from(frame));
        return true;
      },
      [Symbol.dispose]: () => {
        this.done.push(`close ${name}`);
        this.#hears.delete(name);
      },
    };
  }

  join(group: string, index: number): void {
    this.done.push(`join ${index} ${group}`);
  }

  leave(group: string, index: number): void {
    this.done.push(`leave ${index} ${group}`);
  }

  hear(index: number, kind: FrameKind, frame: Buffer): void {
    this.#hears.get(`${index} ${kind}`)?.(frame);
  }

  took(): string[] {
    return this.done.splice(0);
  }
}

function request(target: string, sender = '192.0.2.1'): Buffer {
  const frame = gratuitousArp(asker, target)[0] ?? Buffer.alloc(0);
  frame.set(sender.split('.').map(Number), 28);
  return frame;
}

function open() {
  const [wire, clock, said] = [new FakeWire(), new FakeClock(), [] as string[]];
  const say = (msg: string): void => void said.push(msg);
  const log: Log = { ...silentLog, warn: say, error: say };
  return { wire, clock, said, announcer: new Announcer(wire, { clock, log }) };
}

const on = (link: AnnouncingLink, ...ips: string[]): Map<string, AnnouncingLink> => new Map(ips.map((ip) => [ip, link]));

describe('the announcer', () => {
  test('tells an address five times, a second apart, and then waits to be asked', async () => {
    const { wire, clock, announcer } = open();
    assert.deepEqual(announcer.set(on(eth0, '192.0.2.9')), ['192.0.2.9']);
    assert.deepEqual(wire.took(), ['open 2 arp', 'send 2 arp', 'send 2 arp']);
    assert.deepEqual(wire.frames, gratuitousArp(eth0.mac, '192.0.2.9'));
    for (let i = 0; i < 4; i++) {
      await clock.advance(999);
      assert.deepEqual(wire.took(), []);
      await clock.advance(1);
      assert.deepEqual(wire.took(), ['send 2 arp', 'send 2 arp']);
    }
    await clock.advance(60_000);
    assert.deepEqual(wire.took(), []);
    wire.hear(2, 'arp', request('192.0.2.9'));
    assert.deepEqual(wire.took(), ['send 2 arp']);
  });

  test('answers for what it was told to alone', () => {
    const { wire, announcer } = open();
    announcer.set(on(eth0, '192.0.2.9'));
    wire.took();
    wire.hear(2, 'arp', request('192.0.2.8'));
    assert.deepEqual(wire.took(), []);
  });

  test('goes on without a word about what stays, and ends what goes', async () => {
    const { wire, clock, announcer } = open();
    announcer.set(on(eth0, '192.0.2.8', '192.0.2.9'));
    await clock.advance(10_000);
    wire.took();
    assert.deepEqual(announcer.set(on(eth0, '192.0.2.9')), []);
    assert.deepEqual(wire.took(), []);
    wire.hear(2, 'arp', request('192.0.2.8'));
    assert.deepEqual(wire.took(), []);
    announcer.set(new Map());
    assert.deepEqual(wire.took(), ['close 2 arp']);
  });

  test('says no more of an address that ends while it is still told', async () => {
    const { wire, clock, announcer } = open();
    announcer.set(on(eth0, '192.0.2.9'));
    announcer.set(new Map());
    wire.took();
    await clock.advance(10_000);
    assert.deepEqual(wire.took(), []);
  });

  test('tells again when the link is another one, or has another MAC', () => {
    const { wire, announcer } = open();
    announcer.set(on(eth0, '192.0.2.9'));
    wire.took();
    assert.deepEqual(announcer.set(on(eth1, '192.0.2.9')), ['192.0.2.9']);
    assert.deepEqual(wire.took(), ['open 3 arp', 'send 3 arp', 'send 3 arp', 'close 2 arp']);
    assert.deepEqual(announcer.set(on({ ...eth1, mac: eth0.mac }, '192.0.2.9')), ['192.0.2.9']);
  });

  test('listens to the group of an IPv6 address while it answers for it', () => {
    const { wire, announcer } = open();
    announcer.set(on(eth0, 'fd00::12:3456'));
    assert.deepEqual(wire.took(), ['join 2 ff02::1:ff12:3456', 'open 2 ndp', 'send 2 ndp']);
    announcer.set(new Map());
    assert.deepEqual(wire.took(), ['leave 2 ff02::1:ff12:3456', 'close 2 ndp']);
  });

  test('does not quarrel with another that claims the address, but says a moment later where it is', async () => {
    const { wire, clock, said, announcer } = open();
    announcer.set(on(eth0, '192.0.2.9'));
    await clock.advance(10_000);
    wire.took();
    wire.hear(2, 'arp', request('192.0.2.9', '192.0.2.9'));
    assert.deepEqual(wire.took(), []);
    assert.deepEqual(said, ['"192.0.2.9" is announced here, and 02:00:00:00:00:0a claims it']);
    await clock.advance(100);
    assert.deepEqual(wire.took(), ['send 2 arp', 'send 2 arp']);
  });

  test('names the link on which it cannot, and tries again when it is told again', () => {
    const { wire, said, announcer } = open();
    wire.refuses = true;
    assert.deepEqual(announcer.set(on(eth0, '192.0.2.9')), []);
    assert.deepEqual(said, ['Cannot announce "192.0.2.9" on link "eth0": no such link']);
    wire.refuses = false;
    assert.deepEqual(announcer.set(on(eth0, '192.0.2.9')), ['192.0.2.9']);
  });
});

describe('linkFor()', () => {
  const link = (name: string, index: number, cidr: string, isOpen = true): NodeLink => ({
    ...eth0,
    name,
    index,
    isOpen,
    addresses: [cidr.split('/')[0] ?? ''],
    networks: [mustCidr(cidr)],
  });
  const links = [link('dummy', 1, '203.0.113.9/32'), link('eth0', 2, '192.0.2.11/24'), link('eth1', 3, '198.51.100.11/24')];
  for (const [name, ip, names, expected] of [
    ['is the one whose network has the address', '198.51.100.200', [], 'eth1'],
    ["else that of the node's address", '203.0.113.9', [], 'eth0'],
    ['is none that was not named', '198.51.100.200', ['eth0'], 'eth0'],
    ['is the named one, whatever its network', '203.0.113.9', ['eth1'], 'eth1'],
  ] as const)
    test(name, () => assert.equal(linkFor(ip, links, ['192.0.2.11'], names)?.name, expected));

  test('is none that is down', () => {
    const down = links.map((one) => ({ ...one, isOpen: false }));
    assert.equal(linkFor('198.51.100.200', down, ['192.0.2.11'], []), undefined);
  });
});
