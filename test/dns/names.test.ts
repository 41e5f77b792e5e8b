/** What dig sees, from objects in a real API server to records. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { EndpointSlice } from '../../src/api/schema/types.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import type { DnsServer } from '../../src/dns/server/server.ts';
import { clusterDnsService } from '../../src/main/cluster-dns.ts';
import { DnsCluster, dig, startResolver } from './cluster.ts';

let cluster: DnsCluster;
let resolver: DnsServer;
let port: number;
let ports: ReadonlyMap<string, number>;

const servicesPath = '/api/v1/namespaces/default/services';
const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';

function slice(service: string, n: number, endpoints: EndpointSlice['endpoints'], more: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-${n}`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    endpoints,
    ...more,
  };
}

before(async () => {
  cluster = await DnsCluster.start();
  const { api } = cluster;
  const make = async (path: string, object: object): Promise<void> => {
    const reply = await api.call('POST', path, object);
    assert.equal(reply.status, 201, reply.text);
  };
  const service = (name: string, spec: object): Promise<void> =>
    make(servicesPath, { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec });
  await make('/api/v1/namespaces/kube-system/services', clusterDnsService('10.96.0.10'));
  await service('web', {
    clusterIP: '10.96.0.7',
    ports: [
      { name: 'http', port: 80 },
      { name: 'admin', port: 81 },
    ],
  });
  await service('db', { clusterIP: 'None', publishNotReadyAddresses: true, ports: [{ name: 'sql', port: 5432 }] });
  await service('empty', { clusterIP: 'None' });
  await service('portless', { clusterIP: 'None' });
  const alias = (name: string, externalName: string): Promise<void> => service(name, { type: 'ExternalName', externalName });
  await alias('out', 'example.com');
  await alias('in', 'web.default.svc.cluster.local');
  await alias('twice', 'in.default.svc.cluster.local');
  await alias('dangling', 'nobody.default.svc.cluster.local');
  await alias('gone', 'gone.example.com');
  await alias('loop-a', 'loop-b.default.svc.cluster.local');
  await alias('loop-b', 'loop-a.default.svc.cluster.local');
  await alias('numeric', '192.0.2.1');
  await make(
    slicesPath,
    slice('web', 1, [{ addresses: ['10.244.1.5'], conditions: { ready: true } }], {
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    }),
  );
  await make(
    slicesPath,
    slice('db', 1, [{ addresses: ['10.244.1.2'], hostname: 'db-0', conditions: { ready: true } }, { addresses: ['10.244.2.3'] }]),
  );
  await make(slicesPath, slice('db', 2, [{ addresses: ['10.244.3.4'], conditions: { ready: false } }]));
  await make(slicesPath, slice('db', 3, [{ addresses: ['fd00:10:244::'], conditions: { ready: true } }], { addressType: 'IPv6' }));
  await make(slicesPath, slice('portless', 1, [{ addresses: ['10.244.5.5'] }], { ports: [] }));
  resolver = await startResolver();
  const { dns, port: at } = await cluster.dns(await cluster.client('system:fairlead:dns:node1', 'system:fairlead:dns'), {
    upstreams: () => [resolver],
    publish: { namespace: 'kube-system', service: 'kube-dns', nodeName: 'node1', address: '192.0.2.11' },
    healthAddress: '127.0.0.1:0',
    readyAddress: 'localhost:0',
    metricsAddress: 'localhost:0',
  });
  port = at;
  ports = dns.ports;
});

after(async () => {
  await cluster?.stop();
  await resolver?.close();
});

const zone = 'cluster.local.';
const web = `web.default.svc.${zone}`;
const db = `db.default.svc.${zone}`;

/** Sentence, question, status, answers, additional. */
const table: readonly (readonly [string, string, string, readonly string[], (readonly string[])?])[] = [
  ['a Service', `${web} A`, 'NOERROR', [`${web} A 10.96.0.7`]],
  ['a family that the Service does not have', `${web} AAAA`, 'NOERROR', []],
  ['ANY', `${web} ANY +notcp`, 'NOERROR', []],
  ['a port of a Service', `_http._tcp.${web} SRV`, 'NOERROR', [`_http._tcp.${web} SRV 0 100 80 ${web}`], [`${web} A 10.96.0.7`]],
  [
    'every port of a Service at its own name',
    `${web} SRV`,
    'NOERROR',
    [`${web} SRV 0 50 80 ${web}`, `${web} SRV 0 50 81 ${web}`],
    [`${web} A 10.96.0.7`],
  ],
  ['the address behind a port', `_http._tcp.${web} A`, 'NOERROR', [`_http._tcp.${web} A 10.96.0.7`]],
  ['a port with another protocol', `_http._udp.${web} SRV`, 'NXDOMAIN', []],
  ['a port that the Service does not have', `_nix._tcp.${web} SRV`, 'NXDOMAIN', []],
  ['an endpoint of a Service with an address', `10-244-1-5.${web} A`, 'NOERROR', [`10-244-1-5.${web} A 10.244.1.5`]],
  [
    'the port of such an endpoint',
    `10-244-1-5.${web} SRV`,
    'NOERROR',
    [`10-244-1-5.${web} SRV 0 100 8080 10-244-1-5.${web}`],
    [`10-244-1-5.${web} A 10.244.1.5`],
  ],
  ['an endpoint that is not there', `10-244-9-9.${web} A`, 'NXDOMAIN', []],
  ['a headless Service, several slices, ready ones only', `${db} A`, 'NOERROR', [`${db} A 10.244.1.2`, `${db} A 10.244.2.3`]],
  ['a headless Service over IPv6', `${db} AAAA`, 'NOERROR', [`${db} AAAA fd00:10:244::`]],
  [
    'the endpoints of a port',
    `_sql._tcp.${db} SRV`,
    'NOERROR',
    [
      `_sql._tcp.${db} SRV 0 33 5432 10-244-2-3.${db}`,
      `_sql._tcp.${db} SRV 0 33 5432 db-0.${db}`,
      `_sql._tcp.${db} SRV 0 33 5432 fd00-10-244--0.${db}`,
    ],
    [`10-244-2-3.${db} A 10.244.2.3`, `db-0.${db} A 10.244.1.2`, `fd00-10-244--0.${db} AAAA fd00:10:244::`],
  ],
  ['an endpoint by its host name', `db-0.${db} A`, 'NOERROR', [`db-0.${db} A 10.244.1.2`]],
  ['that endpoint by its address', `10-244-1-2.${db} A`, 'NXDOMAIN', []],
  ['a headless Service without endpoints', `empty.default.svc.${zone} A`, 'NXDOMAIN', []],
  ['a headless Service without ports', `portless.default.svc.${zone} A`, 'NOERROR', [`portless.default.svc.${zone} A 10.244.5.5`]],
  ['SRV where there are no ports', `portless.default.svc.${zone} SRV`, 'NOERROR', []],
  ['the apex', `${zone} A`, 'NOERROR', []],
  ['the level of Services', `svc.${zone} A`, 'NOERROR', []],
  ['a namespace', `default.svc.${zone} A`, 'NOERROR', []],
  ['a namespace of pods', `default.pod.${zone} A`, 'NOERROR', []],
  ['a namespace that is not there', `nix.svc.${zone} A`, 'NXDOMAIN', []],
  ['a level between names', `_tcp.${web} A`, 'NOERROR', []],
  ['nothing by a wildcard', `*.default.svc.${zone} A`, 'NXDOMAIN', []],
  ['something below a pod or Service level', `a.b.c.${web} A`, 'NXDOMAIN', []],
  ['a name that no level has', `nix.${zone} A`, 'NXDOMAIN', []],
  ['a pod', `10-244-1-5.default.pod.${zone} A`, 'NOERROR', [`10-244-1-5.default.pod.${zone} A 10.244.1.5`]],
  ['what is no address of a pod', `nix.default.pod.${zone} A`, 'NXDOMAIN', []],
  ['the specification', `dns-version.${zone} TXT`, 'NOERROR', [`dns-version.${zone} TXT "1.1.0"`]],
  [
    'an alias to elsewhere',
    `out.default.svc.${zone} A`,
    'NOERROR',
    ['example.com. A 192.0.2.80', `out.default.svc.${zone} CNAME example.com.`],
  ],
  ['an alias to a Service', `in.default.svc.${zone} A`, 'NOERROR', [`in.default.svc.${zone} CNAME ${web}`, `${web} A 10.96.0.7`]],
  [
    'an alias of an alias',
    `twice.default.svc.${zone} A`,
    'NOERROR',
    [`in.default.svc.${zone} CNAME ${web}`, `twice.default.svc.${zone} CNAME in.default.svc.${zone}`, `${web} A 10.96.0.7`],
  ],
  [
    'an alias to nothing here',
    `dangling.default.svc.${zone} A`,
    'NXDOMAIN',
    [`dangling.default.svc.${zone} CNAME nobody.default.svc.${zone}`],
  ],
  ['an alias to nothing elsewhere', `gone.default.svc.${zone} A`, 'NXDOMAIN', [`gone.default.svc.${zone} CNAME gone.example.com.`]],
  ['aliases in a circle', `loop-a.default.svc.${zone} A`, 'SERVFAIL', []],
  ['an alias to an address', `numeric.default.svc.${zone} A`, 'NXDOMAIN', []],
  ['only the alias when that is asked for', `out.default.svc.${zone} CNAME`, 'NOERROR', [`out.default.svc.${zone} CNAME example.com.`]],
  ['the address of a Service', '-x 10.96.0.7', 'NOERROR', [`7.0.96.10.in-addr.arpa. PTR ${web}`]],
  ['the address of an endpoint of a Service', '-x 10.244.1.5', 'NOERROR', [`5.1.244.10.in-addr.arpa. PTR 10-244-1-5.${web}`]],
  ['an address with a host name', '-x 10.244.1.2', 'NOERROR', [`2.1.244.10.in-addr.arpa. PTR db-0.${db}`]],
  ['an address over IPv6', '-x fd00:10:244::', 'NOERROR', [`${'0.'.repeat(20)}4.4.2.0.0.1.0.0.0.0.d.f.ip6.arpa. PTR fd00-10-244--0.${db}`]],
  ['an address of ours that nobody has', '-x 10.96.9.9', 'NXDOMAIN', []],
  ['a level above addresses of ours', '244.10.in-addr.arpa PTR', 'NOERROR', []],
  ['another type at a reverse name', '7.0.96.10.in-addr.arpa TXT', 'NOERROR', []],
  ['a name elsewhere', 'example.com A', 'NOERROR', ['example.com. A 192.0.2.80']],
  ['the whole zone', `${zone} AXFR +notcp`, '', []],
  ['the whole zone over UDP', `${zone} IXFR=1 +notcp`, '', []],
  ['another class', 'version.bind CH TXT', 'REFUSED', []],
  ['another version of EDNS', `${web} A +edns=1 +noednsnegotiation`, 'BADVERS', []],
];

for (const [sentence, question, status, answers, additional] of table) {
  test(`dig sees ${sentence}`, async () => {
    const got = await dig(port, question);
    if (status) assert.equal(got.status, status, got.text);
    assert.deepEqual(got.answers, answers.toSorted(), got.text);
    if (additional) assert.deepEqual(got.additional, additional.toSorted(), got.text);
    const isNegative = answers.length === 0 && (status === 'NXDOMAIN' || status === 'NOERROR');
    if (isNegative) assert.match(got.authority[0] ?? '', /arpa\. SOA|cluster\.local\. SOA ns\.dns\.cluster\.local\. hostmaster/, got.text);
    if (/cluster\.local/.test(question) && ['NOERROR', 'NXDOMAIN'].includes(status)) {
      assert.ok(got.flags.includes('aa') && !got.flags.includes('ra'), got.text);
    }
  });
}

test('the spelling of the question comes back, with and without a cookie', async () => {
  for (const more of ['', ' +nocookie', ' +noedns']) {
    assert.deepEqual((await dig(port, `WEB.Default.svc.CLUSTER.local A${more}`)).answers, ['WEB.Default.svc.CLUSTER.local. A 10.96.0.7']);
    assert.equal((await dig(port, `eXample.COM A${more}`)).status, 'NOERROR');
  }
});

test('an answer that is too big is cut by UDP and whole by TCP, from us and from elsewhere', async () => {
  const cut = await dig(port, 'big.example.com A +noedns +ignore');
  assert.ok(cut.flags.includes('tc'), cut.text);
  const whole = await dig(port, 'big.example.com A +noedns');
  assert.equal(whole.answers.length, 300, whole.text);
  assert.equal((await dig(port, `${web} A +tcp`)).answers.length, 1);
});

test('the zone is served by the Service in front', async () => {
  const slices = '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-node1';
  await eventually('the slice is there', async () => (await cluster.api.call('GET', slices)).status === 200);
  const { body } = await cluster.api.call('GET', slices);
  assert.deepEqual(
    body.endpoints.map((e: { addresses: string[] }) => e.addresses),
    [['192.0.2.11']],
  );
  assert.deepEqual(body.ports.map((p: { name: string }) => p.name).sort(), ['dns', 'dns-tcp', 'metrics']);
  const kubeDns = `kube-dns.kube-system.svc.${zone}`;
  const got = await dig(port, `${zone} NS`);
  assert.deepEqual(got.answers, [`${zone} NS ${kubeDns}`], got.text);
  assert.deepEqual(got.additional, [`${kubeDns} A 10.96.0.10`]);
  assert.deepEqual((await dig(port, `ns.dns.${zone} A`)).answers, [`ns.dns.${zone} A 10.96.0.10`]);
  assert.match(
    (await dig(port, `${zone} SOA`)).answers[0] ?? '',
    /SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 30/,
  );
});

test('health, readiness and metrics are there, under the names of CoreDNS', async () => {
  const get = async (address: string, path: string): Promise<string> =>
    (await fetch(`http://${address.replace(/:0$/, '')}:${ports.get(address)}${path}`)).text();
  assert.equal(await get('127.0.0.1:0', '/health'), 'OK');
  assert.equal(await get('localhost:0', '/ready'), 'OK');
  const text = await get('localhost:0', '/metrics');
  assert.match(
    text,
    /coredns_dns_requests_total\{server="dns:\/\/:0",zone="cluster\.local\.",view="",proto="udp",family="1",type="SRV"\} \d+/,
  );
  assert.match(text, /coredns_dns_responses_total\{.*rcode="NXDOMAIN".*\} \d+/);
  assert.match(text, /coredns_dns_request_duration_seconds_bucket\{le="\+Inf",.*zone="cluster\.local\."/);
  assert.match(text, /coredns_cache_hits_total\{.*\} \d+/);
  for (const resource of ['services', 'endpointslices', 'namespaces'])
    assert.match(text, new RegExp(`fairlead_watch_age_seconds\\{resource="${resource}"\\} [0-9.]+\\n`));
});

test('a Service that changes is answered anew', async () => {
  await cluster.api.call('DELETE', `${servicesPath}/web`);
  await eventually('the name is gone', async () => (await dig(port, `${web} A`)).status === 'NXDOMAIN');
  assert.equal((await dig(port, '-x 10.96.0.7')).status, 'NXDOMAIN');
});
