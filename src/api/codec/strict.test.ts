import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFields, isUnknownField } from './strict.ts';

function errorsOf(object: object, type = 'Pod'): readonly string[] {
  return checkFields(object, type);
}

test('unknown fields are named by their path and dropped', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    foo: 1,
    metadata: { name: 'x', bar: {} },
    spec: { containers: [{ name: 'a' }, { name: 'b', imag: 'y' }] },
  };
  assert.deepEqual(errorsOf(pod), ['unknown field "foo"', 'unknown field "metadata.bar"', 'unknown field "spec.containers[1].imag"']);
  assert.deepEqual(pod, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: { containers: [{ name: 'a' }, { name: 'b' }] } });
});

test('an unknown field is found below the key of a map', () => {
  const slice = { spec: { devices: [{ name: 'd' }, { name: 'e', attributes: { a: { foo: 1 } } }] } };
  assert.deepEqual(errorsOf(slice, 'ResourceSlice'), ['unknown field "spec.devices[1].attributes.a.foo"']);
});

test('a value of a wrong type gets the message of encoding/json', () => {
  for (const [spec, message] of [
    [{ replicas: '3' }, 'string into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [{ replicas: 1.5 }, 'number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [{ replicas: 3_000_000_000 }, 'number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [{ paused: 'yes' }, 'string into Go struct field DeploymentSpec.spec.paused of type bool'],
    [{ selector: [] }, 'array into Go struct field DeploymentSpec.spec.selector of type v1.LabelSelector'],
    [
      { template: { spec: { containers: {} } } },
      'object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [
      { template: { metadata: { labels: { a: 1 } } } },
      'number into Go struct field ObjectMeta.spec.template.metadata.labels of type string',
    ],
    [
      { template: { spec: { containers: [{ env: [{ value: true }] }] } } },
      'bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type string',
    ],
    [
      { template: { spec: { nodeSelector: 'x' } } },
      'string into Go struct field PodSpec.spec.template.spec.nodeSelector of type map[string]string',
    ],
  ] as const) {
    assert.deepEqual(errorsOf({ spec }, 'apps.v1.Deployment'), [`json: cannot unmarshal ${message}`]);
  }
});

test('nulls mean not set, and zero inside lists and maps', () => {
  const pod = { metadata: { name: 'x', creationTimestamp: null, labels: { a: null } }, spec: null, status: { conditions: [null] } };
  assert.deepEqual(errorsOf(pod), []);
  assert.deepEqual(pod, { metadata: { name: 'x', labels: { a: '' } }, status: { conditions: [{}] } });
});

test('quantities become canonical, numbers are taken', () => {
  const resources = { limits: { cpu: 0.5, memory: '1024Mi' } };
  assert.deepEqual(errorsOf({ spec: { containers: [{ resources }] } }), []);
  assert.deepEqual(resources, { limits: { cpu: '500m', memory: '1Gi' } });
  assert.match(errorsOf({ spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } })[0] ?? '', /^quantities must match/);
});

test('base64, times and int-or-strings are checked', () => {
  assert.deepEqual(errorsOf({ data: { a: 'aGk=', b: 'aGk' } }, 'Secret'), ['illegal base64 data at input byte 0']);
  assert.deepEqual(errorsOf({ data: { a: 'a*k=' } }, 'Secret'), ['illegal base64 data at input byte 1']);
  const wrong = errorsOf({ metadata: { deletionTimestamp: 'yesterday' } })[0] ?? '';
  assert.equal(wrong, 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"');
  assert.deepEqual(
    errorsOf(
      {
        spec: {
          ports: [
            { port: 1, targetPort: 'http' },
            { port: 2, targetPort: 80 },
          ],
        },
      },
      'Service',
    ),
    [],
  );
  assert.equal(errorsOf({ spec: { ports: [{ targetPort: true }] } }, 'Service').length, 1);
});

test('a time gets its one form; a MicroTime that Go clients cannot read is refused', () => {
  const pod = { metadata: { deletionTimestamp: '2026-01-01T02:00:00.5+02:00' }, status: { startTime: '2026-01-01T00:00:00Z' } };
  assert.deepEqual(errorsOf(pod), []);
  assert.deepEqual(pod, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' }, status: { startTime: '2026-01-01T00:00:00Z' } });
  const renewed = (renewTime: string): number => errorsOf({ spec: { renewTime } }, 'Lease').length;
  assert.deepEqual(['2026-01-01T00:00:00.000001Z', '2026-01-01T02:00:00.000000+02:00'].map(renewed), [0, 0]);
  assert.deepEqual(['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.5Z', '2026-01-01T00:00:00.0000001Z', 'now'].map(renewed), [1, 1, 1, 1]);
});

test('what Go would not write is not there; where a zero counts it stays, and so does an empty struct', () => {
  const spec = {
    replicas: 0,
    paused: false,
    minReadySeconds: 0,
    selector: { matchLabels: {} },
    template: {
      metadata: { labels: {}, annotations: { a: '' } },
      spec: {
        hostNetwork: false,
        tolerations: [],
        nodeSelector: {},
        hostname: '',
        automountServiceAccountToken: false,
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ name: 'c', args: [], env: [{ name: 'A', value: '' }], resources: {}, securityContext: {} }],
      },
    },
  };
  assert.deepEqual(errorsOf({ spec }, 'apps.v1.Deployment'), []);
  assert.deepEqual(spec, {
    replicas: 0,
    selector: {},
    template: {
      metadata: { annotations: { a: '' } },
      spec: {
        automountServiceAccountToken: false,
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ name: 'c', env: [{ name: 'A' }], resources: {}, securityContext: {} }],
      },
    },
  });
  const forgetful = { metadata: { managedFields: [] } };
  assert.deepEqual(errorsOf(forgetful), []);
  assert.deepEqual(forgetful, { metadata: { managedFields: [] } });
});

test('apiVersion and kind belong to the root and to embedded objects only', () => {
  assert.deepEqual(errorsOf({ kind: 'Pod', spec: { kind: 'x' } }), ['unknown field "spec.kind"']);
  assert.deepEqual(errorsOf({ deleteOptions: { apiVersion: 'v1', kind: 'DeleteOptions' } }, 'Eviction'), []);
  assert.deepEqual(errorsOf({ kind: 7 }), ['json: cannot unmarshal number into Go struct field Pod.kind of type string']);
});

test('unknown fields can be told from wrong values', () => {
  const errors = errorsOf({ foo: 1, spec: 'x' });
  assert.deepEqual(errors.map(isUnknownField), [true, false]);
});

test('an unknown type has no errors, and a flood of unknown fields is cut', () => {
  assert.deepEqual(errorsOf({ anything: 1 }, 'example.com.v1.Toy'), []);
  assert.equal(errorsOf(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, 1]))).length, 100);
});
