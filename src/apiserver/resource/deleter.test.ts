import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AdmissionRequest } from '../admission/admission.ts';
import { type Allocation, nothingTaken } from '../allocation/allocation.ts';
import { badRequest, isStatusError } from '../status/status-error.ts';
import { ResourceBed } from './testing/resource-bed.ts';

describe('Deleter', () => {
  test('asks admission with the object that is there, and removes it', async () => {
    const asked: unknown[] = [];
    const validate = ({ operation, namespace, name, object, old, subresource }: AdmissionRequest): void => {
      asked.push([operation, namespace, name, subresource, object, old?.metadata.name]);
    };
    await using bed = await ResourceBed.start({ plugins: [{ validate }] });
    await bed.map('a');
    asked.length = 0;
    const { deleted } = await bed.deps.deleter.delete(bed.row('configmaps'), 'default', 'a', {}, bed.context());
    assert.deepEqual([deleted, asked], [true, [['DELETE', 'default', 'a', '', undefined, 'a']]]);
    assert.equal(await bed.stored('configmaps', 'a'), undefined);
  });

  test('removes nothing that admission refuses, and nothing in a dry run', async () => {
    const validate = ({ operation, name }: AdmissionRequest): void => {
      if (operation === 'DELETE' && name === 'a') throw badRequest('stays');
    };
    await using bed = await ResourceBed.start({ plugins: [{ validate }] });
    const { deleter } = bed.deps;
    for (const name of ['a', 'b']) await bed.map(name);
    await assert.rejects(deleter.delete(bed.row('configmaps'), 'default', 'a', {}, bed.context()), /stays/);
    await deleter.delete(bed.row('configmaps'), 'default', 'b', {}, bed.context({ dryRun: true }));
    assert.equal(bed.feed.cache('configmaps').size, 2);
  });

  test('takes claims away in one commit with the object, and asks again while they are not as they were', async () => {
    const asked: number[] = [];
    const claim = '/registry/claims/1';
    const allocation: Allocation = {
      resource: 'configmaps',
      allocate: async () => nothingTaken,
      release: async (_, { lost }) => {
        asked.push(lost);
        return [{ key: claim, ifRevision: lost === 2 ? ((await bed.store.get(claim))?.modRevision ?? 0) : 999 }];
      },
    };
    await using bed = await ResourceBed.start({ allocations: [allocation] });
    await bed.map('a');
    await bed.store.put(claim, Buffer.from('{}'));
    const { object } = await bed.deps.deleter.delete(bed.row('configmaps'), 'default', 'a', {}, bed.context());
    assert.deepEqual([asked, await bed.store.get(claim), await bed.stored('configmaps', 'a')], [[0, 1, 2], undefined, undefined]);
    assert.equal(object.revision, (await bed.store.revision()) - 1);
  });

  test('marks what is held by the time of the clock', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a', { metadata: { name: 'a', finalizers: ['x/y'] } });
    const { deleted, object } = await bed.deps.deleter.delete(bed.row('configmaps'), 'default', 'a', {}, bed.context());
    assert.deepEqual([deleted, object.object.metadata.deletionTimestamp], [false, '2026-01-01T00:00:00Z']);
  });

  test('is 404 for what is not there', async () => {
    await using bed = await ResourceBed.start();
    const gone = bed.deps.deleter.delete(bed.row('configmaps'), 'default', 'no', {}, bed.context());
    await assert.rejects(gone, (err) => isStatusError(err, 'NotFound'));
  });

  test('removes a whole collection, side by side, and takes it well when others were faster', async () => {
    let [now, most] = [0, 0];
    const validate = async ({ operation }: AdmissionRequest): Promise<void> => {
      if (operation !== 'DELETE') return;
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
    };
    await using bed = await ResourceBed.start({ plugins: [{ validate }] });
    for (let i = 0; i < 40; i++) await bed.map(`m${i}`);
    await bed.feed.fresh();
    const found = bed.feed.cache('configmaps').range();
    await bed.store.delete('/registry/configmaps/default/m7');
    await bed.deps.deleter.deleteAll(bed.row('configmaps'), found, {}, bed.context());
    await bed.feed.fresh();
    assert.deepEqual([bed.feed.cache('configmaps').size, most], [0, 16]);
  });

  test('ends with what goes wrong in a collection', async () => {
    const validate = ({ operation }: AdmissionRequest): void => {
      if (operation === 'DELETE') throw badRequest('stays');
    };
    await using bed = await ResourceBed.start({ plugins: [{ validate }] });
    await bed.map('a');
    await bed.feed.fresh();
    const all = bed.deps.deleter.deleteAll(bed.row('configmaps'), bed.feed.cache('configmaps').range(), {}, bed.context());
    await assert.rejects(all, /stays/);
  });

  test('removes the cluster-wide objects of a collection', async () => {
    await using bed = await ResourceBed.start();
    bed.feed.add('nodes');
    const row = bed.row('nodes');
    await bed.feed.find('nodes')?.loaded;
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } };
    await bed.deps.writer.create(row, '', node as Parameters<typeof bed.deps.writer.create>[2], bed.context());
    await bed.feed.fresh();
    await bed.deps.deleter.deleteAll(row, bed.feed.cache('nodes').range(), {}, bed.context());
    assert.equal(await bed.stored('nodes', 'n'), undefined);
  });
});
