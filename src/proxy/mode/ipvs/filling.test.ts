import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpvsOp, realName, serverName, type VirtualAddress } from '../../../linux/ipvs/ipvs.ts';
import { Filling } from './filling.ts';

const address = (ip: string): VirtualAddress => ({ kind: 'address', ip, port: 80, protocol: 'tcp' });
const ipOf = (i: number): string => `10.245.${i >> 8}.${i & 255}`;
const added = (ip: string, count: number): IpvsOp[] =>
  Array.from({ length: count }, (_, i) => ({ op: 'add-real', address: address(ip), real: { ip: ipOf(i), port: 8080, weight: 1 } }));

function bench(): { readonly filling: Filling; readonly sent: IpvsOp[][] } {
  const sent: IpvsOp[][] = [];
  const apply = (ops: readonly IpvsOp[]): Promise<undefined[]> => {
    sent.push([...ops]);
    return Promise.resolve(ops.map(() => undefined));
  };
  return { filling: new Filling({ apply }), sent };
}

describe('Filling', () => {
  test('leaves 6,144 real servers of one virtual server together, and those of many', () => {
    const { filling } = bench();
    const ops = [...added('10.96.0.1', 6144), ...added('10.96.0.2', 6144)];
    assert.equal(filling.cut(ops), ops);
    assert.equal(filling.isDone, true);
  });

  test('lets all but the first 1,024 of more come by portions, and nothing else', async () => {
    const { filling, sent } = bench();
    const [many, few] = [added('10.96.0.1', 6145), added('10.96.0.2', 2)];
    const server: IpvsOp = { op: 'add-server', server: { address: address('10.96.0.1'), scheduler: 'rr' } };
    const other: IpvsOp = { op: 'set-real', address: address('10.96.0.1'), real: { ip: '10.244.0.2', port: 8080, weight: 0 } };
    assert.deepEqual(filling.cut([server, ...many, other, ...few]), [server, ...many.slice(0, 1024), other, ...few]);
    while (!filling.isDone) await filling.fill();
    assert.deepEqual(
      sent.map((ops) => ops.length),
      [1024, 1024, 1024, 1024, 1024, 1],
    );
    assert.deepEqual(sent.flat(), many.slice(1024));
    assert.deepEqual(await filling.fill(), []);
  });

  test('names what is still to come, which then does not', async () => {
    const { filling, sent } = bench();
    filling.cut([...added('10.96.0.1', 7000), ...added('10.96.0.2', 7000)]);
    await filling.fill();
    assert.equal(filling.take(serverName(address('10.96.0.9'))).size, 0);
    const names = [...filling.take(serverName(address('10.96.0.1')))];
    assert.deepEqual([names.length, names[0], filling.isDone], [7000 - 2048, realName({ ip: ipOf(2048), port: 8080 }), false]);
    await filling.fill();
    assert.deepEqual(
      sent.map(([op]) => op?.op === 'add-real' && op.address),
      [address('10.96.0.1'), address('10.96.0.2')],
    );
    filling.clear();
    assert.equal(filling.isDone, true);
  });
});
