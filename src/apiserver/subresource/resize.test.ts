import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Reply, TestServer } from '../testing/test-server.ts';

describe('the resize of a pod', () => {
  const pods = '/api/v1/namespaces/default/pods';
  const limits = { cpu: '20m', memory: '20Mi' };
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
    const containers = [
      { name: 'a', image: 'i', resources: { limits: { ...limits, 'x.com/y': '1' } } },
      { name: 'b', image: 'i', resources: { limits } },
    ];
    const initContainers = [{ name: 'i', image: 'i', resources: { limits } }];
    await s.call('POST', pods, { metadata: { name: 'one' }, spec: { containers, initContainers } });
  });
  after(() => s.stop());

  const resize = (spec: object, status?: object): Promise<Reply> =>
    s.call('PATCH', `${pods}/one/resize`, { spec, status }, { type: 'application/strategic-merge-patch+json' });
  const containers = (name: string, resources: object, more: object = {}): object => ({ containers: [{ name, resources, ...more }] });

  test('changes what its containers ask for, and nothing else', async () => {
    const more = { requests: { cpu: '30m' }, limits: { cpu: '0.03' } };
    const { status, body } = await resize({ ...containers('b', more, { image: 'other' }), nodeName: 'n' }, { phase: 'Failed' });
    assert.equal(status, 200);
    const [, b] = body.spec.containers;
    assert.deepEqual(b.resources, { limits: { cpu: '30m', memory: '20Mi' }, requests: { cpu: '30m', memory: '20Mi' } });
    assert.deepEqual([b.image, body.spec.nodeName, body.status.phase, body.metadata.generation], ['i', undefined, 'Pending', 2]);
  });

  for (const [what, spec, message] of [
    ['another class of service', containers('b', { requests: { cpu: '10m' } }), /Pod QOS Class may not change as a result of resizing/],
    [
      'a limit taken away',
      containers('b', { limits: { cpu: null } }),
      /containers\[1\].resources.limits: Forbidden: resource limits cannot/,
    ],
    ['another kind of resource', containers('a', { limits: { 'x.com/y': '2' } }), /only cpu and memory resources are mutable/],
    [
      'another policy',
      containers('b', {}, { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }),
      /only cpu and memory resources are mutable/,
    ],
    [
      'an init container',
      { initContainers: [{ name: 'i', resources: { limits: { cpu: '1' } } }] },
      /non-sidecar init containers are immutable/,
    ],
    ['more requested than the limit', containers('b', { requests: { cpu: '1' } }), /must be less than or equal to cpu limit/],
  ] as const)
    test(`is refused with ${what}`, async () => {
      const { status, body } = await resize(spec);
      assert.equal(status, 422);
      assert.match(body.message, message);
    });

  test('is refused with containers in another order, of other names, or one less', async () => {
    const { body: pod } = await s.call('GET', `${pods}/one`);
    const [a, b] = pod.spec.containers;
    for (const [containers, message] of [
      [
        [b, a],
        /spec.containers\[0\].name: Forbidden: containers may not be renamed or reordered on resize, spec.containers\[1\].name: Forb/,
      ],
      [[a, { ...b, name: 'c' }], /: spec.containers\[1\].name: Forbidden: containers may not be renamed or reordered on resize$/],
      [[a], /: spec.containers: Forbidden: containers may not be added or removed on resize$/],
    ] as const) {
      const { status, body } = await s.call('PUT', `${pods}/one/resize`, { ...pod, spec: { ...pod.spec, containers } });
      assert.equal(status, 422);
      assert.match(body.message, message);
    }
  });

  test('is refused where the kubelet does not say what a container has', async () => {
    const running = { name: 'a', state: { running: {} }, ready: true, restartCount: 0, image: 'i', imageID: '' };
    const patch = { status: { containerStatuses: [running] } };
    await s.call('PATCH', `${pods}/one/status`, patch, { type: 'application/merge-patch+json' });
    const { status, body } = await resize(containers('b', { requests: { cpu: '40m' }, limits: { cpu: '40m' } }));
    assert.deepEqual([status, /Pod running on node without support for resize/.test(body.message)], [422, true]);
  });
});
