import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpvsOp, realName, serverName, type VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import type { Retired } from './difference.ts';
import { Portions } from './portions.ts';

const address = (ip: string): VirtualAddress => ({ kind: 'address', ip, port: 80, protocol: 'tcp' });
const ipOf = (i: number): string => `10.245.${i >> 8}.${i & 255}`;
const added = (ip: string, count: number): IpvsOp[] =>
  Array.from({ length: count }, (_, i) => ({ op: 'add-real', address: address(ip), real: { ip: ipOf(i), port: 8080, weight: 1 } }));

function bench(): { readonly portions: Portions; readonly sent: IpvsOp[][] } {
  const sent: IpvsOp[][] = [];
  const apply = (ops: readonly IpvsOp[]): Promise<undefined[]> => {
    sent.push([...ops]);
    return Promise.resolve(ops.map(() => undefined));
  };
  return { portions: new Portions({ apply }), sent };
}

describe('Portions', () => {
  test('leaves 6,144 real servers of one virtual server together, and those of many', () => {
    const { portions } = bench();
    const ops = [...added('10.96.0.1', 6144), ...added('10.96.0.2', 6144)];
    assert.equal(portions.cut({ ops, retired: [] }).ops, ops);
    assert.equal(portions.isDone, true);
  });

  test('lets all but the first 1,024 of more come by portions, and nothing else', async () => {
    const { portions, sent } = bench();
    const [many, few] = [added('10.96.0.1', 6145), added('10.96.0.2', 2)];
    const server: IpvsOp = { op: 'add-server', server: { address: address('10.96.0.1'), scheduler: 'rr' } };
    const other: IpvsOp = { op: 'set-real', address: address('10.96.0.1'), real: { ip: '10.244.0.2', port: 8080, weight: 0 } };
    const { ops } = portions.cut({ ops: [server, ...many, other, ...few], retired: [] });
    assert.deepEqual(ops, [server, ...many.slice(0, 1024), other, ...few]);
    while (!portions.isDone) await portions.next();
    assert.deepEqual(
      sent.map((ops) => ops.length),
      [1024, 1024, 1024, 1024, 1024, 1],
    );
    assert.deepEqual(sent.flat(), many.slice(1024));
    assert.deepEqual(await portions.next(), { answers: [], retired: [] });
  });

  test('lets all but 16 of each virtual server come by portions where they are more than 65,536 together', async () => {
    const { portions, sent } = bench();
    const ofServer = (i: number, count: number): IpvsOp[] => added(`10.96.1.${i}`, count);
    const fit = Array.from({ length: 128 }, (_, i) => ofServer(i, 512));
    assert.equal(portions.cut({ ops: fit.flat(), retired: [] }).ops.length, 65_536);
    assert.equal(portions.isDone, true);

    const [few, many] = [ofServer(200, 16), [...fit, ofServer(201, 17)]];
    const { ops } = portions.cut({ ops: [...few, ...many.flat()], retired: [] });
    assert.deepEqual(ops, [...few, ...many.flatMap((list) => list.slice(0, 16))]);
    while (!portions.isDone) await portions.next();
    assert.deepEqual(
      sent.flat(),
      many.flatMap((list) => list.slice(16)),
    );
    assert.deepEqual(
      sent.map(({ length }) => length),
      [...Array.from({ length: 62 }, () => 1024), 1],
    );
  });

  test('changes those that are there before the rest comes, and says which of them are waited for then', async () => {
    const { portions, sent } = bench();
    const come = added('10.96.0.1', 7000);
    const retired: Retired[] = Array.from({ length: 7000 }, (_, i) => ({
      address: address('10.96.0.1'),
      real: { ip: `10.246.${i >> 8}.${i & 255}`, port: 8080, weight: 0 },
    }));
    const go = retired.map((one): IpvsOp => ({ op: 'set-real', ...one }));
    const waitsAlready: Retired = { address: address('10.96.0.1'), real: { ip: '10.247.0.1', port: 8080, weight: 0 } };
    const elsewhere: Retired = { ...waitsAlready, address: address('10.96.0.2') };
    const now = portions.cut({ ops: [...come, ...go], retired: [...retired, waitsAlready, elsewhere] });
    assert.deepEqual(now.ops, [...come.slice(0, 1024), ...go.slice(0, 1024)]);
    assert.deepEqual(now.retired, [...retired.slice(0, 1024), waitsAlready, elsewhere]);
    assert.deepEqual([portions.has(serverName(address('10.96.0.1'))), portions.has(serverName(address('10.96.0.2')))], [true, false]);
    const { answers, retired: next } = await portions.next();
    assert.equal(answers.length, 1024);
    assert.deepEqual(next, retired.slice(1024, 2048));
    while (!portions.isDone) await portions.next();
    assert.equal(portions.has(serverName(address('10.96.0.1'))), false);
    assert.deepEqual(sent.flat(), [...go.slice(1024), ...come.slice(1024)]);
  });

  test('names what is still to change as the kernel has it, which then does not', async () => {
    const { portions, sent } = bench();
    const go = added('10.96.0.2', 7000).map((op): IpvsOp => ({ ...op, op: 'set-real' }) as IpvsOp);
    portions.cut({ ops: [...added('10.96.0.1', 7000), ...go], retired: [] });
    await portions.next();
    assert.equal(portions.take(serverName(address('10.96.0.9'))).size, 0);
    const left = [...portions.take(serverName(address('10.96.0.1')))];
    assert.deepEqual([left.length, left[0], portions.isDone], [7000 - 2048, [realName({ ip: ipOf(2048), port: 8080 }), undefined], false]);
    await portions.next();
    assert.deepEqual(
      sent.map(([op]) => op && 'address' in op && op.address),
      [address('10.96.0.1'), address('10.96.0.2')],
    );
    const [held] = portions.take(serverName(address('10.96.0.2')));
    // With which weight is not known: it equals none.
    assert.deepEqual(held, [realName({ ip: ipOf(2048), port: 8080 }), { ip: ipOf(2048), port: 8080, weight: Number.NaN }]);
    portions.clear();
    assert.equal(portions.isDone, true);
  });
});
