import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpvsOp, type RealServer, realName, serverName, type VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import { FakeIpvs } from '../../../linux/testing/fake-ipvs.ts';
import type { Retired } from './difference.ts';
import { Draining } from './draining.ts';
import { manyReals, portion } from './portions.ts';
import type { Balanced } from './render.ts';

const address: VirtualAddress = { kind: 'address', ip: '10.96.0.1', port: 80, protocol: 'tcp' };
const name = serverName(address);
const server = { address, scheduler: 'rr' };
const realOf = (i: number): RealServer => ({ ip: `10.245.${i >> 8}.${i & 255}`, port: 8080, weight: 0 });
const wanting = (...reals: RealServer[]): Map<string, Balanced> =>
  new Map([[name, { ...server, reals: new Map(reals.map((real) => [realName(real), real])) }]]);
const serving: RealServer = { ip: '10.244.0.2', port: 8080, weight: 1 };

interface Bench {
  readonly ipvs: FakeIpvs;
  readonly draining: Draining;
  readonly retired: readonly Retired[];
  /** Changes since all were retired, those of one call together. */
  readonly sent: (readonly IpvsOp[])[];
}

async function bench(count: number, isChanging?: (name: string) => boolean): Promise<Bench> {
  const ipvs = new FakeIpvs();
  const reals = Array.from({ length: count }, (_, i) => realOf(i));
  await ipvs.apply([{ op: 'add-server', server }, ...[serving, ...reals].map((real): IpvsOp => ({ op: 'add-real', address, real }))]);
  const sent: (readonly IpvsOp[])[] = [];
  const { apply } = ipvs;
  ipvs.apply = (ops) => {
    if (ops.length > 0) sent.push(ops);
    return apply.call(ipvs, ops);
  };
  const draining = new Draining(ipvs, isChanging);
  const retired = reals.map((real): Retired => ({ address, real }));
  draining.add(retired);
  return { ipvs, draining, retired, sent };
}

async function left({ ipvs }: Bench): Promise<string[]> {
  return (await ipvs.realServers(address)).map(({ ip }) => ip);
}

describe('Draining', () => {
  test('takes few of one virtual server away in one go, but for those with connections', async () => {
    const made = await bench(manyReals);
    made.ipvs.connections(address, realOf(7), 0, 1);
    await made.draining.drain(wanting(serving));
    assert.deepEqual([made.sent.length, made.draining.isSwept], [1, true]);
    assert.deepEqual(await left(made), [serving.ip, realOf(7).ip]);
    assert.deepEqual([...made.draining.of(name).keys()], [realName(realOf(7))]);
  });

  test('takes more of them away by portions after one look, in the order in which the kernel has them', async () => {
    const made = await bench(manyReals + 1);
    const { ipvs, draining, sent } = made;
    await draining.drain(wanting(serving));
    assert.deepEqual([sent.length, draining.isSwept], [0, false]);
    const { one } = ipvs.listings;
    const order = await left(made);
    await draining.sweep();
    assert.equal(draining.of(name).size, manyReals + 1 - portion);
    while (!draining.isSwept) await draining.sweep();
    assert.equal(ipvs.listings.one, one + 1, 'that of this test');
    assert.deepEqual(
      sent.map((ops) => ops.length),
      [...Array.from({ length: manyReals / portion }, () => portion), 1],
    );
    const gone = sent.flat().map((op) => (op.op === 'delete-real' ? op.real.ip : op.op));
    assert.deepEqual(gone, order.slice(1));
    assert.deepEqual([await left(made), draining.isEmpty], [[serving.ip], true]);
    await draining.sweep();
  });

  test('looks again when one of those serves again between portions: it may have connections by the time it retires', async () => {
    const made = await bench(manyReals + 2);
    const { ipvs, draining } = made;
    await draining.drain(wanting(serving));
    await draining.sweep();
    const back = realOf(manyReals);
    draining.follow(wanting(serving, back));
    assert.equal(draining.isSwept, true);
    assert.equal(draining.of(name).has(realName(back)), false);
    ipvs.connections(address, back, 1);
    draining.add([{ address, real: back }]);
    await draining.drain(wanting(serving));
    while (!draining.isSwept) await draining.sweep();
    assert.deepEqual(await left(made), [serving.ip, back.ip]);
  });

  test('lets a virtual server be that is still changing', async () => {
    let isChanging = true;
    const made = await bench(2, (of) => of === name && isChanging);
    await made.draining.drain(wanting());
    await made.draining.drain(wanting(), made.retired);
    assert.deepEqual([made.sent.length, made.draining.has(name)], [0, true]);
    isChanging = false;
    await made.draining.drain(wanting(), made.retired);
    assert.equal(made.draining.isEmpty, true);
  });

  test('takes a virtual server that nobody wants away by one change with the last of them', async () => {
    const made = await bench(manyReals + 1);
    const { ipvs, draining, sent } = made;
    await ipvs.apply([{ op: 'delete-real', address, real: serving }]);
    ipvs.connections(address, realOf(0), 1);
    sent.length = 0;
    await draining.drain(wanting());
    while (!draining.isSwept) await draining.sweep();
    assert.deepEqual(await left(made), [realOf(0).ip]);
    ipvs.connections(address, realOf(0), 0);
    sent.length = 0;
    await draining.drain(wanting());
    assert.deepEqual(sent, [[{ op: 'delete-server', address }]]);
  });

  test('forgets all of them', async () => {
    const { draining } = await bench(manyReals + 1);
    await draining.drain(wanting(serving));
    draining.clear();
    assert.deepEqual([draining.isEmpty, draining.isSwept], [true, true]);
  });
});
