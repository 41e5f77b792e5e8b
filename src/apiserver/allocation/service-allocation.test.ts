import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../testing/test-server.ts';

const services = '/api/v1/namespaces/default/services';
const merge = { type: 'application/merge-patch+json' };

describe('addresses and ports of Services', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
  });
  after(() => s.stop());

  const create = (name: string, spec: object, query = ''): ReturnType<TestServer['call']> =>
    s.call('POST', services + query, { metadata: { name }, spec: { selector: { a: 'b' }, ports: [{ port: 80 }], ...spec } });

  test('gives every Service an address of its own, also to a hundred at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => create(`many-${i}`, { type: 'NodePort' })));
    const field = (pick: (spec: { clusterIP: string; ports: { nodePort: number }[] }) => unknown): number =>
      new Set(all.map((r) => pick(r.body.spec))).size;
    assert.equal(
      field((spec) => spec.clusterIP),
      100,
    );
    assert.equal(
      field((spec) => spec.ports[0]?.nodePort),
      100,
    );
    for (const { body } of all) assert.match(body.spec.clusterIP, /^10\.96\./);
  });

  for (const [what, spec, message] of [
    ['an address that is taken', { clusterIP: '10.96.0.1' }, /failed to allocate IP 10.96.0.1: provided IP is already allocated/],
    [
      'an address outside the range',
      { clusterIP: '10.97.0.1' },
      /failed to allocate IP 10.97.0.1: the provided network does not match the current range/,
    ],
    ['the network address', { clusterIP: '10.96.0.0' }, /is not in the valid range/],
    [
      'a port outside the range',
      { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] },
      /Service "refused" is invalid: spec.ports\[0\].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767/,
    ],
    [
      'a port that is taken',
      { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] },
      /nodePort: Invalid value: 30080: provided port is already allocated/,
    ],
  ] as const) {
    test(`refuses ${what}`, async () => {
      await create('holder', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] });
      const reply = await create('refused', spec);
      assert.equal(reply.status, 422, reply.text);
      assert.match(reply.body.message, message);
    });
  }

  test('frees what a deleted or changed Service had', async () => {
    // From the part of the range that is not given out by chance: a hundred Services above hold some of the rest.
    const ports = [{ port: 80, nodePort: 30010 }];
    await create('free', { type: 'NodePort', ports, clusterIP: '10.96.0.200' });
    await s.call('PATCH', `${services}/free`, { spec: { ports: [{ port: 80, nodePort: 30011 }] } }, merge);
    assert.equal((await create('second', { type: 'NodePort', ports })).status, 201);
    await s.call('DELETE', `${services}/free`);
    assert.equal(
      (await create('third', { type: 'NodePort', ports: [{ port: 80, nodePort: 30011 }], clusterIP: '10.96.0.200' })).status,
      201,
    );
  });

  test('takes nothing for a dry run, nor for a name that exists', async () => {
    const ports = [{ port: 80, nodePort: 30020 }];
    assert.equal((await create('dry', { type: 'NodePort', ports }, '?dryRun=All')).body.spec.ports[0].nodePort, 30020);
    assert.equal((await create('kubernetes', { type: 'NodePort', ports })).status, 409);
    assert.equal((await create('dry', { type: 'NodePort', ports })).status, 201);
  });

  test('shares a node port between TCP and UDP of one port', async () => {
    const { body } = await create('dns', {
      type: 'NodePort',
      ports: [
        { name: 't', port: 53 },
        { name: 'u', port: 53, protocol: 'UDP' },
      ],
    });
    assert.equal(body.spec.ports[0].nodePort, body.spec.ports[1].nodePort);
  });

  test('gives a headless Service none, and an ExternalName neither', async () => {
    assert.equal((await create('headless', { clusterIP: 'None' })).body.spec.clusterIP, 'None');
    const external = await create('external', { type: 'ExternalName', externalName: 'example.com' });
    assert.equal(external.body.spec.clusterIP, undefined);
  });

  test('leaves an address alone that is kept for something else', async () => {
    const path = '/apis/networking.k8s.io/v1/ipaddresses';
    const spec = { parentRef: { group: 'example.com', resource: 'gateways', name: 'g' } };
    assert.equal((await s.call('POST', path, { metadata: { name: '10.96.0.222' }, spec })).status, 201);
    assert.match((await create('late', { clusterIP: '10.96.0.222' })).body.message, /provided IP is already allocated/);
    await s.call('DELETE', `${path}/10.96.0.222`);
    assert.equal((await create('late', { clusterIP: '10.96.0.222' })).status, 201);
  });

  test('takes addresses from a ServiceCIDR while it is ready', async () => {
    const path = '/apis/networking.k8s.io/v1/servicecidrs';
    assert.equal((await s.call('POST', path, { metadata: { name: 'more' }, spec: { cidrs: ['10.50.0.0/28'] } })).status, 201);
    assert.match((await create('far', { clusterIP: '10.50.0.3' })).body.message, /does not match the current range/);
    const conditions = [{ type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }];
    assert.equal((await s.call('PATCH', `${path}/more/status`, { status: { conditions } }, merge)).status, 200);
    assert.equal((await create('far', { clusterIP: '10.50.0.3' })).body.spec.clusterIP, '10.50.0.3');
    assert.match((await create('near', { clusterIP: '10.50.0.3' })).body.message, /already allocated/);
    assert.match((await create('near', { clusterIP: '10.50.0.15' })).body.message, /valid IPs is 10.50.0.0\/28/);
    await s.call('DELETE', `${path}/more`);
    assert.match((await create('near', { clusterIP: '10.50.0.4' })).body.message, /does not match the current range/);
    // A range that comes back knows who has what.
    await s.call('POST', path, { metadata: { name: 'again' }, spec: { cidrs: ['10.50.0.0/24'] } });
    await s.call('PATCH', `${path}/again/status`, { status: { conditions } }, merge);
    assert.match((await create('near', { clusterIP: '10.50.0.3' })).body.message, /already allocated/);
  });
});

describe('a range that is full', () => {
  test('is followed by the next one', async () => {
    const s = await TestServer.start(undefined, { serviceCidr: '10.96.0.0/30' });
    try {
      const create = (name: string): ReturnType<TestServer['call']> =>
        s.call('POST', services, { metadata: { name }, spec: { ports: [{ port: 80 }] } });
      assert.equal((await create('a')).body.spec.clusterIP, '10.96.0.2');
      assert.match((await create('b')).body.message, /range is full \(10.96.0.0\/30\)/);
      const path = '/apis/networking.k8s.io/v1/servicecidrs';
      await s.call('POST', path, { metadata: { name: 'more' }, spec: { cidrs: ['10.50.0.0/30'] } });
      const conditions = [{ type: 'Ready', status: 'True', reason: '', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }];
      await s.call('PATCH', `${path}/more/status`, { status: { conditions } }, merge);
      assert.match((await create('b')).body.spec.clusterIP, /^10\.50\.0\.[12]$/);
    } finally {
      await s.stop();
    }
  });
});
