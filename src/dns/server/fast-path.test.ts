/** The fast path, which works on bytes, against dns-packet: the same questions to both, the messages compared field by field. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import type { EndpointSlice, Service } from '../../api/schema/types.ts';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { mustCidr } from '../../ip/ip.ts';
import { silentLog } from '../../observability/log.ts';
import { RCODE } from '../message/names.ts';
import { emptyReply } from '../message/reply.ts';
import { readResolverReply } from '../message/resolver-reply.ts';
import { chain } from '../plugin/chain.ts';
import { Kubernetes } from '../plugin/kubernetes/kubernetes.ts';
import type { Next } from '../plugin/plugin.ts';
import { ClusterZone } from '../zone/cluster-zone.ts';
import { Responder } from './responder.ts';
import { GeneralResponder } from './testing/general-responder.ts';

const seed = Number(process.env.FAIRLEAD_SEED ?? Date.now() % 1e9);
const client = { family: 4, address: '10.244.1.7', port: 40_000 } as const;

function service(name: string, spec: Service['spec']): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec };
}

function zoneOf(): ClusterZone {
  const zone = new ClusterZone('cluster.local', { ttl: 5, serial: 1, serverIps: ['192.0.2.53'] });
  zone.setNamespace('default', true);
  const ports = [{ name: 'http', port: 80 }];
  zone.setService('default/web', service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'], ports }), [], 1);
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'db-1', namespace: 'default' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: 90 }, (_, i) => ({ addresses: [`10.244.1.${i}`], ...(i % 3 === 0 ? { hostname: `db-${i}` } : {}) })),
  };
  zone.setService('default/db', service('db', { clusterIP: 'None', ports }), [slice], 1);
  zone.setService('default/alias', service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }), [], 1);
  return zone;
}

/** As a resolver elsewhere answers. */
const elsewhere: Next = ({ query }) => {
  if (query.name !== 'www.example.com') return emptyReply(RCODE.REFUSED);
  const bytes = packet.encode({
    type: 'response',
    id: 9,
    flags: packet.RECURSION_AVAILABLE,
    questions: [{ type: 'A', name: query.name }],
    answers: [
      { type: 'CNAME', name: query.name, ttl: 60, data: 'web.example.com' },
      { type: 'A', name: 'web.example.com', ttl: 60, data: '192.0.2.80' },
    ],
  });
  bytes.set(query.bytes.subarray(12, query.questionEnd), 12);
  return readResolverReply(bytes, query.questionEnd) ?? emptyReply(RCODE.SERVFAIL);
};

function answerer(): Next {
  const kubernetes = new Kubernetes({ zone: zoneOf(), isSynced: () => true, ranges: [mustCidr('10.96.0.0/16')], lookup: elsewhere });
  return chain([kubernetes], elsewhere);
}

const fast = new Responder({ answer: answerer(), log: silentLog });
const general = new GeneralResponder(answerer(), client);

function respond(bytes: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
  const reply = fast.respond(bytes, transport, client);
  assert.ok(!(reply instanceof Promise));
  return reply;
}

interface Message {
  readonly head: readonly unknown[];
  readonly questions: unknown;
  readonly answers: readonly unknown[];
  readonly authorities: readonly unknown[];
  readonly additionals: readonly unknown[];
}

/** Fields in a form that can be compared. Addresses take turns, so their order is none. */
function fieldsOf(bytes: Buffer): Message {
  const message = packet.decode(bytes);
  const sorted = (records: readonly packet.Answer[] = []): string[] => records.map((r) => JSON.stringify(r)).toSorted();
  return {
    head: [message.id, message.type, message.flags],
    questions: message.questions,
    answers: sorted(message.answers),
    authorities: sorted(message.authorities),
    additionals: sorted(message.additionals),
  };
}

const names = [
  'web.default.svc.cluster.local',
  'db.default.svc.cluster.local',
  'alias.default.svc.cluster.local',
  '_http._tcp.web.default.svc.cluster.local',
  '_http._tcp.db.default.svc.cluster.local',
  'db-3.db.default.svc.cluster.local',
  '10-244-1-5.default.pod.cluster.local',
  'dns-version.cluster.local',
  'ns.dns.cluster.local',
  'cluster.local',
  'svc.cluster.local',
  'nix.default.svc.cluster.local',
  'xcluster.local',
  '7.0.96.10.in-addr.arpa',
  '9.9.96.10.in-addr.arpa',
  '0.96.10.in-addr.arpa',
  'www.example.com',
  'gone.example.com',
  `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(47)}.cluster.local`,
  '.',
];
const types = [
  'A',
  'AAAA',
  'SRV',
  'PTR',
  'NS',
  'SOA',
  'TXT',
  'CNAME',
  'MX',
  'ANY',
  'HINFO',
  'NAPTR',
  'DS',
  'AXFR',
  'IXFR',
  'OPT',
  'UNKNOWN_65',
  'UNKNOWN_64999',
];
const options = [
  { code: 10, data: Buffer.from('0123456789abcdef', 'hex') },
  { code: 8, data: Buffer.from([0, 1, 24, 0, 192, 0, 2]) },
  { code: 12, data: Buffer.alloc(40) },
  { code: 3, data: Buffer.alloc(0) },
  { code: 65_001, data: Buffer.from('whatever') },
];

class Questions {
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[this.#random(list.length)] as T;
  }

  #chance(percent: number): boolean {
    return this.#random(100) < percent;
  }

  #name(): string {
    const name = this.#oneOf(names);
    return this.#chance(30) ? [...name].map((c) => (this.#chance(50) ? c.toUpperCase() : c)).join('') : name;
  }

  #opt(): packet.Answer {
    const opt = {
      type: 'OPT',
      name: '.',
      udpPayloadSize: this.#oneOf([0, 511, 512, 1232, 4096, 65_535]),
      ednsVersion: this.#chance(10) ? 1 + this.#random(255) : 0,
      extendedRcode: 0,
      flags: this.#chance(30) ? packet.DNSSEC_OK : 0,
      options: options.filter(() => this.#chance(25)),
    };
    return opt as unknown as packet.Answer;
  }

  /** A well-formed question, with all that may stand in one. */
  good(): Buffer {
    const opt = this.#chance(50) ? [this.#opt()] : [];
    const stray: packet.Answer = { type: 'TXT', name: 'stray.example', ttl: 0, data: 'x' };
    const bytes = packet.encode({
      type: 'query',
      id: this.#random(65_536),
      // Every bit but QR; the opcode is one that is not served once in ten times.
      flags: this.#random(0x0800) | (this.#chance(10) ? this.#random(16) << 11 : 0),
      questions: [{ type: this.#oneOf(types) as 'A', name: this.#name() }],
      answers: this.#chance(5) ? [stray] : [],
      additionals: this.#chance(10) ? [stray, ...opt] : opt,
    });
    if (this.#chance(5)) bytes.writeUInt16BE(this.#random(65_536), bytes.indexOf(Buffer.from([0, 1]), 13));
    return this.#chance(5) ? Buffer.concat([bytes, Buffer.alloc(1 + this.#random(20), 7)]) : bytes;
  }

  /** Bytes changed, cut off or pointed elsewhere. */
  hostile(): Buffer {
    const good = this.good();
    const bytes = this.#chance(50) ? Buffer.from(good.subarray(0, this.#random(good.length + 1))) : Buffer.from(good);
    for (let flips = this.#random(5); flips > 0 && bytes.length > 0; flips--) bytes[this.#random(bytes.length)] = this.#random(256);
    if (this.#chance(10) && bytes.length > 14)
      bytes.writeUInt16BE(0xc000 | this.#random(bytes.length), 12 + this.#random(bytes.length - 13));
    return bytes;
  }
}

function codeOf(reply: Buffer): number {
  return (reply[3] ?? 0) & 15;
}

/** Whether the question's name is text that dns-packet gives back byte for byte. */
function isText(bytes: Buffer, message: packet.Packet): boolean {
  const [question] = message.questions ?? [];
  if (!question) return false;
  const again = packet.encode({ type: 'query', questions: [question] }).subarray(12, -4);
  return again.equals(bytes.subarray(12, 12 + again.length)) && /^[!-~]*$/.test(question.name);
}

test(`the fast path and dns-packet answer ten thousand questions alike (seed ${seed})`, () => {
  const source = new Questions(seededRandom(seed));
  let compared = 0;
  for (let i = 0; i < 10_000; i++) {
    const bytes = i % 2 === 0 ? source.good() : source.hostile();
    const where = `question ${i}, seed ${seed}: ${bytes.toString('hex')}`;
    const reply = respond(bytes, 'tcp');
    const wanted = general.respond(bytes);
    const isRefused = !reply || codeOf(reply) === RCODE.FORMERR;
    if (!wanted || isRefused) {
      // The good ones both can read. What dns-packet cannot, the fast path takes for no question, or for an operation that is not served.
      assert.ok(i % 2 === 1 || (wanted && !isRefused), where);
      assert.ok(wanted || isRefused || codeOf(reply) === RCODE.NOTIMP, where);
      continue;
    }
    if (!isText(bytes, wanted)) continue;
    // A class without a name dns-packet reads but does not write.
    const { questions: asked } = wanted;
    assert.deepEqual(fieldsOf(reply), { ...fieldsOf(packet.encode(wanted)), questions: asked }, where);
    compared++;
    const overUdp = respond(bytes, 'udp');
    assert.ok(overUdp, where);
    const { answers, authorities, additionals } = fieldsOf(overUdp);
    const whole = fieldsOf(reply);
    if (packet.decode(overUdp).flag_tc)
      assert.ok(answers.length < whole.answers.length || authorities.length < whole.authorities.length, where);
    else assert.deepEqual([answers, authorities], [whole.answers, whole.authorities], where);
    for (const record of answers) assert.ok(whole.answers.includes(record), where);
    for (const record of additionals) assert.ok(whole.additionals.includes(record), where);
  }
  assert.ok(compared > 5_000, `only ${compared} were compared, seed ${seed}`);
});
