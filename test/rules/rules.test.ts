/**
 * Every scenario of `rules/` three times: the rendered text against the golden file, the packets through a trace of the
 * rules, and real packets through the real rules. UPDATE_GOLDEN=1 writes the golden files.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { mustRun, systemExec } from '../../src/linux/exec.ts';
import { inNetns } from '../../src/linux/netns.ts';
import { create, diff } from '../../src/linux/nftables/diff.ts';
import { KernelNftables } from '../../src/linux/nftables/kernel-nftables.ts';
import type { Table } from '../../src/linux/nftables/table.ts';
import { printTable } from '../../src/linux/nftables/testing/print.ts';
import { type Fate, trace } from '../../src/linux/nftables/testing/trace.ts';
import { dynamicSets } from '../../src/proxy/mode/nftables/layout.ts';
import {
  type ExpectedPacket,
  nodeIps,
  planScenario,
  readScenario,
  type Scenario,
  scenarioTable,
  tracedPacket,
} from '../../src/proxy/testing/scenario.ts';
import { probe } from './probe.ts';
import { buildTopology, type Topology } from './topology.ts';

const folder = new URL('../../rules/scenarios/', import.meta.url);
const refusedInARow = 20;
const silenceMs = 300;
const answerMs = 3000;

function read(name: string, file: string): string {
  return readFileSync(new URL(`${name}/${file}`, folder), 'utf8');
}

const scenarios = readdirSync(folder)
  .filter((name) => existsSync(new URL(`${name}/packets.yaml`, folder)))
  .map((name) => ({ name, scenario: readScenario(read(name, 'objects.yaml'), read(name, 'cluster.yaml'), read(name, 'packets.yaml')) }));

function checkTrace(table: Table, packet: ExpectedPacket): void {
  const learnt = new Map<string, Map<string, string>>();
  const fate: Fate = trace(table, tracedPacket(packet), { nodeIps, learnt });
  if (packet.fate !== 'reached') {
    const expected = packet.fate === 'dropped' ? 'dropped' : `refused with ${packet.protocol === 'tcp' ? 'tcp reset' : 'icmp'}`;
    assert.equal(fate.kind === 'refused' ? `refused with ${fate.with}` : fate.kind, expected);
    return;
  }
  assert.equal(fate.kind, 'passed');
  if (fate.kind !== 'passed') return;
  assert.deepEqual([...new Set(fate.destinations.map((d) => `${d.to}:${d.port}`))].sort(), packet.reaches);
  assert.deepEqual([...new Set(fate.destinations.filter((d) => d.masqueraded).map((d) => `${d.to}:${d.port}`))].sort(), packet.masqueraded);
  if (!packet.sticky) return;
  const again = trace(table, tracedPacket(packet), { nodeIps, learnt });
  assert.equal(again.kind === 'passed' ? again.destinations.length : 0, 1, 'a client that is known has one endpoint');
}

async function checkReal(topology: Topology, packet: ExpectedPacket): Promise<void> {
  const from = topology.namespaceOf(packet.from);
  if (packet.fate === 'dropped') {
    assert.deepEqual(await probe(from, packet.to, packet.port, packet.protocol, silenceMs), { kind: 'silent' });
    return;
  }
  if (packet.fate === 'refused') {
    // ICMP errors are limited to one in a second after the first six.
    const times = packet.protocol === 'tcp' ? refusedInARow : 1;
    for (let i = 0; i < times; i++)
      assert.deepEqual(await probe(from, packet.to, packet.port, packet.protocol, answerMs), { kind: 'refused' });
    return;
  }
  const seen = new Map<string, string>();
  const wanted = packet.sticky ? 1 : packet.reaches.length;
  // The chance to miss one of five endpoints in 200 tries is 4e-20.
  for (let i = 0; i < 200 && (i < 12 || seen.size < wanted); i++) {
    const result = await probe(from, packet.to, packet.port, packet.protocol, answerMs);
    assert.equal(result.kind, 'answered');
    if (result.kind !== 'answered') return;
    assert.ok(packet.reaches.includes(result.by), `${result.by} answered, which is not among ${packet.reaches.join(', ')}`);
    const masqueraded = result.client !== packet.from;
    // A node picks its source address before DNAT: its own packets may bear the gateway's either way.
    if (!nodeIps.includes(packet.from))
      assert.equal(masqueraded, packet.masqueraded.includes(result.by), `${result.by} saw ${result.client}`);
    seen.set(result.by, result.client);
  }
  assert.equal(seen.size, wanted, `answers came from ${[...seen.keys()].join(', ')}`);
}

function localPods(all: readonly Scenario[]): { pods: string[]; remote: string[] } {
  const ips = new Set(all.flatMap((s) => s.slices.flatMap((slice) => (slice.endpoints ?? []).map((e) => e.addresses[0] ?? ''))));
  for (const packet of all.flatMap((s) => s.packets)) if (packet.from.startsWith('10.244.')) ips.add(packet.from);
  const sorted = [...ips].sort();
  return { pods: sorted.filter((ip) => ip.startsWith('10.244.1.')), remote: sorted.filter((ip) => ip.startsWith('10.244.2.')) };
}

describe('rules', () => {
  for (const { name, scenario } of scenarios) {
    const table = scenarioTable(scenario);
    test(`${name} renders to its golden file`, () => {
      const text = printTable(table);
      const golden = new URL(`${name}/nftables.nft`, folder);
      if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
      assert.equal(text, readFileSync(golden, 'utf8'));
    });
    test(`${name} refuses the frontends that it says, and no others`, () => {
      const refused = planScenario(scenario).refusals.map(({ reason, service, frontend }) => `${reason} ${service} ${frontend}`);
      assert.deepEqual(refused.sort(), scenario.refused);
    });
    for (const packet of scenario.packets) test(`${name}, traced: ${packet.name}`, () => checkTrace(table, packet));
  }
});

describe('rules in the kernel', { skip: process.getuid?.() === 0 ? false : 'needs root', concurrency: false }, () => {
  let topology: Topology;
  let nft: KernelNftables;
  before(async () => {
    const { pods, remote } = localPods(scenarios.map((s) => s.scenario));
    topology = await buildTopology(pods, remote);
    nft = inNetns(topology.node, () => new KernelNftables());
  });
  after(async () => {
    nft?.close();
    await topology?.[Symbol.asyncDispose]();
  });

  for (const { name, scenario } of scenarios) {
    describe(name, () => {
      const table = scenarioTable(scenario);
      before(async () => {
        const held = await nft.read('ip', table.name);
        await nft.commit({ family: 'ip', table: table.name, ops: [...(held ? [{ op: 'delete-table' as const }] : []), ...create(table)] });
        // Affinity and flows of the scenario before must not show.
        await systemExec.run('ip', ['netns', 'exec', topology.node.slice('/run/netns/'.length), 'conntrack', '-F']);
      });
      test('reads back as what was written', async () => {
        assert.deepEqual(diff(await nft.read('ip', table.name, dynamicSets), table), []);
      });
      test('lists as nft reads the golden file, and survives the round trip', async () => {
        const run = (script: string, input = ''): Promise<string> =>
          mustRun(systemExec, 'ip', ['netns', 'exec', topology.node.slice('/run/netns/'.length), 'sh', '-c', script], { input });
        const listed = await run(`nft list table ip ${table.name}`);
        const fromGolden = await run(`unshare -n sh -c 'nft -f - && nft list table ip ${table.name}'`, read(name, 'nftables.nft'));
        assert.equal(fromGolden, listed);
        assert.equal(await run(`unshare -n sh -c 'nft -f - && nft list table ip ${table.name}'`, listed), listed);
      });
      for (const packet of scenario.packets)
        test(packet.name, { skip: packet.protocol === 'sctp' ? 'traced only' : false }, () => checkReal(topology, packet));
    });
  }
});
