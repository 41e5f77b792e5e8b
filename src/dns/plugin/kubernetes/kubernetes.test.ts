/** What the cluster's names are to a client: the plugin, with the zone and the messages around it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import type { EndpointSlice, Service } from '../../../api/schema/types.ts';
import { mustCidr } from '../../../ip/ip.ts';
import { silentLog } from '../../../observability/log.ts';
import { readResolverReply } from '../../message/resolver-reply.ts';
import { Responder } from '../../server/responder.ts';
import { ClusterZone } from '../../zone/cluster-zone.ts';
import { chain } from '../chain.ts';
import type { Next } from '../plugin.ts';
import { Kubernetes } from './kubernetes.ts';

function service(name: string, spec: Service['spec']): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec };
}

function slice(name: string, addresses: readonly (readonly [string, { hostname?: string; ready?: boolean }?])[]): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map(([ip, o]) => ({ addresses: [ip], hostname: o?.hostname, conditions: { ready: o?.ready } })),
  };
}

function zoneOf(): ClusterZone {
  const zone = new ClusterZone('cluster.local', { ttl: 5, serial: 1 });
  zone.setNamespace('default', true);
  zone.setService(
    'default/web',
    service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00:10:96::7'], ports: [{ name: 'http', port: 80 }] }),
    [],
    1,
  );
  zone.setService(
    'default/db',
    service('db', { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] }),
    [slice('db', [['10.244.1.2', { hostname: 'db-0' }], ['10.244.2.3'], ['10.244.2.9', { ready: false }]])],
    1,
  );
  zone.setService('default/empty', service('empty', { clusterIP: 'None' }), [], 1);
  zone.setService('default/out', service('out', { type: 'ExternalName', externalName: 'www.example.com.' }), [], 1);
  zone.setService('default/alias', service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }), [], 1);
  for (const [from, to] of [
    ['ping', 'pong.default.svc.cluster.local'],
    ['pong', 'ping.default.svc.cluster.local'],
    ['gone', 'gone.example.com'],
    ['refused', 'refused.example.com'],
    ['twice', 'out.default.svc.cluster.local'],
    ['nowhere', 'nix.default.svc.cluster.local'],
  ] as const)
    zone.setService(`default/${from}`, service(from, { type: 'ExternalName', externalName: to }), [], 1);
  // Nodes and addresses of theirs are outside the ranges.
  zone.setService('default/far', service('far', { clusterIP: 'None' }), [slice('far', [['192.0.2.7'], ['fd00::7']])], 1);
  return zone;
}

/** What other resolvers say: www.example.com is there, and nothing else. */
const elsewhere: Next = ({ query }) => {
  const isThere = query.name === 'www.example.com';
  const soa = { mname: 'ns.example.com', rname: 'root.example.com', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 };
  const bytes = packet.encode({
    type: 'response',
    id: 1,
    flags: packet.RECURSION_AVAILABLE | (isThere ? 0 : query.name === 'refused.example.com' ? 5 : 3),
    questions: [{ type: 'A', name: query.name }],
    answers: isThere ? [{ type: 'A', name: query.name, ttl: 60, data: '192.0.2.80' }] : [],
    authorities: [
      { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.com' },
      ...(isThere ? [] : [{ type: 'SOA' as const, name: 'example.com', ttl: 60, data: soa }]),
    ],
  });
  const reply = readResolverReply(bytes, query.questionEnd);
  assert.ok(reply);
  return reply;
};

const client = { family: 4, address: '127.0.0.1', port: 5353 } as const;

function kubernetesOf(zone: ClusterZone, ranges: readonly string[] = [], isSynced: boolean = true, lookup: Next = elsewhere): Kubernetes {
  return new Kubernetes({ zone, isSynced: () => isSynced, ranges: ranges.map(mustCidr), lookup });
}

function answerer(next: Next = elsewhere, isSynced: boolean = true): Next {
  return chain([kubernetesOf(zoneOf(), ['10.96.0.0/16'], isSynced)], next);
}

function respond(bytes: Buffer, transport: 'udp' | 'tcp', answer: Next): Buffer | Promise<Buffer> | undefined {
  return new Responder({ answer, log: silentLog }).respond(bytes, transport, client);
}

async function ask(
  name: string,
  type: string,
  answer: Next = answerer(),
  transport: 'udp' | 'tcp' = 'udp',
): Promise<{ rcode: number; flags: Buffer; answers: string[]; authority: string[]; extra: string[]; question: string; tc: boolean }> {
  const bytes = packet.encode({ type: 'query', id: 7, flags: packet.RECURSION_DESIRED, questions: [{ type: type as 'A', name }] });
  const reply = await respond(bytes, transport, answer);
  assert.ok(reply);
  const message = packet.decode(reply);
  assert.equal(message.id, 7);
  const show = (list: readonly packet.Answer[] | undefined): string[] =>
    (list ?? []).map((a) => {
      const data = 'data' in a ? a.data : '';
      const text =
        a.type === 'SRV'
          ? `${a.data.weight} ${a.data.port} ${a.data.target}`
          : a.type === 'TXT'
            ? String(a.data)
            : a.type === 'SOA'
              ? a.data.mname
              : String(data);
      return `${a.name} ${a.type} ${text}`;
    });
  return {
    rcode: (reply[3] ?? 0) & 15,
    flags: reply.subarray(2, 4),
    answers: show(message.answers),
    authority: show(message.authorities),
    extra: show(message.additionals),
    question: message.questions?.[0]?.name ?? '',
    tc: message.flag_tc,
  };
}

const table: readonly (readonly [string, string, string, number, readonly string[]])[] = [
  ['a Service by its address', 'web.default.svc.cluster.local', 'A', 0, ['web.default.svc.cluster.local A 10.96.0.7']],
  ['a Service that is not there', 'nix.default.svc.cluster.local', 'A', 3, []],
  [
    'a port by SRV',
    '_http._tcp.web.default.svc.cluster.local',
    'SRV',
    0,
    ['_http._tcp.web.default.svc.cluster.local SRV 50 80 web.default.svc.cluster.local'],
  ],
  [
    'a headless Service by its ready endpoints',
    'db.default.svc.cluster.local',
    'A',
    0,
    ['db.default.svc.cluster.local A 10.244.1.2', 'db.default.svc.cluster.local A 10.244.2.3'],
  ],
  ['an endpoint by its host name', 'db-0.db.default.svc.cluster.local', 'A', 0, ['db-0.db.default.svc.cluster.local A 10.244.1.2']],
  [
    'an endpoint by its address',
    '10-244-2-3.db.default.svc.cluster.local',
    'A',
    0,
    ['10-244-2-3.db.default.svc.cluster.local A 10.244.2.3'],
  ],
  ['a headless Service without endpoints', 'empty.default.svc.cluster.local', 'A', 3, []],
  [
    'a headless port by SRV',
    '_http._tcp.db.default.svc.cluster.local',
    'SRV',
    0,
    [
      '_http._tcp.db.default.svc.cluster.local SRV 50 8080 10-244-2-3.db.default.svc.cluster.local',
      '_http._tcp.db.default.svc.cluster.local SRV 50 8080 db-0.db.default.svc.cluster.local',
    ],
  ],
  ['an address back to its Service', '7.0.96.10.in-addr.arpa', 'PTR', 0, ['7.0.96.10.in-addr.arpa PTR web.default.svc.cluster.local']],
  ['an endpoint back to its name', '2.1.244.10.in-addr.arpa', 'PTR', 0, ['2.1.244.10.in-addr.arpa PTR db-0.db.default.svc.cluster.local']],
  ['a Service address that nobody has', '9.9.96.10.in-addr.arpa', 'PTR', 3, []],
  [
    'an ExternalName with its target',
    'out.default.svc.cluster.local',
    'A',
    0,
    ['out.default.svc.cluster.local CNAME www.example.com', 'www.example.com A 192.0.2.80'],
  ],
  [
    'an ExternalName into the cluster',
    'alias.default.svc.cluster.local',
    'A',
    0,
    ['alias.default.svc.cluster.local CNAME web.default.svc.cluster.local', 'web.default.svc.cluster.local A 10.96.0.7'],
  ],
  ['the name behind an ExternalName', 'out.default.svc.cluster.local', 'CNAME', 0, ['out.default.svc.cluster.local CNAME www.example.com']],
  [
    'an ExternalName that leads to another',
    'twice.default.svc.cluster.local',
    'A',
    0,
    [
      'out.default.svc.cluster.local CNAME www.example.com',
      'twice.default.svc.cluster.local CNAME out.default.svc.cluster.local',
      'www.example.com A 192.0.2.80',
    ],
  ],
  ['a name elsewhere', 'www.example.com', 'A', 0, ['www.example.com A 192.0.2.80']],
];

for (const [sentence, name, type, rcode, answers] of table) {
  test(`answers ${sentence}`, async () => {
    const got = await ask(name, type);
    assert.equal(got.rcode, rcode);
    assert.deepEqual(got.answers.toSorted(), answers.toSorted());
    if (answers.length === 0 && name.endsWith('cluster.local')) assert.equal(got.authority[0], 'cluster.local SOA ns.dns.cluster.local');
  });
}

/** Sentence, question, type, code, what stands in the authority. */
const negative: readonly (readonly [string, string, string, number, readonly string[]])[] = [
  ['an ExternalName whose target is nowhere', 'gone.default.svc.cluster.local', 'A', 3, ['example.com SOA ns.example.com']],
  [
    'an ExternalName whose target is no name of the cluster',
    'nowhere.default.svc.cluster.local',
    'A',
    3,
    ['cluster.local SOA ns.dns.cluster.local'],
  ],
  ['an ExternalName whose target is refused', 'refused.default.svc.cluster.local', 'A', 2, []],
  ['ExternalNames that lead to each other', 'ping.default.svc.cluster.local', 'A', 2, []],
  ['an address of a Service that is asked for no name', '7.0.96.10.in-addr.arpa', 'A', 0, ['96.10.in-addr.arpa SOA ns.dns.cluster.local']],
  ['an address outside the ranges', '7.2.0.192.in-addr.arpa', 'A', 0, ['in-addr.arpa SOA ns.dns.cluster.local']],
  ['an IPv6 address outside the ranges', `7.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`, 'A', 0, ['ip6.arpa SOA ns.dns.cluster.local']],
  ['what stands above addresses of Services', '0.96.10.in-addr.arpa', 'PTR', 0, ['96.10.in-addr.arpa SOA ns.dns.cluster.local']],
  ['an address of nobody here', '1.0.0.127.in-addr.arpa', 'PTR', 3, ['example.com NS ns.example.com', 'example.com SOA ns.example.com']],
];

for (const [sentence, name, type, rcode, authority] of negative) {
  test(`answers ${sentence} with code ${rcode}, and says of which zone that is`, async () => {
    const got = await ask(name, type);
    assert.deepEqual([got.rcode, got.authority.toSorted()], [rcode, authority]);
  });
}

test('the spelling of the question comes back, answers of the zone are authoritative', async () => {
  const got = await ask('WeB.Default.SVC.cluster.LOCAL', 'A');
  assert.equal(got.question, 'WeB.Default.SVC.cluster.LOCAL');
  assert.deepEqual(got.answers, ['WeB.Default.SVC.cluster.LOCAL A 10.96.0.7']);
  assert.equal((got.flags[0] ?? 0) & 0x04, 0x04);
});

/** Question, type, section, what stands there. */
const spelt: readonly (readonly [string, string, 'answers' | 'authority' | 'extra', readonly string[]])[] = [
  [
    '_HTTP._tcp.Web.default.svc.CLUSTER.Local',
    'SRV',
    'answers',
    ['_HTTP._tcp.Web.default.svc.CLUSTER.Local SRV 50 80 web.default.svc.CLUSTER.Local'],
  ],
  [
    '_http._tcp.web.default.svc.Cluster.LOCAL',
    'SRV',
    'extra',
    ['web.default.svc.Cluster.LOCAL A 10.96.0.7', 'web.default.svc.Cluster.LOCAL AAAA fd00:10:96::7'],
  ],
  ['nix.default.svc.cLUSTER.local', 'A', 'authority', ['cLUSTER.local SOA ns.dns.cLUSTER.local']],
  ['web.default.svc.cLUSTER.local', 'MX', 'authority', ['cLUSTER.local SOA ns.dns.cLUSTER.local']],
  ['CLUSTER.local', 'SOA', 'answers', ['CLUSTER.local SOA ns.dns.CLUSTER.local']],
  ['CLUSTER.local', 'NS', 'answers', ['CLUSTER.local NS ns.dns.CLUSTER.local']],
  ['9.9.96.10.IN-ADDR.arpa', 'PTR', 'authority', ['96.10.IN-ADDR.arpa SOA ns.dns.cluster.local']],
];

for (const [name, type, section, lines] of spelt) {
  test(`${name} ${type} comes back as it was spelt, the zone's part of it in the ${section} too`, async () => {
    const answer = answerer();
    const plain = await ask(name.toLowerCase(), type, answer);
    const got = await ask(name, type, answer);
    assert.equal(got.question, name);
    assert.deepEqual(got[section].toSorted(), lines);
    // And is not remembered for others.
    assert.deepEqual((await ask(name.toLowerCase(), type, answer))[section].toSorted(), plain[section].toSorted());
  });
}

test('names of the cluster are SERVFAIL, never denied, until everything is known; others are answered', async () => {
  const early = answerer(elsewhere, false);
  assert.equal((await ask('web.default.svc.cluster.local', 'A', early)).rcode, 2);
  assert.equal((await ask('7.0.96.10.in-addr.arpa', 'PTR', early)).rcode, 2);
  assert.equal((await ask('www.example.com', 'A', early)).rcode, 0);
});

test('a Service that goes takes its names and addresses along', async () => {
  const zone = zoneOf();
  const answer = chain([kubernetesOf(zone, ['10.96.0.0/16'])], elsewhere);
  zone.setService('default/web', undefined, [], 2);
  assert.equal((await ask('web.default.svc.cluster.local', 'A', answer)).rcode, 3);
  assert.equal((await ask('_tcp.web.default.svc.cluster.local', 'A', answer)).rcode, 3);
  assert.equal((await ask('7.0.96.10.in-addr.arpa', 'PTR', answer)).rcode, 3);
});

test('several addresses take turns, and what does not fit is cut with TC', async () => {
  const zone = zoneOf();
  const ips = Array.from({ length: 100 }, (_, i) => [`10.244.3.${i}`] as const);
  zone.setService('default/db', service('db', { clusterIP: 'None' }), [slice('db', ips)], 1);
  const answer = chain([kubernetesOf(zone, [])], elsewhere);
  const first = await ask('db.default.svc.cluster.local', 'A', answer);
  const second = await ask('db.default.svc.cluster.local', 'A', answer);
  assert.equal(first.tc, true);
  assert.ok(first.answers.length > 20 && first.answers.length < 100);
  assert.notEqual(first.answers[0], second.answers[0]);
  const whole = await ask('db.default.svc.cluster.local', 'A', answer, 'tcp');
  assert.equal(whole.answers.length, 100);
  assert.equal(whole.tc, false);
});

/** A hundred is shared by every address of every target: what CoreDNS counts. */
const weights: readonly (readonly [string, readonly EndpointSlice[], readonly string[]])[] = [
  [
    'a host name with two addresses',
    [
      slice('db', [
        ['10.244.1.2', { hostname: 'db-0' }],
        ['10.244.2.2', { hostname: 'db-0' }],
        ['10.244.1.3', { hostname: 'db-1' }],
      ]),
    ],
    ['33 db-0', '33 db-1'],
  ],
  [
    'host names in two families',
    [
      slice('db', [
        ['10.244.1.2', { hostname: 'db-0' }],
        ['10.244.1.3', { hostname: 'db-1' }],
      ]),
      {
        ...slice('db', [
          ['fd00::2', { hostname: 'db-0' }],
          ['fd00::3', { hostname: 'db-1' }],
        ]),
        addressType: 'IPv6',
      },
    ],
    ['25 db-0', '25 db-1'],
  ],
  [
    'more addresses than a hundred',
    [
      slice(
        'db',
        Array.from({ length: 101 }, (_, i) => [`10.244.1.${i}`, { hostname: 'db-0' }] as const),
      ),
    ],
    ['1 db-0'],
  ],
];

for (const [sentence, slices, wanted] of weights) {
  test(`the weight of SRV counts addresses: ${sentence}`, async () => {
    const zone = zoneOf();
    zone.setService('default/db', service('db', { clusterIP: 'None' }), slices, 1);
    const answer = chain([kubernetesOf(zone, [])], elsewhere);
    const { answers } = await ask('_http._tcp.db.default.svc.cluster.local', 'SRV', answer, 'tcp');
    assert.deepEqual(answers.map((a) => a.replace(/.* SRV (\d+) 8080 ([^.]+)\..*/, '$1 $2')).toSorted(), wanted);
  });
}
