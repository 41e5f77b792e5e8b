/**
 * The IP families and cluster addresses of Services, compared with kube-apiserver: generated creates and updates, in clusters of one family
 * and of both. FAIRLEAD_SEED names another seed, FAIRLEAD_SERVICES how many Services of each cluster.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';

const seed = Number(process.env.FAIRLEAD_SEED ?? 64);
const services = Number(process.env.FAIRLEAD_SERVICES ?? 150);
const updatesOfEach = 4;
const path = '/api/v1/namespaces/default/services';

const clusters = {
  'IPv4 alone': { serviceCidr: '10.96.0.0/16', advertiseAddress: '192.0.2.1' },
  'IPv6 alone': { serviceCidr: 'fd00:10:96::/112', advertiseAddress: '2001:db8::1' },
  'IPv4 before IPv6': { serviceCidr: '10.96.0.0/16,fd00:10:96::/112', advertiseAddress: '192.0.2.1' },
  'IPv6 before IPv4': { serviceCidr: 'fd00:10:96::/112,10.96.0.0/16', advertiseAddress: '2001:db8::1' },
};

/** `kept` stands for the addresses that the Service has, on each server its own. */
const kept = 'kept';
const choices = {
  type: ['ClusterIP', 'ClusterIP', 'ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'],
  ipFamilyPolicy: [undefined, undefined, 'SingleStack', 'PreferDualStack', 'RequireDualStack', 'BothStacks'],
  ipFamilies: [undefined, undefined, undefined, ['IPv4'], ['IPv6'], ['IPv4', 'IPv6'], ['IPv6', 'IPv4'], ['IPv4', 'IPv4'], ['IPv5'], []],
  clusterIPs: [
    ...[undefined, undefined, undefined, undefined, ['None'], ['None'], ['one4'], ['one6'], ['one4', 'one6'], ['one6', 'one4']],
    ...[['None', 'one4'], ['one4', 'None'], ['10.97.0.9'], ['fd00:97::9'], ['10.96.0.1'], ['one4', 'other4'], ['here'], [kept, 'one6']],
    ...[[kept], [kept, 'one4'], [''], ['one4', 'other4', 'one6'], ['one4', 'one6', 'other6']],
  ],
  clusterIP: [undefined, undefined, undefined, 'first', 'first', 'first', 'first', 'None', '10.96.0.77', ''],
  selector: [{ a: 'b' }, undefined],
} as const;

type Draw = <T>(list: readonly T[]) => T;
type Way = 'PUT' | 'PATCH';

/** The addresses that are asked for by number are of one Service alone, so that none has them already. */
function ownAddresses(n: number): Record<string, string> {
  const low = 256 + 4 * n;
  const four = (i: number): string => `10.96.${(low + i) >> 8}.${(low + i) & 255}`;
  const six = (i: number): string => `fd00:10:96::${(low + i).toString(16)}`;
  return { one4: four(0), other4: four(1), one6: six(0), other6: six(1) };
}

function specOf(draw: Draw, own: Record<string, string>): Json {
  // Who says something odd of everything at once is told of one thing only.
  const some = <T>(list: readonly T[]): T | undefined => (draw([true, false]) ? draw(list) : undefined);
  const list = some<readonly string[] | undefined>(choices.clusterIPs)?.map((ip) => own[ip] ?? ip);
  const first = list || draw([true, false, false, false]) ? draw<string | undefined>(choices.clusterIP) : undefined;
  const type = draw(choices.type);
  return {
    type,
    selector: draw<object | undefined>(choices.selector),
    ports: [{ port: 80 }],
    externalName: type === 'ExternalName' ? 'example.com' : undefined,
    clusterIPs: list,
    clusterIP: first === 'first' ? list?.[0] : first,
    ipFamilies: some<readonly string[] | undefined>(choices.ipFamilies),
    ipFamilyPolicy: some<string | undefined>(choices.ipFamilyPolicy),
  };
}

/** With the addresses that the Service has on this server. */
function placed(spec: Json, has: readonly string[]): Json {
  const one = (ip: string | undefined, i: number): string | undefined => (ip === kept ? (has[i] ?? 'None') : ip);
  return { ...spec, clusterIPs: spec.clusterIPs?.map(one), clusterIP: one(spec.clusterIP, 0) };
}

/** What is compared: addresses that a server chose by chance are known by their family, and whether they are new. */
function told({ status, body }: { status: number; body: Json }, had: readonly string[], asked: string): Json {
  const text = JSON.stringify(status < 300 ? fieldsOf(body.spec) : { message: body.message, causes: body.details?.causes });
  const known = (ip: string): string => (had.includes(ip) ? `the former ${had.indexOf(ip)}` : asked.includes(`"${ip}"`) ? ip : 'a new one');
  return {
    status,
    answer: text.replaceAll(
      /10\.96\.\d+\.\d+(?!\/)|fd00:10:96::[0-9a-f]+(?!\/)/g,
      (ip) => `${ip.includes(':') ? 'IPv6' : 'IPv4'} ${known(ip)}`,
    ),
  };
}

function fieldsOf({ type, clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy }: Json): Json {
  return { type, clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy };
}

/** A request at which kube-apiserver panics loses its connection: status 0. */
function noAnswer(err: NodeJS.ErrnoException): { status: number; body: Json } {
  if (err.code !== 'ECONNRESET') throw err;
  return { status: 0, body: { spec: {} } };
}

/**
 * Why it says something else of what both refuse: it takes a second address, and shows it, before it finds that the first may not change, it takes
 * the None that a Service had for an address, and it does not name the range that an address is outside of.
 */
function isExplained(theirs: string): boolean {
  return /a new one.*may not change once set|failed to check for dual stack with error:invalid IP|does not match the current range/.test(
    theirs,
  );
}

const skip = lacksProgram('etcd', 'kube-apiserver');

for (const [name, range] of Object.entries(clusters)) {
  describe(`families of Services beside kube-apiserver: ${name}`, { skip }, () => {
    let ours: TestServer;
    let theirs: KubeApiServer;
    before(async () => {
      theirs = await KubeApiServer.start(range);
      ours = await TestServer.start(undefined, range);
    });
    after(async () => {
      await ours?.stop();
      await theirs?.[Symbol.asyncDispose]();
    });

    test('the Service kubernetes, its endpoints and the ServiceCIDR are the same', async () => {
      const [service, slices, cidr] = [
        '/api/v1/namespaces/default/services/kubernetes',
        '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes',
        '/apis/networking.k8s.io/v1/servicecidrs/kubernetes',
      ];
      for (const one of [service, slices, cidr]) {
        const [a, b] = await Promise.all([theirs.call('GET', one), ours.call('GET', one)]);
        const shown = ({ spec, addressType, endpoints }: Json): Json => ({
          ...(spec?.clusterIPs ? fieldsOf(spec) : spec),
          addressType,
          endpoints,
        });
        assert.deepEqual(shown(b.body), shown(a.body), one);
      }
    });

    test(`creates and updates of ${services} Services have the same answers (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      const draw: Draw = (list) => list[random(list.length)]!;
      const differences: string[] = [];
      const answers: number[] = [];
      for (let n = 0; n < services; n++) {
        const own = ownAddresses(n);
        const url = `${path}/s${n}`;
        let has: readonly (readonly string[])[] = [[], []];
        for (let step = 0; step <= updatesOfEach; step++) {
          const [spec, way] = [specOf(draw, own), draw<Way>(['PUT', 'PATCH'])];
          const isThere = has.some((list) => list.length > 0) || step > 0;
          const both = await Promise.all(
            [theirs, ours].map(async (server, i) => {
              const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: `s${n}` }, spec: placed(spec, has[i]!) };
              const patch = way === 'PATCH' ? { type: 'application/merge-patch+json' } : {};
              const asked = isThere ? server.call(way, url, body, patch) : server.call('POST', path, body);
              const reply = await (server === theirs ? asked.catch(noAnswer) : asked);
              return { reply, told: told(reply, has[i]!, JSON.stringify(body)), body };
            }),
          );
          const [a, b] = both as [(typeof both)[0], (typeof both)[0]];
          answers.push(a.reply.status);
          if (a.reply.status === 0) {
            assert.ok(b.reply.status < 500, JSON.stringify(b.reply.body));
            break;
          }
          if (JSON.stringify(a.told) !== JSON.stringify(b.told) && !(a.reply.status === b.reply.status && isExplained(a.told.answer)))
            differences.push(
              `${isThere ? way : 'POST'} ${JSON.stringify(a.body.spec)} after ${JSON.stringify(has[0])}\n    theirs: ${JSON.stringify(a.told)}\n    ours:   ${JSON.stringify(b.told)}`,
            );
          if (a.reply.status >= 300 || b.reply.status >= 300) {
            if (!isThere) break;
            if (a.reply.status !== b.reply.status) break;
            continue;
          }
          has = both.map(({ reply }) => reply.body.spec.clusterIPs ?? []);
        }
        for (const server of [theirs, ours]) await server.call('DELETE', url);
      }
      const accepted = answers.filter((status) => status < 300).length;
      assert.ok(accepted > answers.length / 10, `${accepted} of ${answers.length} requests were accepted: the test asks for nonsense`);
      assert.equal(differences.length, 0, `${differences.length} of ${answers.length}:\n${differences.slice(0, 12).join('\n')}`);
    });
  });
}
