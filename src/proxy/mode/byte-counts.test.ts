import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { IPPROTO } from '../../linux/netlink/tracked-flow.ts';
import { ByteCounts } from './byte-counts.ts';
import { FlowAccounting, type Settings } from './flow-accounting.ts';
import type { Connections } from './least-connection.ts';

interface Carried {
  readonly id: number;
  readonly orig: number;
  readonly reply: number;
  readonly to?: string;
}

const pair = (to: string): string => `${to} . tcp . 80 . 10.244.1.2 . 8080`;

describe('ByteCounts', () => {
  let clock: FakeClock;
  let flows: Carried[];
  let readings: number;
  let tookMs: number;
  let fails: boolean;
  let bytes: ByteCounts;
  const asked: number[] = [];

  const connections: Connections = {
    flowsOf: async () => [],
    async eachTranslated(family, take) {
      readings++;
      asked.push(family);
      if (tookMs > 0) await clock.sleep(tookMs);
      for (const { id, orig, reply, to = '10.96.0.1' } of flows)
        take({ id, orig, reply }, () => ({
          protocol: IPPROTO.tcp,
          orig: { src: '192.168.120.1', dst: to, srcPort: 40_000, dstPort: 80 },
          reply: { src: '10.244.1.2', dst: '192.168.120.1', srcPort: 8080, dstPort: 40_000 },
          id,
          isClosing: false,
        }));
      if (fails) throw new Error('away');
    },
  };

  beforeEach(async () => {
    clock = new FakeClock();
    [flows, readings, tookMs, fails] = [[], 0, 0, false];
    bytes = new ByteCounts('ip', connections, new FlowAccounting({ read: () => '1', set: () => {} }), clock);
  });

  const told = async (): Promise<Record<string, readonly number[]>> =>
    Object.fromEntries([...(await bytes.pairs())].map(([name, { received, sent }]) => [name, [received, sent]] as const));

  test('reads nothing until it starts', async () => {
    assert.deepEqual(await told(), {});
    assert.equal(readings, 0);
  });

  test('adds what flows carry from its start on, by frontend and endpoint', async () => {
    flows = [{ id: 1, orig: 1000, reply: 2000 }];
    bytes.start();
    assert.deepEqual(await told(), {});
    flows = [
      { id: 1, orig: 1010, reply: 2020 },
      { id: 2, orig: 5, reply: 6 },
      { id: 3, orig: 7, reply: 0, to: '10.96.0.2' },
    ];
    await clock.advance(8000);
    assert.deepEqual(await told(), { [pair('10.96.0.1')]: [15, 26], [pair('10.96.0.2')]: [7, 0] });
    flows = [];
    await clock.advance(8000);
    assert.deepEqual(await told(), { [pair('10.96.0.1')]: [15, 26], [pair('10.96.0.2')]: [7, 0] });
    bytes.forget([pair('10.96.0.2')]);
    assert.deepEqual(Object.keys(await told()), [pair('10.96.0.1')]);
    assert.ok(asked.every((family) => family === 4));
  });

  test('reads every eight seconds, and anew for who asks unless it has just read', async () => {
    bytes.start();
    bytes.start();
    await told();
    assert.equal(readings, 1);
    await clock.advance(900);
    await told();
    assert.equal(readings, 1);
    await clock.advance(100);
    await told();
    assert.equal(readings, 2);
    await clock.advance(7999);
    assert.equal(readings, 2);
    await clock.advance(1);
    assert.equal(readings, 3);
  });

  test('pauses a hundred times as long as it took, for who asks too, but at most until ended connections are forgotten', async () => {
    tookMs = 200;
    bytes.start();
    await clock.advance(200);
    await clock.advance(19_999);
    await told();
    assert.equal(readings, 1);
    tookMs = 60_000;
    await clock.advance(1);
    assert.equal(readings, 2);
    await clock.advance(60_000);
    await clock.advance(109_999);
    assert.equal(readings, 2);
    await clock.advance(1);
    assert.equal(readings, 3);
  });

  test('says after its first reading, and not before, that the kernel has no account, whether or not it could be read', async () => {
    for (const isBroken of [false, true]) {
      const said: string[] = [];
      const log = { warn: (message: string) => void said.push(message) } as never;
      fails = isBroken;
      tookMs = 1;
      bytes = new ByteCounts('ip', connections, new FlowAccounting({ read: () => undefined, set: () => assert.fail() }, log), clock);
      bytes.start();
      assert.deepEqual(said, []);
      await clock.advance(1);
      await clock.advance(16_000);
      assert.equal(said.length, 1);
      assert.match(said[0] ?? '', /^Cannot count bytes of Services, only connections: the kernel keeps no account/);
      bytes.close();
    }
  });

  test('loses nothing when the kernel does not answer once', async () => {
    flows = [{ id: 1, orig: 10, reply: 20 }];
    bytes.start();
    await told();
    fails = true;
    flows = [{ id: 1, orig: 11, reply: 22 }];
    await clock.advance(8000);
    fails = false;
    flows = [{ id: 1, orig: 14, reply: 28 }];
    await clock.advance(16_000);
    assert.deepEqual(await told(), { [pair('10.96.0.1')]: [4, 8] });
  });

  test('reads no more once it is closed', async () => {
    bytes.start();
    await told();
    bytes.close();
    await clock.advance(100_000);
    await told();
    assert.deepEqual([readings, clock.pending], [1, 0]);
  });

  test('counts no more than so many pairs', async () => {
    bytes.start();
    await told();
    flows = Array.from({ length: 65_540 }, (_, i) => ({ id: i, orig: 1, reply: 1, to: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` }));
    await clock.advance(8000);
    assert.equal((await bytes.pairs()).size, 65_536);
  });
});

describe('FlowAccounting', () => {
  function begun(settings: Settings): { readonly accounting: FlowAccounting; readonly said: string[] } {
    const said: string[] = [];
    const say = (level: string) => (message: string) => void said.push(`${level}: ${message}`);
    const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error'), with: () => log } as never;
    const accounting = new FlowAccounting(settings, log);
    accounting.begin();
    return { accounting, said };
  }

  test('has the kernel keep account, and says so', () => {
    const set: string[] = [];
    const { accounting, said } = begun({ read: () => '0', set: (...of) => void set.push(of.join(' ')) });
    accounting.begin();
    assert.deepEqual(set, ['net/netfilter/nf_conntrack_acct 1']);
    assert.deepEqual(said, ['info: Set a kernel setting, to count bytes of Services']);
  });

  test('leaves alone what is so already', () => {
    const { said } = begun({ read: () => '1', set: () => assert.fail() });
    assert.deepEqual(said, []);
  });

  test('tries again while the kernel has no such setting', () => {
    let value: string | undefined;
    const set: string[] = [];
    const { accounting } = begun({ read: () => value, set: (...of) => void set.push(of.join(' ')) });
    assert.deepEqual(set, []);
    value = '0';
    accounting.begin();
    assert.equal(set.length, 1);
  });

  test('says once that it may not', () => {
    const { accounting, said } = begun({
      read: () => '0',
      set: () => {
        throw new Error('read-only');
      },
    });
    accounting.begin();
    assert.deepEqual(said, ['warn: Cannot count bytes of Services, only connections: read-only']);
  });

  test('says once that the kernel cannot, when conntrack was asked for something and there is still no such setting', () => {
    const { accounting, said } = begun({ read: () => undefined, set: () => assert.fail() });
    assert.deepEqual(said, []);
    for (let n = 0; n < 2; n++) accounting.begin({ wasAsked: true });
    assert.deepEqual(said, ['warn: Cannot count bytes of Services, only connections: the kernel keeps no account of tracked connections']);
  });
});
