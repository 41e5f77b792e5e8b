import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { planScenario } from '../testing/scenario.ts';
import { scenarios } from '../testing/scenarios.ts';
import { slimService, slimSlice } from './slim.ts';

const managedFields = [{ manager: 'helm', operation: 'Apply', fieldsV1: { 'f:spec': {} } }];

describe('slimService() and slimSlice()', () => {
  for (const { title, scenario } of scenarios)
    test(`leave what rules depend on: ${title}`, () => {
      const slim = { ...scenario, services: scenario.services.map(slimService), slices: scenario.slices.map(slimSlice) };
      const [whole, left] = [planScenario(scenario, ['random', 'source-hash']), planScenario(slim, ['random', 'source-hash'])];
      assert.deepEqual(left.plans, whole.plans);
      assert.deepEqual(left.warnings, whole.warnings);
    });

  test('keep who a Service is, for Events, and nothing of who wrote it', () => {
    const service: Service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default', uid: 'u1', resourceVersion: '7', managedFields },
      spec: { selector: { app: 'web' }, clusterIP: '10.96.0.1', ports: [{ port: 80 }] },
    };
    const { apiVersion, kind, metadata, spec } = slimService(service);
    assert.deepEqual({ apiVersion, kind }, { apiVersion: 'v1', kind: 'Service' });
    assert.equal(metadata.uid, 'u1');
    assert.equal(metadata.resourceVersion, '7');
    assert.equal(metadata.managedFields, undefined);
    assert.equal(spec?.selector, undefined);
    assert.equal(service.metadata.managedFields, managedFields, 'the object itself stays as it is');
  });

  test('keep of labels and annotations of a Service those that rules heed, and of its cluster IPs no second copy', () => {
    const service = (metadata: object, clusterIPs: string[]): Service => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default', ...metadata },
      spec: { clusterIP: '10.96.0.1', clusterIPs, ipFamilies: ['IPv4'], ports: [{ port: 80 }] },
    });
    const applied = { 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
    const one = slimService(service({ labels: { app: 'web' }, annotations: applied }, ['10.96.0.1']));
    assert.deepEqual([one.metadata.labels, one.metadata.annotations, one.spec?.clusterIPs], [undefined, undefined, undefined]);
    const heeded = {
      labels: { 'service.kubernetes.io/service-proxy-name': 'other', 'service.kubernetes.io/headless': '' },
      annotations: { 'fairlead.dev/lb-algorithm': 'random' },
    };
    const all = { labels: { ...heeded.labels, app: 'web' }, annotations: { ...heeded.annotations, ...applied } };
    const two = slimService(service(all, ['10.96.0.1', 'fd00::1']));
    assert.deepEqual([two.metadata.labels, two.metadata.annotations], [heeded.labels, heeded.annotations]);
    assert.deepEqual(two.spec?.clusterIPs, ['10.96.0.1', 'fd00::1']);
  });

  test('keep what many endpoints have in common once, and nothing of one in another', () => {
    const ready = { ready: true, serving: true, terminating: false };
    const given: EndpointSlice['endpoints'] = [
      { addresses: ['10.0.0.1'], nodeName: 'node1', conditions: ready },
      { addresses: ['10.0.0.2'], nodeName: 'node1', conditions: { ...ready } },
      { addresses: ['10.0.0.3'], nodeName: 'node1', conditions: ready, hints: { forZones: [{ name: 'a' }] } },
      { addresses: ['10.0.0.4'], nodeName: 'node1', conditions: ready, hints: { forZones: [{ name: 'b' }] } },
      { addresses: ['10.0.0.5'], nodeName: 'node2', conditions: { ready: false } },
      { addresses: ['10.0.0.6'], conditions: ready },
      { addresses: [] },
    ];
    const { endpoints = [] } = slimSlice({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'default' },
      addressType: 'IPv4',
      endpoints: given,
    });
    const plain = endpoints.map(({ addresses, nodeName, conditions, hints }) => ({ addresses, nodeName, conditions, hints }));
    assert.deepEqual(
      plain,
      given.map(({ addresses, nodeName, conditions, hints }) => ({ addresses, nodeName, conditions, hints })),
    );
    assert.equal(endpoints[0]?.conditions, endpoints[1]?.conditions);
  });

  test('keep of a slice its Service, when it was triggered and the state of each endpoint, and of an endpoint one address', () => {
    const labels = { 'kubernetes.io/service-name': 'web', 'app.kubernetes.io/name': 'web' };
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z', other: 'x' };
    const slice: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'default', labels, annotations, managedFields },
      addressType: 'IPv4',
      ports: [{ port: 8080 }],
      endpoints: [
        { addresses: ['10.0.0.1', '10.0.0.2'], nodeName: 'node1', targetRef: { kind: 'Pod', name: 'web-1' } },
        { addresses: ['10.0.0.3'], conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['10.0.0.4'], conditions: { ready: true, serving: true, terminating: false } },
      ],
    };
    const { metadata, endpoints } = slimSlice(slice);
    assert.deepEqual(metadata.labels, { 'kubernetes.io/service-name': 'web' });
    assert.deepEqual(metadata.annotations, { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' });
    assert.equal(metadata.managedFields, undefined);
    assert.deepEqual(
      endpoints?.map(({ addresses }) => addresses),
      [['10.0.0.1'], ['10.0.0.3'], ['10.0.0.4']],
    );
    assert.deepEqual(
      endpoints?.map(({ conditions }) => conditions),
      [undefined, { ready: false, serving: true, terminating: true }, { ready: true, serving: true, terminating: false }],
    );
    assert.equal(endpoints?.[0]?.nodeName, 'node1');
    assert.equal(endpoints?.[0]?.targetRef, undefined);
  });
});
