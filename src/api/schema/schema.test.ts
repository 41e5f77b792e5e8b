import assert from 'node:assert/strict';
import { test } from 'node:test';
import { typeNamed, typeNameOf, typeOfObject } from './schema.ts';
import { tables } from './tables.ts';

test('a type is found by its table name and by its short one', () => {
  assert.equal(typeNamed('core.v1.Pod')?.goName, 'Pod');
  assert.equal(typeNamed('Pod'), typeNamed('core.v1.Pod'));
  assert.equal(typeNamed('EventsV1Event')?.name, 'events.v1.Event');
  assert.equal(typeNamed('Event')?.name, 'core.v1.Event');
  assert.equal(typeNamed('NoSuchThing'), undefined);
  assert.equal(typeNamed('core.v1.NoSuchThing'), undefined);
  assert.equal(typeNamed('constructor'), undefined);
});

test('a kind is found by its group, whose first label names the package', () => {
  for (const [group, version, kind, name] of [
    ['', 'v1', 'Service', 'core.v1.Service'],
    ['rbac.authorization.k8s.io', 'v1', 'Role', 'rbac.v1.Role'],
    ['flowcontrol.apiserver.k8s.io', 'v1', 'FlowSchema', 'flowcontrol.v1.FlowSchema'],
    ['apps', 'v1', 'DeleteOptions', 'meta.v1.DeleteOptions'],
    ['apps', 'v1', 'Nothing', undefined],
  ] as const) {
    assert.equal(typeNameOf(group, version, kind), name);
  }
  assert.equal(typeOfObject('events.k8s.io/v1', 'Event')?.name, 'events.v1.Event');
});

test('every field of every type points at a type that is there', () => {
  for (const name of Object.keys(tables)) {
    const type = typeNamed(name);
    assert.ok(type, name);
    for (const field of [...type.wireFields, ...type.jsonFields.values()]) {
      assert.equal(field.kind === 'message', field.type !== undefined, `${name}.${field.name}`);
      assert.ok(field.number > 0, `${name}.${field.name}`);
    }
  }
});

test('inline members appear in the JSON of the parent and nowhere else', () => {
  const volume = typeNamed('Volume');
  assert.ok(volume);
  assert.ok(volume.field('emptyDir'));
  assert.equal(volume.field('volumeSource'), undefined);
  assert.equal(volume.field('emptyDir')?.owner, 'VolumeSource');
  assert.deepEqual(
    volume.wireFields.map((f) => [f.number, f.inline]),
    [
      [1, false],
      [2, true],
    ],
  );
});

test('a zero value counts for pointers and for fields that Go always writes', () => {
  const zero = (type: string, field: string): boolean | undefined => typeNamed(type)?.field(field)?.zeroCounts;
  assert.equal(zero('DeploymentSpec', 'replicas'), true);
  assert.equal(zero('DeploymentSpec', 'minReadySeconds'), false);
  assert.equal(zero('ContainerStatus', 'restartCount'), true);
  assert.equal(zero('ContainerStatus', 'containerID'), false);
});

test('merge keys and list types are those of upstream', () => {
  const ports = typeNamed('ServiceSpec')?.field('ports')?.marks;
  assert.deepEqual(ports, { mergeKey: 'port', strategy: 'merge', listType: 'map', listKeys: ['port', 'protocol'] });
  assert.equal(typeNamed('PodSpec')?.field('tolerations')?.marks.strategy, undefined);
});

test('a text of which upstream knows all values has them, alone, in lists and in maps', () => {
  const values = (type: string, field: string): readonly string[] | undefined => typeNamed(type)?.field(field)?.marks.enum;
  assert.deepEqual(values('ServiceSpec', 'type'), ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']);
  assert.deepEqual(values('NetworkPolicySpec', 'policyTypes'), ['Egress', 'Ingress']);
  assert.equal(values('PersistentVolumeClaimStatus', 'allocatedResourceStatuses')?.length, 5);
  assert.deepEqual(values('EndpointSlice', 'addressType'), ['FQDN', 'IPv4', 'IPv6']);
  assert.equal(values('ServiceSpec', 'clusterIP'), undefined);
});

test('types that are owned as a whole are those of upstream', () => {
  for (const name of ['LabelSelector', 'LocalObjectReference', 'OwnerReference', 'EndpointAddress'])
    assert.equal(typeNamed(name)?.isAtomic, true);
  for (const name of ['PodSpec', 'ServicePort', 'ObjectMeta']) assert.equal(typeNamed(name)?.isAtomic, false);
});

test('OpenAPI names are those of upstream', () => {
  assert.equal(typeNamed('apps.v1.Deployment')?.openApiName, 'io.k8s.api.apps.v1.Deployment');
  assert.equal(typeNamed('meta.v1.ObjectMeta')?.openApiName, 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
});
