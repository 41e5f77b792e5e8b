/** Defaults and bounds of LimitRanges. `test/interop/resource-quotas.test.ts` compares the words with kube-apiserver's. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Pod } from '../../api/schema/types.ts';
import { person } from '../auth/testing/fake-objects.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { AdmissionRequest } from './admission.ts';
import { limitRanger } from './limit-ranger.ts';

const registry = new Registry();

function admitted(resource: string, object: object, limits: readonly object[], given: Partial<AdmissionRequest> = {}): Pod {
  const lookup = { list: (_: unknown, namespace: string) => (namespace === 'default' ? [{ spec: { limits } }] : []) } as unknown as Pick<
    Lookup,
    'list'
  >;
  const plugin = limitRanger(lookup);
  const request: AdmissionRequest = {
    ...{ operation: 'CREATE', row: registry.rowOf('', 'v1', resource)!, subresource: '', namespace: 'default', name: 'a', dryRun: false },
    ...{ warnings: [], user: person('jane'), object: object as KubeObject, old: undefined },
    ...given,
  };
  void plugin.mutate?.(request, false);
  void plugin.validate?.(request);
  return request.object as Pod;
}

const container = (requests?: object, limits?: object, name: string = 'c'): object => ({
  name,
  ...(requests || limits ? { resources: { requests, limits } } : {}),
});
const pod = (spec: object, metadata: object = {}): object => ({ metadata: { name: 'a', ...metadata }, spec });

describe('LimitRanger', () => {
  const defaults = [
    { type: 'Container', default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '500m' } },
    { type: 'Pod', default: { cpu: '9' } },
  ];

  test('sets what containers do not say, and tells in an annotation', () => {
    const spec = {
      containers: [container({ cpu: '2' }, { cpu: '3' }), container()],
      initContainers: [container(undefined, undefined, 'i')],
    };
    const { metadata, spec: made } = admitted('pods', pod(spec, { annotations: { a: 'b' } }), defaults);
    assert.deepEqual(
      [...made!.containers, ...made!.initContainers!].map((c) => c.resources),
      [
        { requests: { cpu: '2' }, limits: { cpu: '3', memory: '1Gi' } },
        { requests: { cpu: '500m' }, limits: { cpu: '1', memory: '1Gi' } },
        { requests: { cpu: '500m' }, limits: { cpu: '1', memory: '1Gi' } },
      ],
    );
    assert.deepEqual(metadata.annotations, {
      a: 'b',
      'kubernetes.io/limit-ranger':
        'LimitRanger plugin set: memory limit for container c; cpu request for container c; cpu, memory limit for container c; cpu request for init container i; cpu, memory limit for init container i',
    });
  });

  test('leaves a pod as it is that says all, one of another namespace, and one that is there', () => {
    const full = pod({ containers: [container({ cpu: '1' }, { cpu: '1', memory: '1Gi' })] });
    assert.deepEqual(admitted('pods', structuredClone(full), defaults), full);
    const bare = pod({ containers: [container()] });
    for (const given of [
      { namespace: 'other' },
      { operation: 'UPDATE', old: bare as KubeObject },
      { subresource: 'binding' },
      { operation: 'DELETE' },
    ] as const)
      assert.deepEqual(admitted('pods', structuredClone(bare), defaults, given), bare, JSON.stringify(given));
  });

  const bounds = { type: 'Container', min: { cpu: '100m' }, max: { cpu: '2', memory: '1Gi' }, maxLimitRequestRatio: { cpu: '2' } };
  const refusals: readonly (readonly [what: string, container: object, why: RegExp])[] = [
    [
      'too little of a request',
      container({ cpu: '50m' }, { cpu: '100m', memory: '1Gi' }),
      /: minimum cpu usage per Container is 100m, but request is 50m$/,
    ],
    [
      'too little of a limit',
      container({ cpu: '100m' }, { cpu: '99m', memory: '1Gi' }),
      /: minimum cpu usage per Container is 100m, but limit is 99m$/,
    ],
    [
      'too much of a limit',
      container({ cpu: '1500m' }, { cpu: '2.5', memory: '1Gi' }),
      /: maximum cpu usage per Container is 2, but limit is 2500m$/,
    ],
    [
      'too much of a request',
      container({ cpu: '3' }, { cpu: '2', memory: '1Gi' }),
      /: maximum cpu usage per Container is 2, but request is 3$/,
    ],
    ['no limit', container({ cpu: '1' }, { cpu: '1' }), /: maximum memory usage per Container is 1Gi. {2}No limit is specified$/],
    [
      'a ratio above the highest',
      container({ cpu: '100m' }, { cpu: '201m', memory: '1' }),
      /: cpu max limit to request ratio per Container is 2, but provided ratio is 2.010000$/,
    ],
    [
      'several things at once',
      container(undefined, { cpu: '1', memory: '2Gi' }),
      /forbidden: \[minimum cpu.* No request is specified, maximum memory.*, cpu max limit.* request is 0\]$/,
    ],
    [
      'a ratio without a limit',
      container({ cpu: '1' }, { memory: '1' }),
      /, cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0\]$/,
    ],
  ];
  for (const [what, one, why] of refusals)
    test(`refuses ${what}, of init containers too`, () => {
      for (const spec of [{ containers: [one] }, { containers: [], initContainers: [one] }])
        assert.throws(
          () => admitted('pods', pod(spec), [bounds]),
          (err: Error) => why.test(err.message),
        );
    });

  test('lets pass what is just within bounds', () => {
    admitted('pods', pod({ containers: [container({ cpu: '1' }, { cpu: '2', memory: '1Gi' })] }), [bounds]);
    admitted('pods', pod({ containers: [container({ cpu: '100m' }, { cpu: '100m', memory: '1Gi' })] }), [bounds]);
  });

  test('holds a whole pod to bounds by the sum of its containers', () => {
    const spec = { containers: [container({ cpu: '1' }, { cpu: '1' }), container({ cpu: '1' }, { cpu: '1' })] };
    assert.throws(
      () => admitted('pods', pod(spec), [{ type: 'Pod', max: { cpu: '1500m' } }]),
      /maximum cpu usage per Pod is 1500m, but limit is 2$/,
    );
    admitted('pods', pod(spec), [{ type: 'Pod', max: { cpu: '2' }, min: { cpu: '2' }, maxLimitRequestRatio: { cpu: '1' } }]);
  });

  test('holds a resize to bounds, and what is being deleted to none', () => {
    const object = pod({ containers: [container({ cpu: '9' }, { cpu: '9', memory: '1' })] }) as KubeObject;
    const given = { operation: 'UPDATE', subresource: 'resize', old: object } as const;
    assert.throws(() => admitted('pods', object, [bounds], given), /but limit is 9/);
    admitted('pods', object, [bounds], { ...given, old: pod({}, { deletionTimestamp: 'x' }) as KubeObject });
  });

  test('holds claims to bounds of what they request', () => {
    const claim = (storage?: string): object => ({
      metadata: { name: 'a' },
      spec: { resources: { requests: storage ? { storage } : {} } },
    });
    const limits = [{ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } }, bounds];
    admitted('persistentvolumeclaims', claim('1Gi'), limits);
    assert.throws(
      () => admitted('persistentvolumeclaims', claim('1Mi'), limits),
      /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi$/,
    );
    assert.throws(
      () => admitted('persistentvolumeclaims', claim('3Gi'), limits, { operation: 'UPDATE', old: claim('1Gi') as KubeObject }),
      /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi$/,
    );
    assert.throws(
      () => admitted('persistentvolumeclaims', claim(), [limits[0]!]),
      /\[minimum.* {2}No request is specified, maximum.* {2}No request is specified\]$/,
    );
  });
});
