/** What the zone itself says, record by record; what Services make of it, `service-names.test.ts` says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import type { Service } from '../../api/schema/types.ts';
import { RCODE, TYPE } from '../message/names.ts';
import { encodeQuery } from '../message/query.ts';
import type { Reply } from '../message/reply.ts';
import { ClusterZone, type ZoneAnswer } from './cluster-zone.ts';

function service(name: string, spec: Service['spec']): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec };
}

const web = service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'], ports: [{ name: 'http', port: 80 }] });
const dns = service('kube-dns', { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });

function zoneOf(...services: readonly Service[]): ClusterZone {
  const zone = new ClusterZone('Cluster.LOCAL', { ttl: 5, serial: 100, serverIps: ['192.0.2.53', '2001:db8::53'] });
  zone.setNamespace('default', true);
  for (const s of services) zone.setService(`default/${s.metadata.name}`, s, [], 200);
  return zone;
}

/** The records of a section as a client reads them: `name ttl type data`. */
function read(name: string, records: readonly Uint8Array[]): string[] {
  const question = encodeQuery(name === '' ? 'cluster.local' : `${name}.cluster.local`, 'A');
  const bytes = Buffer.concat([question, ...records]);
  bytes.writeUInt16BE(records.length, 6);
  return (packet.decode(bytes).answers ?? []).map((a) => {
    const data = 'data' in a ? a.data : '';
    return `${a.name} ${'ttl' in a ? a.ttl : ''} ${a.type} ${typeof data === 'object' && data && !Array.isArray(data) ? Object.values(data).join(' ') : String(data)}`;
  });
}

function replyOf(answer: ZoneAnswer): Reply {
  assert.ok(answer.kind === 'reply');
  return answer.reply;
}

interface Wanted {
  readonly rcode?: number;
  readonly answers?: readonly string[];
  readonly additional?: readonly string[];
}

const soa = (serial: number): string => `cluster.local 5 SOA ns.dns.cluster.local hostmaster.cluster.local ${serial} 7200 1800 86400 5`;
const nothing: Wanted = {};
const denied: Wanted = { rcode: RCODE.NXDOMAIN };

/** Name below the zone, type, what is answered. Without answers the SOA stands in the authority. */
const table: readonly (readonly [string, keyof typeof TYPE, Wanted])[] = [
  ['web.default.svc', 'A', { answers: ['web.default.svc.cluster.local 5 A 10.96.0.7'] }],
  ['web.default.svc', 'AAAA', { answers: ['web.default.svc.cluster.local 5 AAAA fd00::7'] }],
  ['web.default.svc', 'TXT', nothing],
  [
    '_http._tcp.web.default.svc',
    'SRV',
    {
      answers: ['_http._tcp.web.default.svc.cluster.local 5 SRV 0 50 80 web.default.svc.cluster.local'],
      additional: ['web.default.svc.cluster.local 5 A 10.96.0.7', 'web.default.svc.cluster.local 5 AAAA fd00::7'],
    },
  ],
  ['_tcp.web.default.svc', 'A', nothing],
  ['_udp.web.default.svc', 'A', denied],
  ['', 'SOA', { answers: [soa(200)] }],
  ['', 'A', nothing],
  [
    '',
    'NS',
    {
      answers: ['cluster.local 5 NS ns.dns.cluster.local'],
      additional: ['ns.dns.cluster.local 5 A 192.0.2.53', 'ns.dns.cluster.local 5 AAAA 2001:db8::53'],
    },
  ],
  ['ns.dns', 'A', { answers: ['ns.dns.cluster.local 5 A 192.0.2.53'] }],
  ['ns.dns', 'AAAA', { answers: ['ns.dns.cluster.local 5 AAAA 2001:db8::53'] }],
  ['ns.dns', 'TXT', nothing],
  ['dns', 'A', nothing],
  ['dns-version', 'TXT', { answers: ['dns-version.cluster.local 28800 TXT 1.1.0'] }],
  ['dns-version', 'A', nothing],
  ['svc', 'A', nothing],
  ['pod', 'A', nothing],
  ['x', 'A', denied],
  ['default.svc', 'A', nothing],
  ['default.pod', 'A', nothing],
  ['default.x', 'A', denied],
  ['other.svc', 'A', denied],
  ['other.pod', 'A', denied],
  ['10-244-1-5.default.pod', 'A', { answers: ['10-244-1-5.default.pod.cluster.local 5 A 10.244.1.5'] }],
  ['10-244-1-5.default.pod', 'AAAA', nothing],
  ['fd00--5.default.pod', 'AAAA', { answers: ['fd00--5.default.pod.cluster.local 5 AAAA fd00::5'] }],
  ['fd00--5.default.pod', 'A', nothing],
  ['web-1.default.pod', 'A', denied],
  ['10-244-1-5.other.pod', 'A', denied],
  ['x.10-244-1-5.default.pod', 'A', denied],
  ['10-244-1-5.default.svc', 'A', denied],
];

for (const [name, type, { rcode = RCODE.NOERROR, answers = [], additional = [] }] of table) {
  test(`${name === '' ? 'the apex' : name} ${type}: ${answers[0] ?? (rcode === 0 ? 'nothing of that type' : 'no such name')}`, () => {
    const reply = replyOf(zoneOf(web).answer(name === '' ? 'cluster.local' : `${name}.cluster.local`, TYPE[type]));
    assert.deepEqual(
      [reply.rcode, reply.authoritative, read(name, reply.answers), read(name, reply.additional), read(name, reply.authority)],
      [rcode, true, answers, additional, answers.length > 0 ? [] : [soa(200)]],
    );
  });
}

test('the name servers of the zone are the Services of port 53 behind which this server stands', () => {
  const zone = new ClusterZone('cluster.local', { ttl: 5, serial: 1, serverIps: ['10.96.0.10', '10.96.0.7'] });
  zone.setService('default/web', web, [], 1);
  zone.setService('default/kube-dns', dns, [], 1);
  const ns = replyOf(zone.answer('cluster.local', TYPE.NS));
  assert.deepEqual(read('', ns.answers), ['cluster.local 5 NS kube-dns.default.svc.cluster.local']);
  assert.deepEqual(read('', ns.additional), ['kube-dns.default.svc.cluster.local 5 A 10.96.0.10']);
  assert.deepEqual(read('ns.dns', replyOf(zone.answer('ns.dns.cluster.local', TYPE.A)).answers), ['ns.dns.cluster.local 5 A 10.96.0.10']);
});

test('a negative answer carries the serial of the last change, also when it was given before', () => {
  const zone = zoneOf(web);
  const authority = (name: string): string[] => read(name, replyOf(zone.answer(`${name}.cluster.local`, TYPE.MX)).authority);
  assert.deepEqual([authority('x'), authority('web.default.svc')], [[soa(200)], [soa(200)]]);
  zone.setService('default/kube-dns', dns, [], 300);
  assert.deepEqual([authority('x'), authority('web.default.svc')], [[soa(300)], [soa(300)]]);
  assert.deepEqual(read('', replyOf(new ClusterZone('cluster.local', { ttl: 5, serial: 7 }).answer('cluster.local', TYPE.SOA)).answers), [
    soa(7),
  ]);
});

test('addresses take turns, each first once', () => {
  const zone = zoneOf(service('many', { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] }));
  const first = (): string | undefined =>
    read('many.default.svc', replyOf(zone.answer('many.default.svc.cluster.local', TYPE.A)).answers)[0];
  const seen = [first(), first(), first(), first()].map((line) => line?.split(' ').at(-1));
  assert.deepEqual(seen, ['10.0.0.2', '10.0.0.3', '10.0.0.1', '10.0.0.2']);
});

test('pointer() gives the Service of an address, and nothing once it is gone', () => {
  const zone = zoneOf(web, service('twin', { clusterIP: '10.96.0.7' }));
  const names = (ip: string): string[] | undefined => {
    const reply = zone.pointer(ip);
    return reply && read('x', reply.answers).map((line) => line.split(' ').slice(1).join(' '));
  };
  assert.deepEqual(names('fd00::7'), ['5 PTR web.default.svc.cluster.local']);
  zone.setService('default/twin', undefined, [], 300);
  assert.deepEqual(names('10.96.0.7'), ['5 PTR web.default.svc.cluster.local']);
  zone.setService('default/web', undefined, [], 300);
  assert.equal(names('10.96.0.7'), undefined);
  assert.equal(zone.size, 0);
});

test('a level is there as long as a name below it is', () => {
  const zone = zoneOf(service('a', { clusterIP: '10.0.0.1' }));
  const codeOf = (name: string): number => replyOf(zone.answer(`${name}.cluster.local`, TYPE.A)).rcode;
  zone.setNamespace('default', false);
  assert.equal(codeOf('default.svc'), RCODE.NOERROR);
  zone.setService('default/b', service('b', { clusterIP: '10.0.0.2' }), [], 1);
  zone.setService('default/a', undefined, [], 1);
  assert.equal(codeOf('default.svc'), RCODE.NOERROR);
  zone.setService('default/b', undefined, [], 1);
  assert.equal(codeOf('default.svc'), RCODE.NXDOMAIN);
});

test('the levels that every zone has are there before anything else is', () => {
  const zone = new ClusterZone('cluster.local', { ttl: 5, serial: 1 });
  const codes = ['svc', 'pod', 'dns', 'x'].map((name) => replyOf(zone.answer(`${name}.cluster.local`, TYPE.A)).rcode);
  assert.deepEqual(codes, [RCODE.NOERROR, RCODE.NOERROR, RCODE.NOERROR, RCODE.NXDOMAIN]);
});

test('an alias is told with the record that leads there', () => {
  const zone = zoneOf(service('out', { type: 'ExternalName', externalName: 'www.example.com' }));
  const answer = zone.answer('out.default.svc.cluster.local', TYPE.A);
  assert.ok(answer.kind === 'cname');
  assert.equal(answer.target, 'www.example.com');
  assert.deepEqual(read('out.default.svc', [answer.record]), ['out.default.svc.cluster.local 5 CNAME www.example.com']);
});
