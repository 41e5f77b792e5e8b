import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Endpoints } from './endpoints.ts';
import { Filling, refuseHalfFilled } from './filling.ts';
import { KeySpace } from './key-space.ts';
import type { Request } from './messages.ts';

const space = new KeySpace('/registry', '/registry');

interface Scene {
  readonly filling: Filling;
  readonly endpoints: Endpoints;
  readonly transactions: Request<'Txn'>[];
  owner(): Uint8Array | undefined;
}

/** An etcd in which each look at the mark, and each transaction, is answered by the next value that is given. */
function sceneOf(marks: ('absent' | 'own' | 'of another')[], commits: (boolean | 'own fence' | 'another fence')[], count = 0): Scene {
  const transactions: Request<'Txn'>[] = [];
  const other = Buffer.from('another');
  const owner = (): Uint8Array | undefined => transactions[0]?.success?.findLast((one) => one?.requestPut)?.requestPut?.value;
  const call = async (method: string, request: object): Promise<unknown> => {
    if (method === 'Txn') {
      transactions.push(request);
      const commit = commits.shift();
      const value = commit === 'own fence' ? owner() : other;
      const responses = typeof commit === 'string' ? [{ responseRange: { kvs: [{ value, modRevision: 7 }] } }] : [];
      return { response: { header: { revision: 9 }, succeeded: commit === true, responses } };
    }
    assert.equal(method, 'Range');
    if ('countOnly' in request && request.countOnly) return { response: { count } };
    const mark = marks.shift();
    return { response: { kvs: mark === 'absent' ? [] : [{ value: mark === 'own' ? owner() : other }] } };
  };
  const endpoints = { call } as unknown as Endpoints;
  return { filling: new Filling(endpoints, space, 'etcd=http://a:2379'), endpoints, transactions, owner };
}

const isOwn = (owner: Uint8Array | undefined): object => ({ target: 3, key: '/registry.copying', value: owner });
const taken = { code: 'STORE_IN_USE', message: /^Cannot fill store "etcd=http:\/\/a:2379" any further: / };

describe('a copy into etcd', () => {
  test('takes a store only where there is neither a record nor a mark', async () => {
    const { filling, transactions, owner } = sceneOf(['absent'], [true]);
    assert.equal(await filling.take(), true);
    const compare = [
      { target: 2, modRevision: 0, key: '/registry.copying' },
      { target: 2, modRevision: 0, key: '/registry/', rangeEnd: '/registry0' },
    ];
    const success = [{ requestPut: { key: '/registry.copying', value: owner() } }];
    assert.deepEqual(transactions, [{ compare, success, failure: [] }]);
    assert.equal(await sceneOf(['absent'], [], 1).filling.take(), false);
  });

  test('removes what another try has left in the same step in which it takes its place', async () => {
    const { filling, transactions, owner } = sceneOf(['of another'], [true], 5);
    assert.equal(await filling.take(), true);
    const success = [
      { requestDeleteRange: { key: '/registry/', rangeEnd: '/registry0' } },
      { requestPut: { key: '/registry.copying', value: owner() } },
    ];
    assert.deepEqual(transactions, [{ compare: [isOwn(Buffer.from('another'))], success, failure: [] }]);
  });

  test('looks again when somebody was faster, and knows itself when only the answer was lost', async () => {
    const faster = sceneOf(['absent', 'of another'], [false, true]);
    assert.equal(await faster.filling.take(), true);
    assert.equal(faster.transactions.length, 2);
    const lost = sceneOf(['absent', 'own'], [false]);
    assert.equal(await lost.filling.take(), true);
    assert.equal(lost.transactions.length, 1);
  });

  test('compares the mark in whatever it writes, removes and ends', async () => {
    const { filling, transactions, owner } = sceneOf(['absent'], [true, true, true, true, true]);
    await filling.take();
    await filling.write([{ requestPut: { key: '/registry/a' } }]);
    await filling.raise();
    await filling.undo();
    assert.equal(await filling.finish(), 9);
    assert.deepEqual(
      transactions.slice(1).map(({ compare }) => compare),
      Array(4).fill([isOwn(owner())]),
    );
    assert.deepEqual(transactions[2]?.success, [{ requestPut: { key: '/registry.copying', value: owner() } }], 'which raises the revision');
    assert.deepEqual(transactions[3]?.success, [
      { requestDeleteRange: { key: '/registry/', rangeEnd: '/registry0' } },
      { requestDeleteRange: { key: '/registry.copying' } },
    ]);
  });

  test('is told that another one has taken the store over, by its next write and at its end', async () => {
    const { filling } = sceneOf(['absent'], [true, false, false, 'another fence']);
    await filling.take();
    await assert.rejects(filling.write([]), taken);
    await assert.rejects(filling.finish(), taken);
    await assert.rejects(filling.finish(), taken);
  });

  test('has ended when only the answer to that was lost', async () => {
    const { filling, transactions, owner } = sceneOf(['absent'], [true, 'own fence']);
    await filling.take();
    assert.equal(await filling.finish(), 7);
    assert.deepEqual(transactions[1], {
      compare: [isOwn(owner())],
      success: [{ requestPut: { key: '/registry.fairlead', value: owner() } }, { requestDeleteRange: { key: '/registry.copying' } }],
      failure: [{ requestRange: { key: '/registry.fairlead' } }],
    });
  });
});

test('a store that bears the mark of a copy is refused', async () => {
  const look = (mark: 'absent' | 'of another'): Promise<void> => refuseHalfFilled(sceneOf([mark], []).endpoints, space, 'etcd=it');
  await look('absent');
  await assert.rejects(look('of another'), { code: 'STORE_CORRUPT', message: /^Cannot open store "etcd=it": it was being filled/ });
});
