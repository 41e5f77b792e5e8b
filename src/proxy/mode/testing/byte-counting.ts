/** Bytes that a mode counts of connections which clients really make, in network namespaces of a kernel. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { EndpointSlice, Service } from '../../../api/schema/types.ts';
import type { Clock } from '../../../clock/clock.ts';
import { eventually } from '../../../clock/testing/eventually.ts';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { joinHostPort } from '../../../ip/ip.ts';
import { Namespaces } from '../../../linux/testing/namespaces.ts';
import type { NodeContext } from '../../plan/node-context.ts';
import { Planner } from '../../plan/planner.ts';
import { inIpv6 } from '../../testing/ipv6.ts';
import { sampleNode } from '../../testing/sample-node.ts';
import type { Mode, ModeRules, ServiceCount } from '../mode.ts';

const [clusterIp, podIp] = ['10.96.0.1', '10.244.1.2'];
const service: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'n' },
  spec: { clusterIP: clusterIp, ports: [{ name: 'http', port: 80 }] },
};
const slice: EndpointSlice = {
  apiVersion: 'v1',
  kind: 'EndpointSlice',
  metadata: { name: 's' },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  endpoints: [{ addresses: [podIp], nodeName: 'node1' }],
};

/** Each way in a round. */
const [uploaded, downloaded] = [2_000_000, 4_000_000];
/** Headers are 5 % of a full packet, acknowledgements of the other direction as much again; with larger packets on the way both are less. */
const mostOver = 1.12;

/** Answers each two million bytes with four. */
const server = `require('net').createServer((c) => {
  let heard = 0;
  c.on('data', (part) => { for (heard += part.length; heard >= ${uploaded}; heard -= ${uploaded}) c.write('y'.repeat(${downloaded})); });
}).listen(8080, '::', () => console.log('listening'))`;

/** Goes a round for each line that it is told, and says when it is over. */
const client = `const c = require('net').connect(80, process.argv[1]);
  let heard = 0;
  c.on('data', (part) => { heard += part.length; if (heard === ${downloaded}) { heard = 0; console.log('round'); } });
  process.stdin.on('data', () => c.write('x'.repeat(${uploaded})));
  process.stdin.on('end', () => c.end());`;

function about(rounds: number, count: ServiceCount | undefined): boolean {
  const isAbout = (bytes: number | undefined, payload: number): boolean =>
    bytes !== undefined && bytes >= payload * rounds && bytes <= payload * rounds * mostOver;
  return isAbout(count?.received, uploaded) && isAbout(count?.sent, downloaded);
}

/** A node, a pod and a client in namespaces, and one Service. */
class Net implements AsyncDisposable {
  readonly #namespaces = new Namespaces();
  readonly family: 'ip' | 'ip6';

  constructor(family: 'ip' | 'ip6') {
    this.family = family;
  }

  /** In this family. */
  here<T>(value: T): T {
    return this.family === 'ip' ? value : inIpv6(value);
  }

  get node(): string {
    return this.#namespaces.path('node');
  }

  async start(): Promise<void> {
    const net = this.#namespaces;
    await net.add('node', 'pod', 'client');
    for (const [name, on, at] of [
      ['pod', '10.244.1.1', podIp],
      ['client', '192.168.120.1', '192.168.120.2'],
    ] as const) {
      await net.ip('node', `link add to-${name} type veth peer name eth0 netns @${name}`);
      // An IPv6 address waits for whoever might have it already, if it is not told that nobody has.
      const suffix = this.family === 'ip' ? '/24' : '/64';
      const address = (ip: string, link: string) => `addr add ${this.here(ip)}${suffix} dev ${link}${this.family === 'ip' ? '' : ' nodad'}`;
      await net.ip('node', address(on, `to-${name}`));
      await net.ip('node', `link set to-${name} up`);
      await net.ip(name, address(at, 'eth0'));
      await net.ip(name, 'link set eth0 up');
      await net.ip(name, `${this.family === 'ip' ? '-4' : '-6'} route add default via ${this.here(on)}`);
    }
    await net.run('node', 'busybox', ['sysctl', '-w', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    await said(net.start('pod', process.execPath, ['-e', server], ['ignore', 'pipe', 'inherit']));
  }

  connect(): ChildProcess {
    return this.#namespaces.start('client', process.execPath, ['-e', client, this.here(clusterIp)]);
  }

  async program(mode: Mode): Promise<ModeRules> {
    const context: NodeContext = { ...this.here(sampleNode), family: this.family, countsConnections: true };
    await mode.probe();
    const rules = await mode.open(context);
    const planner = new Planner(context, mode.algorithms);
    planner.put('n/web', this.here(service), [this.here(slice)]);
    for (const [key, { after }] of planner.take()) rules.put(key, after);
    await rules.sync();
    return rules;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#namespaces[Symbol.asyncDispose]();
  }
}

/** Until a process says something. */
async function said({ stdout, exitCode }: ChildProcess): Promise<void> {
  assert.ok(stdout && exitCode === null);
  // When it ends before, its output does.
  const over = once(stdout, 'close').then(() => assert.fail('it has ended'));
  await Promise.race([once(stdout, 'data'), over.catch((err: unknown) => Promise.reject(err))]);
}

async function goRound(child: ChildProcess): Promise<void> {
  child.stdin?.write('go\n');
  await said(child);
}

async function count(rules: ModeRules): Promise<ServiceCount | undefined> {
  return ((await rules.counts?.('endpoints')) ?? []).find((one) => one.service === 'n/web');
}

/** `open` makes another mode at work each time, as a proxy does that starts again. */
export function testByteCounting(name: string, open: (namespace: string, clock: Clock) => Mode, skip: string | false): void {
  for (const family of ['ip', 'ip6'] as const)
    test(`mode ${name}, ${family}: counts bytes that connections carry, after a restart those from then on`, { skip }, async () => {
      await using net = new Net(family);
      await net.start();
      // It reads as often as it is asked.
      const clock = new FakeClock();
      const opened = (): { readonly mode: Mode } & Disposable => {
        const mode = open(net.node, clock);
        return { mode, [Symbol.dispose]: () => mode.close() };
      };
      const counts = async (what: string, rules: ModeRules, rounds: number): Promise<void> => {
        const last = await eventually(`${what} are counted`, async () => {
          await clock.advance(longEnoughMs);
          const now = await count(rules);
          assert.ok(about(rounds, now), JSON.stringify(now));
          return now;
        });
        const endpoint = last?.endpoints?.find((one) => one.endpoint === joinHostPort(net.here(podIp), 8080));
        assert.deepEqual([endpoint?.received, endpoint?.sent], [last?.received, last?.sent]);
      };
      const first = opened();
      const rules = await net.program(first.mode);
      const [one, other] = [net.connect(), net.connect()];
      await goRound(one);
      await counts('two million bytes and four', rules, 1);
      await goRound(one);
      await goRound(other);
      // What a connection carried is told, too, when it has ended.
      other.stdin?.end();
      await once(other, 'close');
      await counts('those of another and of what came later', rules, 3);
      first[Symbol.dispose]();
      using second = opened();
      const again = await net.program(second.mode);
      assert.equal((await count(again))?.received, undefined);
      await goRound(one);
      await counts('those since the restart', again, 1);
    });
}

/** It reads no more often than once a second. */
const longEnoughMs = 2000;
