import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { KnownError } from '../../errors/known-error.ts';
import { AlongsideTaken } from '../resource/object-store.ts';
import { conflict, isStatusError } from '../status/status-error.ts';
import { type Allocation, Allocations, giveBackAfter, nothingTaken, type Taken } from './allocation.ts';

const object: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } };
const asking = { dryRun: false, lost: 0 };

function rowOf(resource: string, group = ''): ResourceRow {
  return { type: { group, version: 'v1', resource, kind: 'Service' } } as unknown as ResourceRow;
}

/** Notes what becomes of it. */
function allocationOf(name: string, noted: string[], outcome?: Error | 'refused', resource = 'services'): Allocation {
  return {
    resource,
    async allocate() {
      if (outcome instanceof Error) throw outcome;
      noted.push(`${name} took`);
      const errors = outcome ? [{ type: 'FieldValueInvalid' as const, path: 'spec.clusterIP', detail: `${name} is taken` }] : [];
      return {
        errors,
        claims: [{ key: `/${name}`, value: new Uint8Array() }],
        giveBack: (lost) => noted.push(`${name} gave back ${lost}`),
      };
    },
    async release(old, { lost }) {
      noted.push(`${name} released ${old.metadata.name} after ${lost}`);
      return [{ key: `/${name}`, ifRevision: 7 }];
    },
  };
}

describe('Allocations', () => {
  test('concern the core resource that they are for, and no other', async () => {
    const noted: string[] = [];
    const all = new Allocations([allocationOf('a', noted), allocationOf('b', noted, undefined, 'pods')]);
    assert.deepEqual(
      [rowOf('services'), rowOf('services', 'serving.example'), rowOf('nodes')].map((row) => all.concern(row)),
      [true, false, false],
    );
    assert.deepEqual((await all.take(rowOf('nodes'), object, undefined, asking)).claims, []);
    assert.deepEqual(await all.release(rowOf('nodes'), object, asking), []);
    assert.deepEqual(await all.release(rowOf('services'), object, { dryRun: false, lost: 2 }), [{ key: '/a', ifRevision: 7 }]);
    assert.deepEqual(noted, ['a released web after 2']);
  });

  test('are taken together, and given back together with the claim that was lost', async () => {
    const noted: string[] = [];
    const all = new Allocations([allocationOf('a', noted), allocationOf('b', noted)]);
    const { claims, giveBack } = await all.take(rowOf('services'), object, undefined, asking);
    assert.deepEqual(
      claims.map(({ key }) => key),
      ['/a', '/b'],
    );
    giveBack('/b');
    assert.deepEqual(noted, ['a took', 'b took', 'a gave back /b', 'b gave back /b']);
  });

  test('keep nothing when one of them refuses, which is answered with 422, or fails', async () => {
    const refused: string[] = [];
    const refusing = new Allocations([allocationOf('a', refused), allocationOf('b', refused, 'refused'), allocationOf('c', refused)]);
    await assert.rejects(refusing.take(rowOf('services'), object, undefined, asking), (err) => {
      assert.ok(isStatusError(err, 'Invalid'));
      assert.match(err.message, /Service "web" is invalid: spec.clusterIP: .*b is taken/);
      return true;
    });
    assert.deepEqual(refused, ['a took', 'b took', 'a gave back undefined', 'b gave back undefined']);
    const failed: string[] = [];
    const failing = new Allocations([allocationOf('a', failed), allocationOf('b', failed, new Error('the store is away'))]);
    await assert.rejects(failing.take(rowOf('services'), object, undefined, asking), /the store is away/);
    assert.deepEqual(failed, ['a took', 'a gave back undefined']);
  });
});

describe('giveBackAfter()', () => {
  const outcomes: Readonly<Record<string, readonly [err: unknown, givenBack: readonly (string | undefined)[]]>> = {
    'gives back, and names the claim that another server has': [new AlongsideTaken('/port'), ['/port']],
    'gives back what a refused object had taken': [conflict({ group: '', resource: 'services' }, 'web'), [undefined]],
    'gives back where the store had no room': [new KnownError('STORE_FULL', 'full'), [undefined]],
    'gives back what was too big': [new KnownError('STORE_TOO_BIG', 'big'), [undefined]],
    'keeps what may have been written although no answer came': [new KnownError('STORE_UNAVAILABLE', 'away'), []],
    'keeps it after an error of ours': [new Error('a bug'), []],
  };
  for (const [what, [err, expected]] of Object.entries(outcomes))
    test(what, () => {
      const given: (string | undefined)[] = [];
      const taken: Taken = { ...nothingTaken, giveBack: (lost) => given.push(lost) };
      giveBackAfter(err, taken);
      assert.deepEqual(given, expected);
    });
});
