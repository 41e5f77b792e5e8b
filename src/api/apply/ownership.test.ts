/** Objects on their way through applies and ordinary writes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../codec/json-object.ts';
import type { KubeObject } from '../resource-types.ts';
import { type ApiType, typeNamed } from '../schema/schema.ts';
import { applyConfiguration } from './apply-configuration.ts';
import { conflictText } from './conflict-text.ts';
import { FieldSet, pathText } from './field-set.ts';
import { decodeManagers, setManagers } from './managers.ts';
import type { Place } from './ownership.ts';
import { recordWrite } from './record-write.ts';
import { shapeOfType } from './shape.ts';

const shape = shapeOfType(typeNamed('Deployment') as ApiType);
const main: Place = { shape, apiVersion: 'apps/v1', subresource: '', ignored: FieldSet.of(['f:status']) };
const status: Place = { shape, apiVersion: 'apps/v1', subresource: 'status', ignored: FieldSet.of(['f:spec']) };
const now = '2026-01-01T00:00:00Z';
const annotation = 'kubectl.kubernetes.io/last-applied-configuration';

interface Parts {
  readonly spec?: Json;
  readonly status?: Json;
  readonly annotations?: Record<string, string>;
}

function config({ annotations, ...parts }: Parts): Json {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a', ...(annotations ? { annotations } : {}) }, ...parts };
}

/** A stored object on which everybody may act. */
class Actor {
  object: KubeObject;

  constructor(parts?: Parts) {
    this.object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: {} } as unknown as KubeObject;
    if (parts) this.object = { ...config(parts), metadata: { ...(config(parts).metadata as object), uid: 'u' } } as unknown as KubeObject;
  }

  /** 'ok', or the conflict. */
  apply(manager: string, parts: Parts, options: { force?: boolean; place?: Place } = {}): string {
    const applier = { place: options.place ?? main, manager, force: options.force ?? false, now };
    const applied = applyConfiguration(this.object, config(parts), applier, [main, status]);
    if (!applied.ok) return conflictText(applied.conflicts);
    this.object = structuredClone(applied.object) as unknown as KubeObject;
    this.object.metadata.uid = 'u';
    setManagers(this.object, applied.managers);
    return 'ok';
  }

  update(manager: string, parts: Parts, place: Place = main): void {
    const next = { ...structuredClone(this.object), ...parts } as unknown as KubeObject;
    recordWrite(this.object, next, { place, manager, now });
    this.object = next;
  }

  get spec(): unknown {
    return (this.object as { spec?: unknown }).spec;
  }

  /** `one Apply: .spec.replicas …` */
  get owners(): string[] {
    return [...(decodeManagers(this.object.metadata.managedFields)?.values() ?? [])].map(
      ({ manager, operation, subresource, set }) =>
        `${[manager, operation, subresource].filter(Boolean).join(' ')}: ${[...set.paths()].map(pathText).join(' ')}`,
    );
  }
}

test('an applied field is the applier’s, and goes when it applies it no more', () => {
  const a = new Actor();
  assert.equal(a.apply('one', { spec: { replicas: 1, paused: true } }), 'ok');
  assert.deepEqual(a.owners, ['one Apply: .spec.paused .spec.replicas']);
  a.apply('one', { spec: { replicas: 1 } });
  assert.deepEqual(a.spec, { replicas: 1 });
  assert.deepEqual(a.owners, ['one Apply: .spec.replicas']);
});

test('a shared field stays for as long as one of its owners applies it', () => {
  const a = new Actor();
  a.apply('one', { spec: { replicas: 1, paused: true } });
  assert.equal(a.apply('two', { spec: { replicas: 1 } }), 'ok');
  a.apply('one', {});
  assert.deepEqual(a.spec, { replicas: 1 });
  assert.deepEqual(a.owners, ['two Apply: .spec.replicas']);
});

test('another value for somebody’s field is a conflict, unless forced', () => {
  const a = new Actor();
  a.apply('one', { spec: { replicas: 1, paused: true } });
  assert.equal(a.apply('two', { spec: { replicas: 2 } }), 'Apply failed with 1 conflict: conflict with "one": .spec.replicas');
  assert.equal(
    a.apply('two', { spec: { replicas: 2, paused: false } }),
    'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.paused\n- .spec.replicas',
  );
  assert.equal(a.apply('two', { spec: { replicas: 2 } }, { force: true }), 'ok');
  assert.deepEqual(a.owners, ['one Apply: .spec.paused', 'two Apply: .spec.replicas']);
});

test('an ordinary write takes the fields that it changes, and no others', () => {
  const a = new Actor();
  a.apply('one', { spec: { replicas: 1, paused: true } });
  a.update('ctl', { spec: { replicas: 5, paused: true } });
  assert.deepEqual(a.owners, ['one Apply: .spec.paused', 'ctl Update: .spec.replicas']);
  assert.equal(
    a.apply('one', { spec: { replicas: 1 } }),
    'Apply failed with 1 conflict: conflict with "ctl" using apps/v1: .spec.replicas',
  );
});

test('an ordinary write records nothing where nobody ever applied', () => {
  const a = new Actor({ spec: { replicas: 1 } });
  a.update('ctl', { spec: { replicas: 2 } });
  assert.equal('managedFields' in a.object.metadata, false);
});

test('a write to a subresource owns nothing outside of it', () => {
  const a = new Actor();
  a.apply('one', { spec: { replicas: 1 }, status: { replicas: 9 } });
  a.update('kcm', { spec: { replicas: 7 }, status: { replicas: 1 } }, status);
  assert.deepEqual(a.owners, ['one Apply: .spec.replicas', 'kcm Update status: .status.replicas']);
});

test('conflicts with one name stand in the order of its managers, an applier before an updater', () => {
  const path = ['f:metadata', 'f:labels', 'f:a'];
  const one = { manager: 'one', apiVersion: 'apps/v1', time: undefined, set: FieldSet.of(path) };
  const updater = { ...one, operation: 'Update', subresource: '' } as const;
  const applier = { ...one, operation: 'Apply', subresource: 'status' } as const;
  assert.equal(
    conflictText([updater, applier].map((manager) => ({ manager, path }))),
    'Apply failed with 2 conflicts: conflicts with "one" with subresource "status":\n- .metadata.labels.a\n' +
      'conflicts with "one" using apps/v1:\n- .metadata.labels.a',
  );
});

test('what is there before the first apply belongs to before-first-apply, spec and status apart', () => {
  const a = new Actor({ spec: { replicas: 1, paused: true }, status: { replicas: 1 } });
  const conflict = 'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.replicas';
  assert.equal(a.apply('one', { spec: { replicas: 2 } }), conflict);
  assert.equal(a.apply('one', { spec: { replicas: 1 } }), 'ok');
  assert.deepEqual(a.owners, [
    'one Apply: .spec.replicas',
    'before-first-apply Update: .spec .spec.paused .spec.replicas',
    'before-first-apply Update status: .status .status.replicas',
  ]);
});

/** As `kubectl apply` leaves an object: it applied one replica; the deadline is a default. */
function clientSideApplied(): Actor {
  const text = JSON.stringify(config({ spec: { replicas: 1 } }));
  return new Actor({ spec: { replicas: 1, progressDeadlineSeconds: 600 }, annotations: { [annotation]: text } });
}

test('what kubectl applied before is no conflict for kubectl, and its annotation is kept true', () => {
  const a = clientSideApplied();
  assert.equal(a.apply('kubectl', { spec: { replicas: 2 } }), 'ok');
  const kept = a.object.metadata.annotations?.[annotation];
  assert.equal(kept, '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"a"},"spec":{"replicas":2}}\n');
  const others = 'Apply failed with 1 conflict: conflict with "before-first-apply" using apps/v1: .spec.progressDeadlineSeconds';
  assert.equal(clientSideApplied().apply('kubectl', { spec: { replicas: 2, progressDeadlineSeconds: 5 } }), others);
});

test('kubectl’s migration finds its annotation with what it applied, and nothing more', () => {
  const a = clientSideApplied();
  a.apply('kubectl', { spec: { replicas: 1 } });
  assert.deepEqual(a.owners, [
    'kubectl Apply: .spec.replicas',
    'before-first-apply Update: .spec .metadata.annotations .spec.progressDeadlineSeconds',
    `kubectl-client-side-apply Update: .metadata.annotations.${annotation} .spec.replicas`,
  ]);
});

test('a field that kubectl applied and somebody else changed since is a conflict', () => {
  const a = clientSideApplied();
  a.object = { ...a.object, spec: { replicas: 5 } } as KubeObject;
  assert.match(a.apply('kubectl', { spec: { replicas: 1 } }), /conflict with "before-first-apply" using apps\/v1: \.spec\.replicas$/);
});

test('managers sent with a write are taken; [] and [{}] forget all; what makes no sense changes nothing', () => {
  const mine = [{ manager: 'x', operation: 'Update', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } }];
  for (const [sent, owners] of [
    [mine, ['x Update: .spec']],
    [[], []],
    [[{}], []],
    [undefined, ['one Apply: .spec.replicas']],
    [[{ ...mine[0], operation: 'Guess' }], ['one Apply: .spec.replicas']],
    [[{ ...mine[0], fieldsV1: { nonsense: {} } }], ['one Apply: .spec.replicas']],
  ] as const) {
    const a = new Actor();
    a.apply('one', { spec: { replicas: 1 } });
    const { managedFields: _old, ...metadata } = a.object.metadata;
    a.update('ctl', { metadata: { ...metadata, ...(sent ? { managedFields: sent } : {}) } } as unknown as Parts);
    assert.deepEqual(a.owners, owners);
  }
});

test('of many updaters the oldest become one', () => {
  const a = new Actor();
  a.apply('one', { spec: { paused: true } });
  for (let i = 0; i < 15; i++) {
    const annotations = { ...a.object.metadata.annotations, [`k${i}`]: 'x' };
    a.update(`u${i}`, { metadata: { ...a.object.metadata, annotations } } as unknown as Parts);
  }
  const managers = a.owners.map((text) => text.split(' ', 1)[0]);
  assert.equal(managers.length, 11);
  assert.ok(managers.includes('ancient-changes'));
});
