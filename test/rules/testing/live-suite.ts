/** What holds in every mode at work on a real kernel: nothing that happens to a proxy may be noticed by traffic that can be served. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../../src/clock/testing/eventually.ts';
import { KnownError } from '../../../src/errors/known-error.ts';
import { mustRun, systemExec } from '../../../src/linux/exec.ts';
import { inNetns } from '../../../src/linux/netns.ts';
import { KernelNatHold } from '../../../src/linux/nftables/nat-hold.ts';
import { silentLog } from '../../../src/observability/log.ts';
import { KernelFlows } from '../../../src/proxy/flow-clean-up.ts';
import type { Mode } from '../../../src/proxy/mode/mode.ts';
import type { ModeFace } from '../../../src/proxy/mode/testing/face.ts';
import { KernelNodeHost } from '../../../src/proxy/node-host.ts';
import type { ProxyOptions } from '../../../src/proxy/options.ts';
import type { ServiceProxy } from '../../../src/proxy/proxy.ts';
import { HandmadeCluster } from '../../../src/proxy/testing/handmade-cluster.ts';
import { start as startOver, stopAll } from '../../../src/proxy/testing/running-proxy.ts';
import { Connection, probe } from '../probe.ts';
import { buildTopology, echoPort, type Topology } from '../topology.ts';
import { Traffic } from './traffic.ts';

export const pod = '10.244.1.100';
export const endpoints = ['10.244.2.2', '10.244.2.3', '10.244.2.4'] as const;
/** Of Service `web`, which tells who answers, and of `echo`. */
export const vip: string = '10.96.0.100';
export const echoVip = '10.96.0.200';
const [outside, nodeIp, nodePort] = ['192.168.120.1', '192.168.120.11', 30_080];
export const timeoutMs = 15_000;

/** A node with its neighbours, and the proxies of a mode that run on it. */
export class LiveNode implements AsyncDisposable {
  readonly topology: Topology;
  readonly #face: ModeFace;
  readonly #flows: KernelFlows;
  readonly #host: KernelNodeHost;
  readonly #natHold: KernelNatHold;
  readonly #modes: Mode[] = [];

  private constructor(topology: Topology, face: ModeFace) {
    this.topology = topology;
    this.#face = face;
    this.#flows = inNetns(topology.node, () => new KernelFlows());
    this.#host = inNetns(topology.node, () => new KernelNodeHost());
    this.#natHold = inNetns(topology.node, () => new KernelNatHold());
  }

  /** `name` tells the node's namespaces from others of this process. */
  static async create(face: ModeFace, name: string): Promise<LiveNode> {
    return new LiveNode(await buildTopology([pod], endpoints, name), face);
  }

  async start(made: HandmadeCluster, more: Partial<ProxyOptions> = {}, wrap: (mode: Mode) => Mode = (mode) => mode): Promise<ServiceProxy> {
    const mode = this.#face.open(this.topology.node);
    this.#modes.push(mode);
    const options = {
      rules: wrap(mode),
      serviceCidrs: ['10.96.0.0/16'],
      flows: this.#flows,
      host: this.#host,
      natHold: this.#natHold,
      ...more,
    };
    return await startOver(made, undefined as never, options);
  }

  /** A proxy that starts now finds everything as it is to be. */
  async assertConverged(made: HandmadeCluster): Promise<void> {
    await this.stop();
    const applied: unknown[] = [];
    const debug = (text: string, fields?: object): void => void (text === 'Applied rules' && applied.push(fields));
    await this.start(made, { log: { ...silentLog, debug } });
    assert.deepEqual(applied, []);
  }

  async stop(): Promise<void> {
    await stopAll();
    for (const mode of this.#modes.splice(0)) mode.close();
  }

  /** Ends all proxies, and takes away what they left. */
  async clear(): Promise<void> {
    await this.stop();
    const mode = this.#face.open(this.topology.node);
    await mode.cleanUp();
    mode.close();
  }

  sh(script: string, input = ''): Promise<string> {
    return mustRun(systemExec, 'nsenter', [`--net=${this.topology.node}`, 'sh', '-c', script], { input });
  }

  ask(patienceMs: number = timeoutMs, to: string = vip): ReturnType<typeof probe> {
    return probe(this.topology.namespaceOf(pod), to, 80, 'tcp', patienceMs);
  }

  /** Waits until `web` is served by this endpoint alone: that two take turns by chance as if they were one has a chance of 1e-6. */
  async untilServedBy(ip: string): Promise<void> {
    await eventually(async () => {
      for (let i = 0; i < 20; i++) {
        const answer = await this.ask();
        if (answer.kind !== 'answered' || !answer.by.startsWith(`${ip}:`)) return false;
      }
      return true;
    });
  }

  /** Whether a client from outside is served at the node port of `echo`. */
  async reachesNodePort(patienceMs: number): Promise<boolean> {
    const opened = await Connection.open(this.topology.namespaceOf(outside), nodeIp, nodePort, 'tcp', patienceMs);
    if (typeof opened === 'string') return false;
    using connection = opened;
    return (await connection.exchange('?', patienceMs)) === '?';
  }

  async connect(to: string, port: number, protocol: string): Promise<Connection> {
    const opened = await Connection.open(this.topology.namespaceOf(pod), to, port, protocol, timeoutMs);
    assert.ok(typeof opened !== 'string', String(opened));
    return opened;
  }

  /** To `echo`, from a pod by the cluster IP, and from outside by the node port. */
  traffic(): Promise<Traffic> {
    const targets = [
      [this.topology.namespaceOf(pod), [{ to: echoVip, port: 80 }]],
      [this.topology.namespaceOf(outside), [{ to: nodeIp, port: nodePort }]],
    ] as const;
    return Traffic.start(new Map(targets));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#flows.close();
    this.#host.close();
    this.#natHold.close();
    await this.topology[Symbol.asyncDispose]();
  }
}

/** With Services `web` and `echo`. */
export function cluster(spec: Parameters<HandmadeCluster['service']>[2] = {}, ips: readonly string[] = endpoints): HandmadeCluster {
  const made = new HandmadeCluster();
  made.service('web', vip, spec);
  made.endpoints('web', ips, spec.ports?.[0]?.protocol);
  made.service('echo', echoVip, { type: 'NodePort', ports: [{ port: 80, nodePort }] });
  putEcho(made, endpoints);
  return made;
}

function putEcho(made: HandmadeCluster, ips: readonly string[]): void {
  made.endpoints('echo', ips);
  const slice = made.slices.list().find(({ metadata }) => metadata.name === 'echo-1');
  assert.ok(slice);
  made.slices.put({ ...slice, ports: [{ name: '', port: echoPort, protocol: 'TCP' }] });
}

/** A mode whose kernel refuses before it did anything, or after it did all. */
function refusing(mode: Mode, when: () => 'before' | 'after' | 'never'): Mode {
  const refuse = (now: 'before' | 'after'): void => {
    if (when() === now) throw new KnownError('KERNEL_REFUSED', 'Cannot change rules: no memory');
  };
  return {
    name: mode.name,
    failuresMetric: mode.failuresMetric,
    algorithms: mode.algorithms,
    probe: () => mode.probe(),
    async open(node) {
      const rules = await mode.open(node);
      const sync = async (): ReturnType<typeof rules.sync> => {
        refuse('before');
        const result = await rules.sync();
        refuse('after');
        return result;
      };
      return { put: (...of) => rules.put(...of), reset: (to) => rules.reset(to), sync, distrust: () => rules.distrust() };
    },
    verify: () => mode.verify(),
    watch: (onTouched) => mode.watch(onTouched),
    cleanUp: () => mode.cleanUp(),
    close: () => mode.close(),
  };
}

export function testLive(face: ModeFace, skip: string | false = false): void {
  describe(`mode ${face.name} on a real kernel`, { skip, concurrency: false }, () => {
    let node: LiveNode;
    before(async () => {
      node = await LiveNode.create(face, face.name.slice(0, 3));
    });
    afterEach(() => node.clear());
    after(() => node?.[Symbol.asyncDispose]());

    test('is not noticed when it restarts, and then has nothing to change', async () => {
      const made = cluster();
      await node.start(made);
      await using traffic = await node.traffic();
      for (let i = 0; i < 3; i++) {
        await node.assertConverged(made);
        await traffic.goesOn();
      }
    });

    test('keeps connections to a Service that goes away', async () => {
      const made = cluster();
      await node.start(made);
      using connection = await node.connect(echoVip, 80, 'tcp');
      assert.equal(await connection.exchange('one', timeoutMs), 'one');
      made.services.remove('default/echo');
      await eventually(async () => (await node.ask(100, echoVip)).kind !== 'answered');
      assert.equal(await connection.exchange('two', timeoutMs), 'two');
    });

    test('goes on with what the kernel has while that refuses, and is right when it does no more', async () => {
      const made = cluster();
      let now: 'before' | 'after' | 'never' = 'never';
      await node.start(made, {}, (mode) => refusing(mode, () => now));
      await using traffic = await node.traffic();
      for (now of ['before', 'after', 'before'] as const) {
        for (const ips of [[endpoints[0]], endpoints.slice(1)]) {
          made.endpoints('web', ips);
          putEcho(made, ips);
          await traffic.goesOn();
        }
      }
      now = 'never';
      made.endpoints('web', [endpoints[1]]);
      await node.untilServedBy(endpoints[1]);
      await traffic.goesOn();
      await node.assertConverged(made);
    });

    const whenNoticed = face.looksEveryMs === undefined ? 'at once' : 'when it looks';
    test(`puts back ${whenNoticed} what somebody took away, and established connections go on`, async () => {
      const made = cluster();
      // Without need of it: a period that would never come.
      await node.start(made, { syncPeriodMs: face.looksEveryMs ?? 3_600_000 });
      await using traffic = await node.traffic();
      for (const damage of face.damages) {
        await traffic.whileNewMayFail(async () => {
          await node.sh(damage);
          await eventually(damage, async () => (await node.ask(100)).kind === 'answered' && (await node.reachesNodePort(100)));
        });
        await traffic.goesOn();
      }
      await node.assertConverged(made);
    });

    test('serves new connections again when somebody took away what established ones need', {
      skip: face.cuts === undefined && 'nothing of it is needed',
    }, async () => {
      const made = cluster();
      await node.start(made, { syncPeriodMs: face.looksEveryMs ?? 3_600_000 });
      await node.sh(face.cuts ?? '');
      await eventually(face.cuts ?? '', async () => (await node.ask(100)).kind === 'answered' && (await node.reachesNodePort(100)));
      await node.assertConverged(made);
    });

    test('serves every request while a thousand endpoints a second change', async () => {
      const made = cluster();
      const others = Array.from({ length: 40 }, (_, i) => `s${i}`);
      for (const [i, name] of others.entries()) made.service(name, `10.96.1.${i}`);
      await node.start(made);
      await using traffic = await node.traffic();
      const choices = [endpoints, [endpoints[0]], endpoints.slice(1), [endpoints[2], endpoints[0]]];
      const begun = performance.now();
      for (let changes = 0; changes < 2000; await sleep(2)) {
        for (const due = performance.now() - begun; changes < due; changes++) {
          const ips = choices[changes % choices.length] ?? [];
          const name = others[changes % others.length] ?? '';
          if (changes % 5 === 0) putEcho(made, ips);
          else made.endpoints(changes % 5 === 1 ? 'web' : name, ips);
        }
      }
      await traffic.goesOn();
      made.endpoints('web', [endpoints[1]]);
      await node.untilServedBy(endpoints[1]);
      await traffic.goesOn();
      await node.assertConverged(made);
    });

    test("leaves this node's sockets alone that somebody's Service names, and serves the ports that are free", async () => {
      const made = cluster({
        externalIPs: [nodeIp],
        ports: [
          { name: 'busy', port: 8443 },
          { name: '', port: 80 },
        ],
      });
      const [slice] = made.slices.list();
      const ports = ['busy', ''].map((name) => ({ name, port: 8080, protocol: 'TCP' }));
      made.slices.put({ ...slice!, ports });
      await node.start(made);
      const from = async (port: number): Promise<string> => {
        const answer = await probe(node.topology.namespaceOf(outside), nodeIp, port, 'tcp', timeoutMs);
        return answer.kind === 'answered' ? answer.by : answer.kind;
      };
      await eventually(async () => (await from(80)).startsWith('10.244.2.'));
      for (let i = 0; i < 10; i++) assert.equal(await from(8443), `${nodeIp}:8443`);
    });

    test('moves a UDP flow to another endpoint when its own is gone, and refuses it when all are', async () => {
      const made = cluster({ ports: [{ port: 53, protocol: 'UDP' }] }, [endpoints[0]]);
      await node.start(made);
      using connection = await node.connect(vip, 53, 'udp');
      assert.match(await connection.exchange('?', timeoutMs), /^10\.244\.2\.2:8080/);
      made.endpoints('web', [endpoints[1]], 'UDP');
      await eventually(async () => (await connection.exchange('?', timeoutMs)).startsWith('10.244.2.3:8080'));
      made.services.remove('default/web');
      await eventually(async () => !(await connection.exchange('?', 200)).startsWith('10.244.'));
    });

    test('gives a client with affinity another endpoint when its own is gone, and keeps it there', async () => {
      const made = cluster({ sessionAffinity: 'ClientIP' });
      await node.start(made);
      const first = await node.ask();
      assert.ok(first.kind === 'answered');
      const rest = endpoints.filter((ip) => !first.by.startsWith(`${ip}:`));
      assert.equal(rest.length, 2);
      made.endpoints('web', rest);
      await eventually(async () => {
        const now = await node.ask();
        return now.kind === 'answered' && now.by !== first.by;
      });
      const second = await node.ask();
      for (let i = 0; i < 10; i++) assert.deepEqual(await node.ask(), second);
    });

    test('says "refused" as soon as the last endpoint goes, and serves as soon as one comes', async () => {
      const made = cluster();
      await node.start(made);
      made.endpoints('web', []);
      await eventually(async () => (await node.ask()).kind === 'refused');
      for (let i = 0; i < 20; i++) assert.equal((await node.ask()).kind, 'refused');
      made.endpoints('web', [endpoints[2]]);
      await eventually(async () => (await node.ask()).kind === 'answered');
    });
  });
}
