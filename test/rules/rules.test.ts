/**
 * Every scenario of `rules/` three times in every mode: the rendered text against the golden file, the packets through a trace of the
 * rules, and real packets through the real rules. UPDATE_GOLDEN=1 writes the golden files.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '../../src/ip/ip.ts';
import type { ServiceCount } from '../../src/proxy/mode/mode.ts';
import type { ModeFace } from '../../src/proxy/mode/testing/face.ts';
import { faces } from '../../src/proxy/mode/testing/faces.ts';
import { testGoldenFiles } from '../../src/proxy/mode/testing/golden-files.ts';
import type { Fate, Rendered } from '../../src/proxy/mode/view.ts';
import type { NodeContext } from '../../src/proxy/plan/node-context.ts';
import { frontendName, type ServicePlan } from '../../src/proxy/plan/service-plan.ts';
import { type ExpectedPacket, firstPacket, nodeIps, packetsIn, planScenario, type Scenario } from '../../src/proxy/testing/scenario.ts';
import { goldenFile, scenarios } from '../../src/proxy/testing/scenarios.ts';
import { type ProbeResult, probe } from './probe.ts';
import { ProgrammedMode } from './testing/programmed-mode.ts';
import { buildTopology, type Topology } from './topology.ts';

/** ICMP errors would be limited after six. */
const refusedInARow = 10;
const leastTries = 8;
const silenceMs = 300;
/** An answer comes at once, but a machine may be busy, and a guest slower than that. */
const answerMs = 30_000;

function destinationsOf(fate: Fate): { readonly all: string[]; readonly masqueraded: string[] } {
  const destinations = fate.kind === 'passed' ? fate.destinations : [];
  const names = (of: typeof destinations): string[] => [...new Set(of.map((d) => `${d.to}:${d.port}`))].sort();
  return { all: names(destinations), masqueraded: names(destinations.filter((d) => d.masqueraded)) };
}

function checkTrace(face: ModeFace, rendered: Rendered, packet: ExpectedPacket): void {
  const trace = rendered.tracer(nodeIps);
  const fate = trace(firstPacket(packet));
  if (packet.fate !== 'reached') {
    const refusal = { kind: 'refused', with: packet.protocol === 'tcp' ? face.refusesTcpBy : 'icmp' };
    assert.deepEqual(fate, packet.fate === 'dropped' ? { kind: 'dropped' } : refusal);
    return;
  }
  assert.equal(fate.kind, 'passed');
  const { all, masqueraded } = destinationsOf(fate);
  const isChosen = packet.hashed && all.length === 1;
  assert.deepEqual(isChosen ? packet.reaches.filter((endpoint) => all.includes(endpoint)) : packet.reaches, all);
  assert.deepEqual(masqueraded, isChosen ? packet.masqueraded.filter((endpoint) => all.includes(endpoint)) : packet.masqueraded);
  if (packet.sticky) assert.equal(destinationsOf(trace(firstPacket(packet))).all.length, 1, 'a client that is known has one endpoint');
}

/** Where the trace knows to which endpoint a hash sends a client, the kernel has to send it there. */
function placeOf(rendered: Rendered, packet: ExpectedPacket): ExpectedPacket {
  const { all } = destinationsOf(rendered.tracer(nodeIps)(firstPacket(packet)));
  return packet.hashed && all.length === 1 ? { ...packet, reaches: all } : packet;
}

/** What was really seen of connections, to compare with what a mode counted. */
class Seen {
  readonly connections = new Map<string, number>();
  refused = 0;
  readonly #frontends: ReadonlySet<string>;

  constructor(plans: Iterable<ServicePlan>) {
    const ports = [...plans].flatMap((plan) => plan.ports);
    this.#frontends = new Set(ports.flatMap((port) => port.frontends.map((frontend) => frontendName(frontend, port))));
  }

  /** What is sent to no Service is nobody's to count. */
  #isService({ to, port, protocol }: ExpectedPacket): boolean {
    const isNode = nodeIps.includes(to) && this.#frontends.has(frontendName({ port }, { protocol }));
    return isNode || this.#frontends.has(frontendName({ ip: to, port }, { protocol }));
  }

  reached(packet: ExpectedPacket, endpoint: string): void {
    // A node port that is not served at this address is whoever's listens there.
    const isTranslated = endpoint !== `${packet.to}:${packet.port}`;
    if (isTranslated && this.#isService(packet)) this.connections.set(endpoint, (this.connections.get(endpoint) ?? 0) + 1);
  }

  refuse(packet: ExpectedPacket): void {
    if (this.#isService(packet)) this.refused++;
  }
}

/** By endpoint, of all Services together. */
function countedByEndpoint(counts: readonly ServiceCount[]): Map<string, number> {
  const counted = new Map<string, number>();
  for (const { endpoint, connections } of counts.flatMap(({ endpoints = [] }) => endpoints)) {
    const name = endpoint.replace(/[[\]]/g, '');
    counted.set(name, (counted.get(name) ?? 0) + connections);
  }
  return counted;
}

async function checkReal(face: ModeFace, topology: Topology, packet: ExpectedPacket, counted: Seen): Promise<void> {
  const from = topology.namespaceOf(packet.from);
  const send = (timeoutMs: number): Promise<ProbeResult> =>
    packet.protocol === 'sctp'
      ? topology.sctp.probe(from, packet.from, packet.to, packet.port, timeoutMs)
      : probe(from, packet.to, packet.port, packet.protocol, timeoutMs);
  if (packet.fate === 'dropped') {
    assert.deepEqual(await send(silenceMs), { kind: 'silent' });
    counted.refuse(packet);
    return;
  }
  if (packet.fate === 'refused') {
    // ICMP errors are limited to one in a second after the first six.
    const times = packet.protocol === 'tcp' && face.refusesTcpBy === 'tcp reset' ? refusedInARow : 1;
    for (let i = 0; i < times; i++) {
      assert.deepEqual(await send(answerMs), { kind: 'refused' });
      counted.refuse(packet);
    }
    return;
  }
  const seen = new Map<string, string>();
  const wanted = packet.sticky || packet.hashed ? 1 : packet.reaches.length;
  // The chance to miss one of a dozen endpoints in 200 tries is 3e-7.
  for (let i = 0; i < 200 && (i < leastTries || seen.size < wanted); i++) {
    const result = await send(answerMs);
    assert.equal(result.kind, 'answered');
    if (result.kind !== 'answered') return;
    assert.ok(packet.reaches.includes(result.by), `${result.by} answered, which is not among ${packet.reaches.join(', ')}`);
    counted.reached(packet, result.by);
    const masqueraded = result.client !== packet.from;
    // A node picks its source address before DNAT: its own packets may bear the gateway's either way.
    if (!nodeIps.includes(packet.from))
      assert.equal(masqueraded, packet.masqueraded.includes(result.by), `${result.by} saw ${result.client}`);
    seen.set(result.by, result.client);
  }
  assert.equal(seen.size, wanted, `answers came from ${[...seen.keys()].join(', ')}`);
}

function localPods(all: readonly Scenario[]): { pods: string[]; remote: string[] } {
  const ips = new Set(
    all.flatMap((s) => s.slices.flatMap((slice) => (slice.endpoints ?? []).flatMap((e) => parseIp(e.addresses[0] ?? '') ?? []))),
  );
  for (const packet of all.flatMap((s) => s.packets)) if (packet.from.startsWith('10.244.')) ips.add(packet.from);
  // Each pod has an address of the other family, too.
  const sorted = [...ips].filter((ip) => !ip.includes(':')).sort();
  return { pods: sorted.filter((ip) => ip.startsWith('10.244.1.')), remote: sorted.filter((ip) => ip.startsWith('10.244.2.')) };
}

describe('rules', () => {
  for (const { title, scenario } of scenarios)
    test(`${title} refuses the frontends that it says, and no others`, () => {
      const refused = planScenario(scenario).refusals.map(({ reason, service, frontend }) => `${reason} ${service} ${frontend}`);
      assert.deepEqual(refused.sort(), scenario.refused);
    });
  for (const face of faces) {
    testGoldenFiles(face);
    for (const { title, scenario } of scenarios) {
      const rendered = face.render(planScenario(scenario, face.algorithms).plans.values(), scenario.node);
      for (const packet of packetsIn(face, scenario))
        test(`${face.name}: ${title}, traced: ${packet.name}`, () => checkTrace(face, rendered, packet));
    }
  }
});

const needsRoot = process.getuid?.() === 0 ? false : 'needs root';
const lacking = new Map(needsRoot ? [] : await Promise.all(faces.map(async (face) => [face, await face.lacking()] as const)));

describe('rules in the kernel', { skip: needsRoot, concurrency: false }, () => {
  let topology: Topology;
  before(async () => {
    const { pods, remote } = localPods(scenarios.map((s) => s.scenario));
    topology = await buildTopology(pods, remote);
  });
  after(() => topology?.[Symbol.asyncDispose]());

  for (const face of faces) {
    const without = lacking.get(face);
    describe(`${face.name}`, { skip: without === undefined ? false : `traced only: ${without}` }, () => {
      let programmed: ProgrammedMode;
      before(async () => {
        programmed = await ProgrammedMode.in(face, topology.node);
      });
      after(() => programmed?.close());

      for (const named of scenarios) {
        const { title, scenario } = named;
        describe(title, () => {
          before(() => programmed.take(planScenario(scenario, programmed.algorithms).plans.values(), scenario.node));
          test('reads back as what was written', async () => {
            programmed.rules?.distrust();
            assert.deepEqual(await programmed.rules?.sync(), { full: true, steps: 0 });
          });
          const golden = goldenFile(named, face.golden);
          if (golden)
            test('lists as the golden file says', () => face.checkListing(topology.node, readFileSync(golden, 'utf8'), scenario.node));
          const rendered = face.render(planScenario(scenario, face.algorithms).plans.values(), scenario.node);
          const packets = packetsIn(face, scenario);
          // Of two clients that ask in step each would see every second endpoint.
          const inStep = (packet: ExpectedPacket): boolean => face.takesTurns === true && packet.fate === 'reached';
          const send = (some: readonly ExpectedPacket[]): void => {
            for (const packet of some) test(packet.name, () => checkReal(face, topology, placeOf(rendered, packet), counted));
          };
          const counted = new Seen(planScenario(scenario, face.algorithms).plans.values());
          // Golden files are without the rules that count.
          const counting: NodeContext = { ...scenario.node, countsConnections: true };
          test('counts', () => programmed.take(planScenario(scenario, programmed.algorithms).plans.values(), counting));
          // Together, as some wait for an answer that never comes.
          describe('packets', { concurrency: true }, () => send(packets.filter((packet) => !inStep(packet))));
          describe('packets one after the other', () => send(packets.filter(inStep)));
          test('counted them all', async () => {
            const counts = (await programmed.rules?.counts?.('endpoints')) ?? [];
            const refused = counts.reduce((sum, count) => sum + (count.refused ?? 0), 0);
            if (face.counts.includes('refusals')) assert.equal(refused, counted.refused);
            if (face.counts.includes('endpoints'))
              assert.deepEqual(new Map([...countedByEndpoint(counts)].sort()), new Map([...counted.connections].sort()));
          });
        });
      }
    });
  }
});
