import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, EndpointSlice, Service } from '../../api/schema/types.ts';
import { type NameData, serviceNames } from './service-names.ts';

function service(spec: Service['spec']): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'Web', namespace: 'default' }, spec };
}

function slice(endpoints: readonly Partial<Endpoint>[], ports: EndpointSlice['ports'] = [{ name: 'HTTP', port: 8080 }]): EndpointSlice {
  const all = endpoints.map((e) => ({ addresses: [], ...e }));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1' },
    addressType: 'IPv4',
    ports,
    endpoints: all,
  };
}

const base = 'web.default.svc';
const headless = { clusterIP: 'None' };
const http = { name: 'http', port: 80, protocol: 'TCP' } as const;
const longLabel = 'h'.repeat(64);

/** Sentence, Service, slices, its names, its reverse names. */
const table: readonly (readonly [string, Service, readonly EndpointSlice[], Record<string, NameData>, Record<string, string>])[] = [
  [
    'a Service with addresses of both families, and a port of each kind',
    service({
      clusterIP: '10.96.0.7',
      clusterIPs: ['10.96.0.7', 'fd00::7'],
      ports: [http, { port: 53, protocol: 'UDP', name: 'dns' }, { port: 9 }],
    }),
    [],
    {
      [base]: {
        ips: ['10.96.0.7', 'fd00::7'],
        srv: [
          { port: 80, target: base },
          { port: 53, target: base },
          { port: 9, target: base },
        ],
      },
      [`_http._tcp.${base}`]: { ips: ['10.96.0.7', 'fd00::7'], srv: [{ port: 80, target: base }] },
      [`_dns._udp.${base}`]: { ips: ['10.96.0.7', 'fd00::7'], srv: [{ port: 53, target: base }] },
    },
    { '10.96.0.7': base, 'fd00::7': base },
  ],
  [
    'a Service of an older server, with one address and no list',
    service({ clusterIP: '10.96.0.7' }),
    [],
    { [base]: { ips: ['10.96.0.7'] } },
    { '10.96.0.7': base },
  ],
  ['no Service that waits for its address', service({ clusterIP: '', ports: [http] }), [slice([{ addresses: ['10.244.0.1'] }])], {}, {}],
  ['no Service without a spec', service(undefined), [], {}, {}],
  [
    'endpoints of a Service with an address by themselves alone',
    service({ clusterIP: '10.96.0.7' }),
    [slice([{ addresses: ['10.244.0.1'] }])],
    {
      [base]: { ips: ['10.96.0.7'] },
      [`10-244-0-1.${base}`]: { ips: ['10.244.0.1'], srv: [{ port: 8080, target: `10-244-0-1.${base}` }] },
    },
    { '10.96.0.7': base, '10.244.0.1': `10-244-0-1.${base}` },
  ],
  [
    'the Service behind an address that is also an endpoint of it',
    service({ clusterIP: '10.96.0.7' }),
    [slice([{ addresses: ['10.96.0.7'] }], [])],
    { [base]: { ips: ['10.96.0.7'] }, [`10-96-0-7.${base}`]: { ips: ['10.96.0.7'] } },
    { '10.96.0.7': base },
  ],
  [
    'a headless Service by its endpoints, with their host names, and ports by name',
    service(headless),
    [slice([{ addresses: ['10.244.0.1'], hostname: 'Db-0' }, { addresses: ['10.244.0.2'] }])],
    {
      [`db-0.${base}`]: { ips: ['10.244.0.1'], srv: [{ port: 8080, target: `db-0.${base}` }] },
      [base]: {
        ips: ['10.244.0.1', '10.244.0.2'],
        srv: [
          { port: 8080, target: `db-0.${base}` },
          { port: 8080, target: `10-244-0-2.${base}` },
        ],
      },
      [`_http._tcp.${base}`]: {
        ips: ['10.244.0.1', '10.244.0.2'],
        srv: [
          { port: 8080, target: `db-0.${base}` },
          { port: 8080, target: `10-244-0-2.${base}` },
        ],
      },
      [`10-244-0-2.${base}`]: { ips: ['10.244.0.2'], srv: [{ port: 8080, target: `10-244-0-2.${base}` }] },
    },
    { '10.244.0.1': `db-0.${base}`, '10.244.0.2': `10-244-0-2.${base}` },
  ],
  [
    'endpoints that are ready, or do not say',
    service(headless),
    [
      slice(
        [
          { addresses: ['10.244.0.1'], conditions: { ready: true } },
          { addresses: ['10.244.0.2'], conditions: { ready: false } },
          { addresses: ['10.244.0.3'], conditions: {} },
        ],
        [],
      ),
    ],
    {
      [`10-244-0-1.${base}`]: { ips: ['10.244.0.1'] },
      [base]: { ips: ['10.244.0.1', '10.244.0.3'] },
      [`10-244-0-3.${base}`]: { ips: ['10.244.0.3'] },
    },
    { '10.244.0.1': `10-244-0-1.${base}`, '10.244.0.3': `10-244-0-3.${base}` },
  ],
  [
    'the dashes of IPv6, ended by a zero where they end the label, and no host name that is no label',
    service(headless),
    [slice([{ addresses: ['fd00::'] }, { addresses: ['fd00::1'], hostname: longLabel }], [])],
    { [`fd00--0.${base}`]: { ips: ['fd00::'] }, [base]: { ips: ['fd00::', 'fd00::1'] }, [`fd00--1.${base}`]: { ips: ['fd00::1'] } },
    { 'fd00::': `fd00--0.${base}`, 'fd00::1': `fd00--1.${base}` },
  ],
  [
    'no port of all (0), no port without a name by name, and no address that is none',
    service(headless),
    [slice([{ addresses: ['10.244.0.1', 'host.example'] }], [{ name: 'all' }, { port: 9, name: '' }])],
    {
      [`10-244-0-1.${base}`]: { ips: ['10.244.0.1'], srv: [{ port: 9, target: `10-244-0-1.${base}` }] },
      [base]: { ips: ['10.244.0.1'], srv: [{ port: 9, target: `10-244-0-1.${base}` }] },
    },
    { '10.244.0.1': `10-244-0-1.${base}` },
  ],
  ['lists that Go wrote as null', service(headless), [{ ...slice([]), endpoints: null as never, ports: null as never }], {}, {}],
  [
    'an ExternalName as its alias',
    service({ type: 'ExternalName', externalName: 'WWW.Example.com.' }),
    [],
    { [base]: { cname: 'www.example.com' } },
    {},
  ],
  ['no ExternalName that is an address', service({ type: 'ExternalName', externalName: '192.0.2.1' }), [], {}, {}],
  ['no ExternalName that is no name', service({ type: 'ExternalName', externalName: `${longLabel}.example` }), [], {}, {}],
  ['no ExternalName without one', service({ type: 'ExternalName' }), [], {}, {}],
];

for (const [sentence, object, slices, names, pointers] of table) {
  test(`serviceNames() gives ${sentence}`, () => {
    const got = serviceNames(object, slices);
    assert.equal(got.base, base);
    assert.deepEqual(Object.fromEntries(got.names), names);
    assert.deepEqual(Object.fromEntries(got.pointers), pointers);
  });
}
