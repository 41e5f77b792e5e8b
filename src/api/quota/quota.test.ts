import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '../resource-types.ts';
import type { Pod, ScopedResourceSelectorRequirement } from '../schema/types.ts';
import { above, added, amountsOf, increase, only, sameAmounts, shown, textsOf, withoutZeros } from './amounts.ts';
import { countedAmounts, specAmounts } from './pod-amounts.ts';
import { countedUnder, evaluatorOf } from './quota.ts';
import { scopeHolds } from './scope-values.ts';

const now = Date.parse('2026-01-01T00:10:00Z');
const object = (value: object): KubeObject => ({ metadata: { name: 'a' }, ...value }) as KubeObject;
const container = (requests: object = {}, limits: object = {}, more: object = {}): object => ({
  name: 'c',
  resources: { requests, limits },
  ...more,
});
const pod = (spec: object, status: object = {}): Pod => object({ spec, status }) as unknown as Pod;
const scope = (scopeName: string, operator = 'Exists', values?: string[]): ScopedResourceSelectorRequirement => ({
  scopeName,
  operator,
  values,
});

describe('amounts', () => {
  const a = amountsOf({ cpu: '500m', memory: '1Gi', zero: '0' });

  test('are summed in the form of the first, of zero in that of the second', () => {
    assert.deepEqual(textsOf(added(a, amountsOf({ cpu: '0.5', memory: '1000', zero: '1Ki', pods: '1' }))), {
      ...{ cpu: '1', memory: '1073742824', zero: '1Ki', pods: '1' },
    });
  });

  test('that are less are no increase', () => {
    assert.deepEqual(textsOf(increase(a, amountsOf({ cpu: '200m', memory: '2Gi' }))), { cpu: '300m', memory: '0', zero: '0' });
  });

  test('are picked, compared and shown by name', () => {
    assert.deepEqual(Object.keys(only(a, ['cpu', 'other'])), ['cpu']);
    assert.deepEqual(Object.keys(withoutZeros(a)), ['cpu', 'memory']);
    assert.deepEqual(above(a, amountsOf({ cpu: '0.5', memory: '1023Mi', zero: '0' })), ['memory']);
    assert.equal(shown(a), 'cpu=500m,memory=1Gi,zero=0');
    assert.deepEqual(
      [
        { cpu: '0.5', memory: '1024Mi', zero: '0' },
        { cpu: '1', memory: '1Gi', zero: '0' },
        { cpu: '500m' },
        { ...textsOf(a), more: '0' },
      ].map((b) => sameAmounts(a, amountsOf(b as Record<string, string>))),
      [true, false, false, false],
    );
  });
});

describe('what a pod asks for', () => {
  test('is the sum of its containers, or what an init container needs beside the sidecars before it', () => {
    const spec = {
      containers: [container({ cpu: '1', memory: '1Gi' }), container({ cpu: '500m' })],
      initContainers: [container({ memory: '3Gi' }), container({ cpu: '1' }, {}, { restartPolicy: 'Always' }), container({ cpu: '2' })],
    };
    assert.deepEqual(textsOf(specAmounts(pod(spec).spec!, 'requests')), { cpu: '3', memory: '3Gi' });
    const small = { ...spec, initContainers: spec.initContainers.slice(1, 2) };
    assert.deepEqual(textsOf(specAmounts(pod(small).spec!, 'requests')), { cpu: '2500m', memory: '1Gi' });
  });

  test('is what is said for the pod as a whole, where that is said', () => {
    const spec = { resources: { requests: { cpu: '4', 'ephemeral-storage': '1' } }, containers: [container({ cpu: '1', memory: '1Gi' })] };
    assert.deepEqual(textsOf(specAmounts(pod(spec).spec!, 'requests')), { cpu: '4', memory: '1Gi' });
  });

  test('counts with what its RuntimeClass costs, of limits where there are any', () => {
    const spec = { overhead: { cpu: '100m', memory: '1Mi' }, containers: [container({ cpu: '1' }, { memory: '1Mi' })] };
    assert.deepEqual(textsOf(countedAmounts(pod(spec), 'requests')), { cpu: '1100m', memory: '1Mi' });
    assert.deepEqual(textsOf(countedAmounts(pod(spec), 'limits')), { memory: '2Mi' });
    assert.deepEqual(textsOf(specAmounts(pod(spec).spec!, 'requests')), { cpu: '1' });
  });

  test('counts as the greater of what is asked and what it has while it is resized', () => {
    const spec = { containers: [container({ cpu: '3' }, { cpu: '3' })] };
    const has = { name: 'c', resources: { requests: { cpu: '1' }, limits: { cpu: '5' } }, allocatedResources: { cpu: '2' } };
    assert.deepEqual(textsOf(countedAmounts(pod(spec, { containerStatuses: [has] }), 'requests')), { cpu: '3' });
    assert.deepEqual(textsOf(countedAmounts(pod(spec, { containerStatuses: [has] }), 'limits')), { cpu: '5' });
    const conditions = [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }];
    assert.deepEqual(textsOf(countedAmounts(pod(spec, { containerStatuses: [has], conditions }), 'requests')), { cpu: '2' });
  });
});

describe('evaluators', () => {
  test('there are for whatever is stored in namespaces', () => {
    assert.equal(evaluatorOf('', 'events'), undefined);
    assert.equal(evaluatorOf('authorization.k8s.io', 'localsubjectaccessreviews'), undefined);
    const deployments = evaluatorOf('apps', 'deployments')!;
    assert.equal(evaluatorOf('apps', 'deployments'), deployments);
    assert.deepEqual(textsOf(deployments.usage(object({}), now)), { 'count/deployments.apps': '1' });
    assert.deepEqual(textsOf(evaluatorOf('', 'secrets')!.usage(object({}), now)), { 'count/secrets': '1', secrets: '1' });
    const create = { operation: 'CREATE' as const, subresource: '', object: object({}), old: undefined };
    assert.deepEqual(
      [create, { ...create, subresource: 'status' }, { ...create, operation: 'UPDATE' as const }].map((w) => deployments.handles(w)),
      [true, false, false],
    );
  });

  test('names lead to what is counted under them', () => {
    for (const [name, found] of [
      ['pods', '/pods'],
      ['requests.cpu', '/pods'],
      ['requests.example.com/gpu', '/pods'],
      ['hugepages-2Mi', '/pods'],
      ['count/pods', '/pods'],
      ['services.nodeports', '/services'],
      ['gold.storageclass.storage.k8s.io/requests.storage', '/persistentvolumeclaims'],
      ['secrets', '/secrets'],
      ['count/secrets', '/secrets'],
      ['count/widgets.example.com', 'example.com/widgets'],
      ['count/events', undefined],
      ['example.com/gpu', undefined],
    ] as const) {
      const counted = countedUnder(name);
      assert.equal(counted && `${counted.group}/${counted.resource}`, found, name);
    }
  });

  test('a pod that has ended, or should be gone, is an object and no more', () => {
    const { usage } = evaluatorOf('', 'pods')!;
    const spec = { containers: [container({ cpu: '1', 'example.com/gpu': '1' }, { cpu: '2' })] };
    const all = { 'count/pods': '1', pods: '1', cpu: '1', 'requests.cpu': '1', 'limits.cpu': '2', 'requests.example.com/gpu': '1' };
    const deleted = (at: string): Pod => ({ ...pod(spec), metadata: { name: 'a', deletionTimestamp: at, deletionGracePeriodSeconds: 30 } });
    assert.deepEqual(textsOf(usage(pod(spec), now)), all);
    assert.deepEqual(textsOf(usage(deleted('2026-01-01T00:09:45Z'), now)), all);
    for (const gone of [pod(spec, { phase: 'Succeeded' }), pod(spec, { phase: 'Failed' }), deleted('2026-01-01T00:09:00Z')])
      assert.deepEqual(textsOf(usage(gone, now)), { 'count/pods': '1' });
  });

  test('pods lack what a quota of cpu or memory must know, unless they say it as a whole', () => {
    const { lacks } = evaluatorOf('', 'pods')!;
    const of = (spec: object): string | undefined => lacks(['limits.memory', 'cpu', 'requests.ephemeral-storage'], pod(spec));
    assert.equal(of({ containers: [container({ cpu: '1' }, { memory: '1' })] }), undefined);
    assert.equal(
      of({ containers: [container(), container({ cpu: '1' }, {}, { name: 'b' })], initContainers: [container({}, {}, { name: 'a' })] }),
      'must specify cpu for: a,c; limits.memory for: a,b,c',
    );
    assert.equal(of({ resources: { requests: { cpu: '1' } }, containers: [container()] }), undefined);
  });

  test('what frees something is told from what does not', () => {
    const pods = evaluatorOf('', 'pods')!;
    const [one, ended] = [pod({ containers: [] }), pod({ containers: [] }, { phase: 'Failed' })];
    const timed = pod({ containers: [], activeDeadlineSeconds: 1 });
    const sized = (cpu: string): Pod => pod({}, { containerStatuses: [{ name: 'c', resources: { requests: { cpu } } }] });
    const freed: [KubeObject, KubeObject, boolean][] = [
      [one, one, false],
      [ended, one, true],
      [one, ended, false],
      [timed, one, true],
      [sized('1'), sized('2'), true],
      [sized('1'), sized('1'), false],
      [sized('1'), one, false],
    ];
    assert.deepEqual(
      freed.map(([a, b]) => pods.frees(a, b, now)),
      freed.map(([, , expected]) => expected),
    );
    const services = evaluatorOf('', 'services')!;
    const typed = (type: string): KubeObject => object({ spec: { type } });
    assert.deepEqual(
      [
        ['NodePort', 'ClusterIP'],
        ['ClusterIP', 'ExternalName'],
        ['LoadBalancer', 'NodePort'],
      ].map(([a, b]) => services.frees(typed(a!), typed(b!), now)),
      [true, false, true],
    );
    const claims = evaluatorOf('', 'persistentvolumeclaims')!;
    const claim = (status: object): KubeObject => object({ spec: { volumeAttributesClassName: 'a' }, status });
    assert.equal(claims.frees(claim({}), claim({ phase: 'Bound' }), now), false);
    assert.equal(claims.frees(claim({}), claim({ allocatedResources: { storage: '1' } }), now), true);
    assert.equal(claims.frees(claim({ currentVolumeAttributesClassName: 'b' }), claim({}), now), true);
  });

  test('scopes hold by the pod, the class of its quality, and its affinity', () => {
    const { isIn } = evaluatorOf('', 'pods')!;
    const plain = pod({ containers: [container()] });
    const asking = pod({ containers: [container({ cpu: '1' })], activeDeadlineSeconds: 0, priorityClassName: 'high' });
    const near = pod({
      containers: [],
      affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ podAffinityTerm: { namespaceSelector: {} } }] } },
    });
    const table: [string, boolean, boolean][] = [
      ['BestEffort', true, false],
      ['NotBestEffort', false, true],
      ['Terminating', false, true],
      ['NotTerminating', true, false],
      ['PriorityClass', false, true],
      ['CrossNamespacePodAffinity', false, false],
      ['VolumeAttributesClass', false, false],
    ];
    for (const [name, a, b] of table) assert.deepEqual([isIn(scope(name), plain), isIn(scope(name), asking)], [a, b], name);
    assert.equal(isIn(scope('CrossNamespacePodAffinity'), near), true);
    assert.equal(isIn(scope('PriorityClass', 'NotIn', ['high']), plain), true);
    const claims = evaluatorOf('', 'persistentvolumeclaims')!;
    const claim = object({
      spec: { volumeAttributesClassName: 'a' },
      status: { modifyVolumeStatus: { targetVolumeAttributesClassName: 'b' } },
    });
    assert.deepEqual(
      [
        ['In', ['b']],
        ['In', ['c']],
        ['DoesNotExist', []],
      ].map(([op, values]) => claims.isIn(scope('VolumeAttributesClass', op as string, values as string[]), claim)),
      [true, false, false],
    );
    assert.equal(claims.isIn(scope('BestEffort'), claim), false);
  });

  test('a scope with values holds as a label selector does', () => {
    const holds = (operator: string, value: string | undefined): boolean => scopeHolds(scope('s', operator, ['a']), value);
    assert.deepEqual(
      ['In', 'NotIn', 'Exists', 'DoesNotExist', '?'].map((op) => [holds(op, 'a'), holds(op, 'b'), holds(op, undefined)]),
      [
        [true, false, false],
        [false, true, true],
        [true, true, false],
        [false, false, true],
        [false, false, false],
      ],
    );
  });

  test('claims count by their class, in whole bytes, and the more of what is asked and what is allocated', () => {
    const { usage } = evaluatorOf('', 'persistentvolumeclaims')!;
    const claim = (more: object, rest: object = {}): KubeObject =>
      object({ spec: { resources: { requests: { storage: '1500m' } }, ...more }, ...rest });
    const class_ = 'gold.storageclass.storage.k8s.io/';
    assert.deepEqual(textsOf(usage(claim({}), now)), {
      'count/persistentvolumeclaims': '1',
      persistentvolumeclaims: '1',
      'requests.storage': '2',
    });
    assert.deepEqual(textsOf(usage(claim({ storageClassName: 'gold' }, { status: { allocatedResources: { storage: '3Gi' } } }), now)), {
      ...{ 'count/persistentvolumeclaims': '1', persistentvolumeclaims: '1', 'requests.storage': '3Gi' },
      ...{ [`${class_}persistentvolumeclaims`]: '1', [`${class_}requests.storage`]: '3Gi' },
    });
    const annotated = claim(
      { storageClassName: 'x' },
      { metadata: { name: 'a', annotations: { 'volume.beta.kubernetes.io/storage-class': 'gold' } } },
    );
    assert.ok(`${class_}requests.storage` in usage(annotated, now));
  });

  test('Services count the node ports that they will have', () => {
    const { usage } = evaluatorOf('', 'services')!;
    const ports = (spec: object): string =>
      shown(
        only(usage(object({ spec: { ports: [{ port: 1 }, { port: 2, nodePort: 30001 }], ...spec } }), now), [
          'services.nodeports',
          'services.loadbalancers',
        ]),
      );
    assert.equal(ports({}), 'services.loadbalancers=0,services.nodeports=0');
    assert.equal(ports({ type: 'NodePort' }), 'services.loadbalancers=0,services.nodeports=2');
    assert.equal(ports({ type: 'LoadBalancer' }), 'services.loadbalancers=1,services.nodeports=2');
    assert.equal(ports({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }), 'services.loadbalancers=1,services.nodeports=1');
  });
});
