import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../../api/resource-types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import type { NewRecord, OldRecord } from '../../storage/store.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission/admission.ts';
import type { Allocation, Asking, Taken } from '../allocation/allocation.ts';
import { badRequest, isStatusError } from '../status/status-error.ts';
import { ResourceBed } from './testing/resource-bed.ts';
import type { WriteContext } from './write-context.ts';
import { checkName, placeIn } from './writer.ts';

const map = (metadata: object = { name: 'a' }, more: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata, ...more }) as unknown as KubeObject;
const create = async (bed: ResourceBed, object: KubeObject, context?: Partial<WriteContext>): Promise<KubeObject> =>
  (await bed.deps.writer.create(bed.row('configmaps'), 'default', object, bed.context(context))).object;
const refused = (reason: string, why: RegExp) => (err: unknown) => isStatusError(err, reason) && why.test(err.message);
const dataOf = (object: KubeObject | undefined): unknown => (object as { data?: object } | undefined)?.data;
const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u' };

/** Writes down what it is asked, in order. */
class Witness implements AdmissionPlugin {
  readonly told: string[] = [];
  readonly requests: AdmissionRequest[] = [];
  mutate(request: AdmissionRequest): void {
    this.#tell('mutate', request);
    if (request.object) request.object.metadata.annotations = { ...request.object.metadata.annotations, mutated: 'yes' };
  }
  validate(request: AdmissionRequest): void {
    this.#tell('validate', request);
  }
  admitted(request: AdmissionRequest): void {
    this.#tell('admitted', request);
  }
  #tell(what: string, request: AdmissionRequest): void {
    this.told.push(`${what} ${request.operation} ${request.namespace}/${request.name} ${request.subresource}`.trim());
    this.requests.push(request);
  }
}

class Numbers implements Allocation {
  readonly resource = 'configmaps';
  readonly told: string[] = [];
  errors: FieldError[] = [];
  claims: NewRecord[] = [];
  released: OldRecord[] = [];
  async allocate(next: KubeObject, old: KubeObject | undefined, { dryRun, lost }: Asking): Promise<Taken> {
    const { name } = next.metadata;
    this.told.push(`allocate ${name} ${old ? 'again' : 'first'}${dryRun ? ' dry' : ''}${lost ? ` lost ${lost}` : ''}`);
    return {
      ...{ errors: this.errors, claims: this.claims.splice(0, 1) },
      giveBack: (key) => void this.told.push(`give back ${name}${key ? ` but ${key}` : ''}`),
    };
  }
  async release(old: KubeObject, { lost }: Asking): Promise<readonly OldRecord[]> {
    this.told.push(`release ${old.metadata.name}${lost ? ` lost ${lost}` : ''}`);
    return this.released.splice(0, 1);
  }
}

describe('create()', () => {
  test('gives the object its place, its uid and its time', async () => {
    await using bed = await ResourceBed.start();
    const { metadata } = await create(bed, map());
    assert.deepEqual([metadata.namespace, metadata.creationTimestamp, metadata.resourceVersion], ['default', '2026-01-01T00:00:00Z', '1']);
    assert.match(metadata.uid ?? '', /^[0-9a-f-]{36}$/);
  });

  test('fills in defaults, before admission sees the object', async () => {
    const witness = new Witness();
    const seen: unknown[] = [];
    await using bed = await ResourceBed.start({
      plugins: [witness, { mutate: ({ object }) => void seen.push(structuredClone((object as { spec?: object } | undefined)?.spec)) }],
    });
    const spec = { containers: [{ name: 'c', image: 'i' }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec } as unknown as KubeObject;
    await bed.deps.writer.create(bed.row('pods'), 'default', pod, bed.context());
    assert.equal((seen[0] as { restartPolicy: string }).restartPolicy, 'Always');
  });

  test('passes admission, which may change the object, and tells it when all is done', async () => {
    const witness = new Witness();
    await using bed = await ResourceBed.start({ plugins: [witness] });
    assert.deepEqual((await create(bed, map())).metadata.annotations, { mutated: 'yes' });
    assert.deepEqual(witness.told, ['mutate CREATE default/a', 'validate CREATE default/a', 'admitted CREATE default/a']);
    await create(bed, map({ name: 'b' }), { dryRun: true });
    assert.deepEqual(witness.told.slice(3), ['mutate CREATE default/b', 'validate CREATE default/b']);
    assert.equal(await bed.stored('configmaps', 'b'), undefined);
  });

  test('makes up a name, and another one where it is taken', async () => {
    await using bed = await ResourceBed.start();
    const { name } = (await create(bed, map({ generateName: 'web-' }))).metadata;
    assert.match(name, /^web-[a-z0-9]{5}$/);
    assert.equal((await create(bed, map({ name: 'named', generateName: 'web-' }))).metadata.name, 'named');
  });

  test('tries eight names, and leaves the object as it was for each', async () => {
    const tried: string[] = [];
    const taken: AdmissionPlugin = {
      async mutate({ object, name }) {
        tried.push(name);
        assert.equal(object?.metadata.annotations, undefined);
        object!.metadata.annotations = { tried: 'yes' };
        await bed.store.put(`/registry/configmaps/default/${name}`, Buffer.from(JSON.stringify(map({ name }))));
      },
    };
    await using bed = await ResourceBed.start({ plugins: [taken] });
    await assert.rejects(create(bed, map({ generateName: 'web-' })), refused('AlreadyExists', /was not able to generate a unique name/));
    assert.equal(new Set(tried).size, 8);
    await assert.rejects(create(bed, map({ name: 'a' })), refused('AlreadyExists', /"a" already exists$/));
    assert.equal(tried.length, 9);
  });

  for (const [what, object, reason, why] of [
    ['another namespace', map({ name: 'a', namespace: 'shop' }), 'BadRequest', /namespace of the provided object does not match/],
    ['a resourceVersion', map({ name: 'a', resourceVersion: '1' }), 'BadRequest', /resourceVersion should not be set/],
    ['a name that is none', map({ name: 'A' }), 'Invalid', /^ConfigMap "A" is invalid: metadata\.name/],
    ['no name', map({}), 'Invalid', /^ConfigMap "" is invalid: metadata\.name: Required value/],
  ] as const)
    test(`refuses ${what}`, async () => {
      await using bed = await ResourceBed.start();
      await assert.rejects(create(bed, object), refused(reason, why));
      assert.equal(await bed.store.revision(), 0);
    });

  test('warns of owners that stand twice, and of what the row warns of', async () => {
    await using bed = await ResourceBed.start();
    const context = bed.context();
    const { metadata } = await create(bed, map({ name: 'a', ownerReferences: [owner, { ...owner }] }), context);
    assert.equal(metadata.ownerReferences?.length, 1);
    assert.match(context.warnings.join(), /duplicate UID\(s\) observed: u$/);
    const noted = bed.context();
    const row = { ...bed.row('configmaps'), warnings: () => ['careful'] };
    await bed.deps.writer.create(row, 'default', map({ name: 'b' }), noted);
    assert.deepEqual(noted.warnings, ['careful']);
  });

  test('takes what the object needs, and gives it back when it does not come to be', async () => {
    const numbers = new Numbers();
    await using bed = await ResourceBed.start({ allocations: [numbers] });
    await create(bed, map());
    await create(bed, map({ name: 'b' }), { dryRun: true });
    assert.deepEqual(numbers.told.splice(0), ['allocate a first', 'allocate b first dry']);
    await assert.rejects(create(bed, map()), refused('AlreadyExists', /"a" already exists/));
    assert.deepEqual(numbers.told, []);
    numbers.errors = [{ type: 'FieldValueInvalid', path: 'data', value: 1, detail: 'all gone' }];
    await assert.rejects(
      create(bed, map({ name: 'c' })),
      refused('Invalid', /^ConfigMap "c" is invalid: data: Invalid value: 1: all gone/),
    );
    assert.deepEqual(numbers.told, ['allocate c first', 'give back c']);
  });

  test('makes claims in one commit with the object, and asks for others while somebody has them', async () => {
    const numbers = new Numbers();
    await using bed = await ResourceBed.start({ allocations: [numbers] });
    const claim = (key: string): NewRecord => ({ key, value: Buffer.from('{}') });
    numbers.claims = [claim('/registry/claims/1')];
    const { metadata } = await create(bed, map());
    assert.deepEqual((await bed.store.get('/registry/claims/1'))?.modRevision, Number(metadata.resourceVersion) + 1);
    numbers.claims = [claim('/registry/claims/1'), claim('/registry/claims/1'), claim('/registry/claims/2')];
    await create(bed, map({ name: 'b' }));
    assert.deepEqual(numbers.told.splice(0), [
      'allocate a first',
      'allocate b first',
      'give back b but /registry/claims/1',
      'allocate b first lost 1',
      'give back b but /registry/claims/1',
      'allocate b first lost 2',
    ]);
    await bed.feed.fresh();
    numbers.claims = [claim('/registry/claims/2'), claim('/registry/claims/3')];
    const target = { row: bed.row('configmaps'), namespace: 'default', name: 'b' };
    await bed.deps.writer.update(target, () => map({ name: 'b' }, { data: { n: '2' } }), bed.context());
    assert.deepEqual(numbers.told.slice(0, 3), ['allocate b again', 'give back b but /registry/claims/2', 'allocate b again lost 1']);
    assert.ok(await bed.store.get('/registry/claims/3'));
    assert.deepEqual(dataOf(await bed.stored('configmaps', 'b')), { n: '2' });
  });

  test('asks nothing of allocations for other resources, or of a group with the same name', async () => {
    const numbers = new Numbers();
    await using bed = await ResourceBed.start({ allocations: [numbers] });
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' }, spec: {} } as unknown as KubeObject;
    await bed.deps.writer.create(bed.row('leases', 'coordination.k8s.io'), 'default', lease, bed.context());
    const { type, ...rest } = bed.row('configmaps');
    await bed.deps.writer.create({ ...rest, type: { ...type, group: 'x' } }, 'default', map(), bed.context());
    assert.deepEqual(numbers.told, []);
  });
});

describe('update()', () => {
  const update = async (
    bed: ResourceBed,
    next: (current: KubeObject) => KubeObject,
    context: Partial<WriteContext> = {},
    more: object = {},
  ): Promise<KubeObject> => {
    const target = { row: bed.row('configmaps'), namespace: 'default', name: 'a', ...more };
    return (await bed.deps.writer.update(target, next, bed.context(context))).object.object;
  };
  const data = (value: string) => (): KubeObject => map({ name: 'a' }, { data: { value } });
  const withMap = async (options: Parameters<typeof ResourceBed.start>[0] = {}): Promise<ResourceBed> => {
    const bed = await ResourceBed.start(options);
    await bed.map('a', { data: { value: '1' } });
    await bed.feed.fresh();
    return bed;
  };

  test('stores what is wanted, with what only the server sets as it was', async () => {
    await using bed = await withMap();
    const before = await bed.stored('configmaps', 'a');
    const { metadata, ...rest } = await update(bed, data('2'));
    assert.deepEqual(metadata, { ...before?.metadata, resourceVersion: '2' });
    assert.deepEqual(rest, { apiVersion: 'v1', kind: 'ConfigMap', data: { value: '2' } });
  });

  test('passes admission with the old object, under the name of the part or a given one', async () => {
    const witness = new Witness();
    await using bed = await withMap({ plugins: [witness] });
    witness.told.length = witness.requests.length = 0;
    await update(bed, data('2'));
    assert.deepEqual(witness.told, ['mutate UPDATE default/a', 'validate UPDATE default/a', 'admitted UPDATE default/a']);
    assert.deepEqual(dataOf(witness.requests[0]?.old), { value: '1' });
    const part = { kind: 'part', name: 'status', verbs: [], changesMeta: true, prepareUpdate: () => {}, validateUpdate: () => [] };
    witness.told.length = 0;
    await update(bed, data('3'), {}, { part });
    await update(bed, data('4'), {}, { part, subresource: 'approval' });
    assert.deepEqual(
      witness.told.filter((told) => told.startsWith('mutate')),
      ['mutate UPDATE default/a status', 'mutate UPDATE default/a approval'],
    );
  });

  test('tells admission of nothing in a dry run, and of a removal nothing', async () => {
    const witness = new Witness();
    await using bed = await withMap({ plugins: [witness] });
    witness.told.length = 0;
    await update(bed, data('2'), { dryRun: true });
    assert.deepEqual(witness.told, ['mutate UPDATE default/a', 'validate UPDATE default/a']);
  });

  test('removes an object that is being deleted and that nothing holds any more', async () => {
    await using bed = await ResourceBed.start();
    await bed.map('a', { metadata: { name: 'a', finalizers: ['x/y'] } });
    await bed.deps.deleter.delete(bed.row('configmaps'), 'default', 'a', {}, bed.context());
    assert.ok((await bed.stored('configmaps', 'a'))?.metadata.deletionTimestamp);
    const last = await update(bed, (current) => ({ ...current, data: { value: '2' }, metadata: { ...current.metadata, finalizers: [] } }));
    assert.equal(await bed.stored('configmaps', 'a'), undefined);
    // Who took the finalizer away is shown what he wrote.
    assert.deepEqual({ ...last, metadata: last.metadata.finalizers }, { ...last, data: { value: '2' }, metadata: undefined });
  });

  for (const [what, metadata, more, reason, why] of [
    ['another name', { name: 'b' }, {}, 'BadRequest', /name of the object \(b\) does not match the name on the URL \(a\)/],
    ['another uid', { uid: 'other' }, {}, 'Conflict', /UID in precondition: other/],
    ['another uid in a patch', { uid: 'other' }, { patched: true }, 'Invalid', /metadata\.uid: Invalid value/],
    ['an older version', { resourceVersion: '999' }, {}, 'Conflict', /the object has been modified/],
    ['another namespace', { namespace: 'shop' }, {}, 'BadRequest', /namespace of the provided object does not match/],
  ] as const)
    test(`refuses ${what}`, async () => {
      await using bed = await withMap();
      await assert.rejects(
        update(bed, () => map({ name: 'a', ...metadata }, { data: { value: '2' } }), {}, more),
        refused(reason, why),
      );
      assert.equal(await bed.store.revision(), 1);
    });

  test('refuses another kind and another version', async () => {
    await using bed = await withMap();
    for (const wrong of [{ kind: 'Secret' }, { apiVersion: 'v2' }])
      await assert.rejects(
        update(bed, () => ({ ...map(), ...wrong })),
        refused('BadRequest', /the kind in the data .* does not match the expected kind \(v1 ConfigMap\)/),
      );
  });

  for (const resourceVersion of [undefined, '', '0', '1'])
    test(`takes the resourceVersion ${JSON.stringify(resourceVersion)}`, async () => {
      await using bed = await withMap();
      const metadata = resourceVersion === undefined ? {} : { resourceVersion };
      assert.equal((await update(bed, () => map({ name: 'a', ...metadata }, { data: { value: '2' } }))).metadata.resourceVersion, '2');
    });

  test('wants a resourceVersion where the row does', async () => {
    await using bed = await ResourceBed.start();
    const row = bed.row('leases', 'coordination.k8s.io');
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'l' }, spec: {} } as unknown as KubeObject;
    await bed.deps.writer.create(row, 'default', structuredClone(lease), bed.context());
    const target = { row, namespace: 'default', name: 'l' };
    await assert.rejects(
      bed.deps.writer.update(target, () => structuredClone(lease), bed.context()),
      refused('Invalid', /metadata\.resourceVersion: Invalid value: 0: must be specified for an update/),
    );
  });

  test('allocates what is new, and refuses what it cannot have', async () => {
    const numbers = new Numbers();
    await using bed = await withMap({ allocations: [numbers] });
    numbers.told.length = 0;
    await update(bed, data('2'));
    assert.deepEqual(numbers.told.splice(0), ['allocate a again']);
    numbers.errors = [{ type: 'FieldValueInvalid', path: 'data', value: 1, detail: 'all gone' }];
    await assert.rejects(update(bed, data('3')), refused('Invalid', /all gone/));
    assert.deepEqual(numbers.told, ['allocate a again', 'give back a']);
  });

  test('takes claims away in one commit with an object whose last finalizer goes', async () => {
    const numbers = new Numbers();
    await using bed = await withMap({ allocations: [numbers] });
    await bed.store.put('/registry/claims/1', Buffer.from('{}'));
    await update(bed, () => map({ name: 'a', finalizers: ['x/y'] }));
    await bed.deps.deleter.delete(bed.row('configmaps'), 'default', 'a', {}, bed.context());
    numbers.told.length = 0;
    numbers.released = [7, 2].map((ifRevision) => ({ key: '/registry/claims/1', ifRevision }));
    await update(bed, () => map({ name: 'a' }));
    assert.deepEqual(numbers.told, ['release a', 'release a lost 1']);
    assert.deepEqual([await bed.stored('configmaps', 'a'), await bed.store.get('/registry/claims/1')], [undefined, undefined]);
  });

  test('warns of owners that stand twice', async () => {
    await using bed = await withMap();
    const context = bed.context();
    await update(bed, () => map({ name: 'a', ownerReferences: [owner, { ...owner }] }), context);
    assert.match(context.warnings.join(), /duplicate UID/);
  });

  test('repeats the warnings of the row only where what the generation counts has changed', async () => {
    await using bed = await withMap();
    const generationOf = (o: KubeObject): unknown => (o as { data?: unknown }).data;
    const counted = { ...bed.row('configmaps'), warnings: () => ['careful'], generationOf };
    const { generationOf: _, ...rest } = counted;
    const uncounted = { ...rest, generationOf: undefined };
    const warned = async (more: object, value: string): Promise<string[]> => {
      const context = bed.context();
      await update(
        bed,
        (current) => ({ ...current, ...data(value)(), metadata: { ...current.metadata, labels: { value } } }),
        context,
        more,
      );
      return context.warnings;
    };
    assert.deepEqual(await warned({ row: uncounted }, '2'), ['careful']);
    const part = { kind: 'part', name: 'status', verbs: [], changesMeta: true, prepareUpdate: () => {}, validateUpdate: () => [] };
    assert.deepEqual(await warned({ row: uncounted, part }, '3'), []);
    await update(bed, (current) => current, {}, { row: counted });
    assert.deepEqual(await warned({ row: counted }, '3'), []);
  });
});

describe('who owns fields', () => {
  const managed = {
    manager: 'me',
    operation: 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { 'f:value': {} } },
  };
  const applied = (value: string): KubeObject => map({ name: 'a', managedFields: [managed] }, { data: { value } });
  const managers = ({ metadata }: KubeObject): string[] =>
    (metadata.managedFields ?? []).map(({ manager, operation, time }) => `${manager} ${operation} ${time ?? ''}`.trim());

  test('is kept of an object that has managers, and of no other', async () => {
    await using bed = await ResourceBed.start();
    assert.deepEqual(managers(await create(bed, map({ name: 'plain' }), { manager: 'kubectl' })), []);
    const object = await create(bed, applied('1'), { manager: 'kubectl' });
    assert.deepEqual(managers(object), ['kubectl Update 2026-01-01T00:00:00Z']);
    const target = { row: bed.row('configmaps'), namespace: 'default', name: 'a' };
    const next = (): KubeObject => map({ name: 'a' }, { data: { value: '2' } });
    const { object: changed } = await bed.deps.writer.update(target, next, bed.context({ manager: 'helm' }));
    assert.ok(managers(changed.object).includes('helm Update 2026-01-01T00:00:00Z'));
    const silent = await bed.deps.writer.update(target, (current) => ({ ...current, ...{ data: {} } }), bed.context());
    assert.deepEqual(managers(silent.object.object), managers(changed.object));
  });

  test('is forgotten rather than have a write refused', async () => {
    await using bed = await ResourceBed.start();
    const room = 1_536 * 1024;
    const huge = { ...managed, fieldsV1: { 'f:data': { [`f:${'x'.repeat(room)}`]: {} } } };
    const large = (): KubeObject => map({ name: 'a', managedFields: [huge] }, { data: { value: '1' } });
    await assert.rejects(create(bed, large()), refused('RequestEntityTooLarge', /too large/));
    assert.deepEqual(managers(await create(bed, large(), { manager: 'kubectl' })), []);
    const target = { row: bed.row('configmaps'), namespace: 'default', name: 'a' };
    const next = (): KubeObject => ({ ...large(), ...{ data: { value: '2' } } });
    await assert.rejects(bed.deps.writer.update(target, next, bed.context()), refused('RequestEntityTooLarge', /too large/));
    const { object } = await bed.deps.writer.update(target, next, bed.context({ manager: 'kubectl' }));
    assert.deepEqual([managers(object.object), dataOf(object.object)], [[], { value: '2' }]);
  });
});

describe('placeIn()', () => {
  test('takes an empty namespace off what has none', async () => {
    await using bed = await ResourceBed.start();
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', namespace: '' } } as KubeObject;
    placeIn(bed.row('nodes'), '', node);
    assert.equal('namespace' in node.metadata, false);
    const one = map({ name: 'a' });
    placeIn(bed.row('configmaps'), 'shop', one);
    placeIn(bed.row('configmaps'), 'shop', one);
    assert.equal(one.metadata.namespace, 'shop');
  });
});

test('checkName() refuses another name', () => {
  checkName('a', 'a');
  assert.throws(() => checkName('', 'b'), badRequest('the name of the object (b based on URL) was undeterminable: name must be provided'));
  assert.throws(() => checkName('a', 'b'), badRequest('the name of the object (a) does not match the name on the URL (b)'));
});
