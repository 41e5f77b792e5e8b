/** How real connections spread over a Service's endpoints, by each algorithm that a mode offers. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { FakeClock } from '../../src/clock/testing/fake-clock.ts';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { Conntrack } from '../../src/linux/netlink/conntrack.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import type { Mode } from '../../src/proxy/mode/mode.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import { sampleNode as node } from '../../src/proxy/testing/sample-node.ts';
import { Connection, probe } from './probe.ts';
import { ServedServices } from './testing/served-services.ts';
import { buildTopology, echoPort, type Topology } from './topology.ts';

const endpoints = ['10.244.1.2', '10.244.1.3', '10.244.1.4'];
const clients = ['10.244.1.100', '10.244.1.101', '10.244.1.102', '10.244.1.103', '192.168.120.1'];
const [client = ''] = clients;
/** An answer comes at once, but a machine may be busy. */
const answerMs = 30_000;
const countPeriodMs = 1000;

for (const face of faces) {
  const lacking = cannotMakeNamespaces || ((await face.lacking()) ?? false);
  describe(`${face.name} spreads connections`, { skip: lacking, concurrency: false }, () => {
    const clock = new FakeClock();
    let topology: Topology;
    let mode: Mode;
    before(async () => {
      topology = await buildTopology([...endpoints, ...clients.slice(0, -1)], [], 'a');
      mode = face.open(topology.node, clock);
      await mode.probe();
    });
    beforeEach(async () => {
      await mode.cleanUp();
      await mustRun(systemExec, 'nsenter', [`--net=${topology.node}`, 'conntrack', '-F']);
    });
    after(async () => {
      await mode?.cleanUp();
      mode?.close();
      await topology?.[Symbol.asyncDispose]();
    });
    const openMode = async (): Promise<ServedServices> => new ServedServices(mode, await mode.open(node));
    const skipWithout = (algorithm: string): string | false =>
      face.algorithms.some((one) => one === algorithm) ? false : `${face.name} has no ${algorithm}`;
    /** Who answers a new connection. */
    const ask = async (ip: string, from = client): Promise<string> => {
      const result = await probe(topology.namespaceOf(from), ip, 80, 'tcp', answerMs);
      assert.equal(result.kind, 'answered');
      return result.kind === 'answered' ? result.by.slice(0, result.by.lastIndexOf(':')) : '';
    };

    test('in turn by round-robin, for each Service by itself', { skip: skipWithout('round-robin') }, async () => {
      const [served, algorithm] = [await openMode(), 'round-robin'];
      await served.serve('10.96.0.1', endpoints, { algorithm });
      await served.serve('10.96.0.2', endpoints, { algorithm });
      const [first, second]: [string[], string[]] = [[], []];
      for (let i = 0; i < 9; i++) {
        first.push(await ask('10.96.0.1'));
        second.push(await ask('10.96.0.2'));
      }
      for (const answers of [first, second]) {
        assert.deepEqual(answers.slice(0, 3).sort(), endpoints);
        assert.deepEqual(answers.slice(3), answers.slice(0, -3));
      }
    });

    test('by source-hash to one endpoint for each client', { skip: skipWithout('source-hash') }, async () => {
      const [served, algorithm] = [await openMode(), 'source-hash'];
      await served.serve('10.96.0.1', endpoints, { algorithm });
      const place = async (from: string): Promise<string> => {
        const answers = new Set<string>();
        for (let i = 0; i < 6; i++) answers.add(await ask('10.96.0.1', from));
        assert.equal(answers.size, 1, `${from} got ${[...answers].join(', ')}`);
        return [...answers].join();
      };
      const placed = new Map<string, string>();
      for (const from of clients) placed.set(from, await place(from));
      if (!face.keepsHashedClients) return;
      const gone = placed.get(client) ?? '';
      const left = endpoints.filter((ip) => ip !== gone);
      await served.serve('10.96.0.1', left, { algorithm });
      for (const [from, before] of placed) {
        const now = await place(from);
        if (before === gone) assert.ok(left.includes(now));
        else assert.equal(now, before, `${from} moved, though its endpoint is there`);
      }
    });

    test('by least-connection to the endpoints with fewest', { skip: skipWithout('least-connection') }, async () => {
      const [served, algorithm] = [await openMode(), 'least-connection'];
      const [crowded = ''] = endpoints;
      const conntrack = inNetns(topology.node, () => new Conntrack());
      const open: Connection[] = [];
      const connect = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          const connection = await Connection.open(topology.namespaceOf(client), '10.96.0.1', 80, 'tcp', answerMs);
          assert.ok(typeof connection !== 'string');
          open.push(connection);
        }
      };
      const counts = async (): Promise<Map<string, number>> => {
        const of = new Map<string, number>();
        for (const { reply, isClosing } of await conntrack.flowsOf(4, { to: '10.96.0.1' }))
          if (!isClosing) of.set(reply.src, (of.get(reply.src) ?? 0) + 1);
        return of;
      };
      /** Twice: what came between two counts is expected to come again. */
      const counted = async (): Promise<void> => {
        for (let i = 0; i < 2 && clock.pending > 0; i++) {
          await clock.advance(countPeriodMs);
          await eventually(() => clock.pending > 0);
        }
      };
      try {
        await served.serve('10.96.0.1', [crowded], { algorithm, targetPort: echoPort });
        await connect(10);
        await served.serve('10.96.0.1', endpoints, { algorithm, targetPort: echoPort });
        await counted();
        // Drawn at random, eighteen all miss one of three endpoints once in 1,500 times.
        await connect(18);
        assert.equal((await counts()).get(crowded), 10);
        for (const connection of open.splice(0, 10)) connection[Symbol.dispose]();
        await eventually(async () => (await counts()).get(crowded) === undefined);
        await counted();
        await connect(8);
        assert.equal((await counts()).get(crowded), 8);
      } finally {
        for (const connection of open) connection[Symbol.dispose]();
        conntrack.close();
      }
    });
  });
}
