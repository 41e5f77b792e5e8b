import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import type { AdmissionPlugin } from '../admission/admission.ts';
import { isStatusError } from '../status/status-error.ts';
import type { FakeResponse } from './testing/fake-response.ts';
import { type FakeRequest, ResourceBed } from './testing/resource-bed.ts';

const path = '/api/v1/namespaces/default/configmaps/a';
const headers = { 'content-type': 'application/apply-patch+yaml' };
const map = (data: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'a', ...metadata },
  data,
});
const request = (bed: ResourceBed, body: object | string, query = 'fieldManager=me'): Promise<FakeRequest> =>
  bed.call('PATCH', `${path}?${query}`, { body, headers });
const apply = async (bed: ResourceBed, body: object | string, query?: string): Promise<FakeResponse> =>
  (await request(bed, body, query)).res;
const managers = (object: KubeObject): string[] => (object.metadata.managedFields ?? []).map((m) => `${m.manager} ${m.operation}`);
const refused = (reason: string, why: RegExp) => (err: unknown) => isStatusError(err, reason) && why.test(err.message);

describe('server-side apply', () => {
  test('makes what is not there, changes it, and takes away what is applied no more', async () => {
    await using bed = await ResourceBed.start();
    const made = await apply(bed, map({ x: '1', y: '1' }));
    assert.deepEqual([made.statusCode, made.body.data, managers(made.body)], [201, { x: '1', y: '1' }, ['me Apply']]);
    const changed = await apply(bed, map({ x: '2' }));
    assert.deepEqual([changed.statusCode, changed.body.data, changed.body.metadata.uid], [200, { x: '2' }, made.body.metadata.uid]);
    const again = await apply(bed, map({ x: '2' }));
    assert.equal(again.body.metadata.resourceVersion, changed.body.metadata.resourceVersion);
  });

  test('refuses what another one owns, unless it is forced', async () => {
    await using bed = await ResourceBed.start();
    await apply(bed, map({ x: '1' }), 'fieldManager=you');
    await assert.rejects(apply(bed, map({ x: '2' })), refused('Conflict', /conflict with "you"/));
    assert.deepEqual((await apply(bed, map({ x: '2' }), 'fieldManager=me&force=true')).body.data, { x: '2' });
  });

  test('stores nothing in a dry run', async () => {
    await using bed = await ResourceBed.start();
    assert.equal((await apply(bed, map({ x: '1' }), 'fieldManager=me&dryRun=All')).statusCode, 201);
    assert.equal(await bed.stored('configmaps', 'a'), undefined);
  });

  test('asks whether its user may create, of what is not there only', async () => {
    await using bed = await ResourceBed.start({ mayCreate: false });
    await assert.rejects(apply(bed, map({})), refused('Forbidden', /may not create/));
    await bed.map('a');
    assert.equal((await apply(bed, map({ x: '1' }))).statusCode, 200);
  });

  for (const [what, metadata, reason, why] of [
    ['no name', { name: undefined }, 'BadRequest', /name of the object \(a based on URL\) was undeterminable/],
    ['another name', { name: 'b' }, 'BadRequest', /name of the object \(b\) does not match the name on the URL \(a\)/],
    ['a uid', { uid: 'u' }, 'Conflict', /uid mismatch: the provided object specified uid u, and no existing object was found/],
  ] as const)
    test(`makes nothing of ${what}`, async () => {
      await using bed = await ResourceBed.start();
      await assert.rejects(apply(bed, map({}, metadata)), refused(reason, why));
      assert.equal(await bed.store.revision(), 0);
    });

  test('passes over a resourceVersion of what is not there', async () => {
    await using bed = await ResourceBed.start();
    assert.equal((await apply(bed, map({}, { resourceVersion: '7' }))).statusCode, 201);
  });

  test('makes no object of a status', async () => {
    await using bed = await ResourceBed.start();
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, status: { phase: 'Running' } };
    const options = { body: pod, headers };
    const applying = bed.call('PATCH', '/api/v1/namespaces/default/pods/a/status?fieldManager=me', options);
    await assert.rejects(applying, refused('NotFound', /pods "a" not found/));
  });

  test('warns once, however often it is tried', async () => {
    let tries = 0;
    const interfere: AdmissionPlugin = {
      async mutate({ operation }) {
        if (operation !== 'UPDATE' || ++tries > 3) return;
        const other = {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'a', namespace: 'default', uid: 'u' },
          data: { n: `${tries}` },
        };
        await bed.store.put('/registry/configmaps/default/a', Buffer.from(JSON.stringify(other)));
      },
    };
    await using bed = await ResourceBed.start({ plugins: [interfere] });
    await bed.map('a');
    await bed.feed.fresh();
    const twice = JSON.stringify(map({ x: '1' })).replace('"x":"1"', '"x":"0","x":"1"');
    const { ctx } = await request(bed, twice);
    assert.deepEqual([tries, ctx.warnings], [4, ['duplicate field "data.x"']]);
  });

  test('changes what another one has made just before, and gives up when that happens again and again', async () => {
    let [tries, gone] = [0, 1];
    /** Makes the object when it is to be made, and takes it away when it is to be changed. */
    const rival: AdmissionPlugin = {
      async mutate({ operation }) {
        const key = '/registry/configmaps/default/a';
        if (operation === 'CREATE') {
          tries++;
          const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default', uid: 'u' } };
          await bed.store.put(key, Buffer.from(JSON.stringify(other)));
        } else if (tries < gone) await bed.store.delete(key);
      },
    };
    await using bed = await ResourceBed.start({ plugins: [rival] });
    const { statusCode, body } = await apply(bed, map({ x: '1' }));
    assert.deepEqual([statusCode, body.metadata.uid, tries], [200, 'u', 1]);
    await bed.store.delete('/registry/configmaps/default/a');
    await bed.feed.fresh();
    [tries, gone] = [0, Number.POSITIVE_INFINITY];
    await assert.rejects(apply(bed, map({ x: '1' })), refused('AlreadyExists', /"a" already exists/));
    assert.equal(tries, 5);
  });
});
