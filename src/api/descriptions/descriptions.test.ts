import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { typeNamed } from '../schema/schema.ts';
import { descriptions, fieldDescription, typeDescription } from './descriptions.ts';

const kinds = [
  ...['Pod', 'Service', 'ConfigMap', 'Secret', 'Namespace', 'Node', 'ServiceAccount', 'Event', 'Endpoints', 'EndpointSlice', 'Lease'],
  ...['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'PodDisruptionBudget', 'PriorityClass'],
  ...['Ingress', 'IngressClass', 'NetworkPolicy', 'PersistentVolumeClaim', 'StorageClass', 'ServiceCIDR', 'IPAddress'],
  ...['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding', 'ResourceQuota', 'LimitRange', 'ReplicationController'],
];

describe('descriptions', () => {
  test('speak of types and fields that there are', () => {
    for (const [name, { fields }] of descriptions().byShortName) {
      if (name === '*') continue;
      const type = typeNamed(name);
      assert.ok(type, name);
      for (const field of fields.keys())
        assert.ok(type.jsonFields.has(field) || ['apiVersion', 'kind'].includes(field), `${name}.${field}`);
    }
  });

  test('are sentences', () => {
    const texts = [...descriptions().byShortName].flatMap(([, { text, fields }]) => [text, ...fields.values()]);
    assert.deepEqual(
      texts.filter((text) => !/^[*A-Za-z].*[.…]$/.test(text)),
      [],
    );
  });

  for (const kind of kinds)
    test(`leave out nothing that kubectl explain ${kind} shows first: the kind, its spec and their fields`, () => {
      const type = typeNamed(kind);
      assert.ok(type);
      const shown = [type, ...['spec', 'template'].flatMap((field) => type.jsonFields.get(field)?.type ?? [])];
      const silent = shown.flatMap((one) => [
        ...(typeDescription(one.name) === undefined ? [one.name] : []),
        ...[...one.jsonFields.keys()].filter((f) => fieldDescription(one.name, f) === undefined).map((f) => `${one.name}.${f}`),
      ]);
      assert.deepEqual(silent, []);
    });

  test('leave out nothing of a container, its probes, ports, environment and rights', () => {
    for (const name of [
      'Container',
      'Probe',
      'ContainerPort',
      'EnvVar',
      'EnvVarSource',
      'ResourceRequirements',
      'VolumeMount',
      'SecurityContext',
      'ObjectMeta',
    ]) {
      const type = typeNamed(name)!;
      assert.deepEqual(
        [...type.jsonFields.keys()].filter((f) => fieldDescription(type.name, f) === undefined),
        [],
        name,
      );
    }
  });

  test('of another type hold where a type says that it is like it', () => {
    assert.equal(fieldDescription('core.v1.EphemeralContainer', 'image'), fieldDescription('core.v1.Container', 'image'));
    assert.notEqual(fieldDescription('core.v1.EphemeralContainer', 'targetContainerName'), undefined);
    for (const [name, { like }] of descriptions().byShortName)
      assert.ok(like === undefined || descriptions().byShortName.has(like), `${name} < ${like}`);
  });

  test('of a condition hold for the conditions of every kind', () => {
    assert.equal(fieldDescription('apps.v1.DeploymentCondition', 'status'), 'The answer: True, False or Unknown.');
    assert.equal(fieldDescription('core.v1.Pod', 'status')?.startsWith('What is'), true);
  });
});
