/**
 * Source ranges while they change: wherever one stops between two restores, nobody is let in whom they shut out, and nobody dropped whom they let in. ORDER_SEED=N
 * repeats a run.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '../../../clock/testing/fake-clock.ts';
import { seededRandom } from '../../../clock/testing/seeded-random.ts';
import { cidrContains, mustCidr } from '../../../ip/ip.ts';
import type { Ruleset } from '../../../linux/iptables/ruleset.ts';
import { FakeIptables } from '../../../linux/iptables/testing/fake-iptables.ts';
import { trace } from '../../../linux/iptables/trace.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { bareNode as node } from '../../testing/sample-node.ts';
import { sameText } from './changes.ts';
import { ServiceChains } from './service-chains.ts';

const seed = Number(process.env.ORDER_SEED ?? Date.now() % 2 ** 32);
const ip = '203.0.113.9';
const key = 'n/a';
const two = ['10.244.0.1', '10.244.0.2'];

function plan(
  sources: readonly string[] | undefined,
  ips: readonly string[] = two,
  more: Partial<ServicePlan['ports'][0]> = {},
  outside?: 'drop',
): ServicePlan {
  const target = ips.length > 0 ? 'cluster' : 'refuse';
  const all = { port: 80, inside: target, outside: outside ?? target } as const;
  const frontends: Frontend[] = [
    { kind: 'cluster-ip', ip: '10.96.0.9', ...all, masquerade: 'outside-pods' },
    { kind: 'load-balancer-ip', ip, ...all, masquerade: 'always', ...(sources ? { sources } : {}) },
  ];
  const endpoints = ips.map((one) => ({ name: `${one} . 8080`, ip: one, port: 8080, mayBeHere: false }));
  return { key, rank: '', ports: [{ name: '', protocol: 'tcp', frontends, cluster: endpoints, local: [], serving: new Set(), ...more }] };
}

const other = (ips: readonly string[]): ServicePlan => ({
  key: 'n/b',
  rank: '',
  ports: plan(undefined, ips).ports.map((port) => ({
    ...port,
    frontends: [{ kind: 'cluster-ip', ip: '10.96.0.8', port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' }],
  })),
});

const long = (first: string): string[] => Array.from({ length: 2050 }, (_, i) => `${first}.${i >> 8}.${i & 255}/32`);
const longs = [
  ['10.1.0.0/16', '10.2.0.0/16', ...long('172.16')],
  ['10.1.0.0/16', '10.3.0.0/16', ...long('172.17')],
] as const;

/** What a Service may be like; undefined: not there. */
const kinds: Readonly<Record<string, ServicePlan | undefined>> = {
  none: undefined,
  'no endpoints': plan(longs[0], []),
  open: plan(undefined),
  'no endpoints here': plan(undefined, two, {}, 'drop'),
  closed: plan([]),
  'a list': plan(['10.1.0.0/16', '10.2.0.0/16']),
  'thousands of ranges': plan(longs[0]),
  'thousands of others': plan([...longs[1], `${ip}/32`]),
};

const clients = ['10.1.0.1', '10.2.0.1', '10.3.0.1', '10.9.0.1', '10.244.1.7', ip];

/** A client meets few rules of thousands of ranges. They are looked through once, and not in each state. */
const metBy = new WeakMap<readonly string[], Map<string, readonly string[]>>();
const clientRanges = new Map<string, ReturnType<typeof mustCidr>>();

function rangeOf(rule: string): ReturnType<typeof mustCidr> | undefined {
  const text = /^-s (\S+) /.exec(rule)?.[1];
  if (text !== undefined && !clientRanges.has(text)) clientRanges.set(text, mustCidr(text));
  return clientRanges.get(text ?? '');
}

function rulesMet(rules: readonly string[], from: string): readonly string[] {
  if (rules.length < 100) return rules;
  const known = metBy.get(rules) ?? new Map<string, readonly string[]>();
  metBy.set(rules, known);
  const met = known.get(from) ?? rules.filter((rule) => !rule.startsWith('-s ') || cidrContains(rangeOf(rule) ?? assert.fail(rule), from));
  known.set(from, met);
  return met;
}

function met(table: ReadonlyMap<string, readonly string[]> | undefined, from: string): Map<string, readonly string[]> {
  return new Map([...(table ?? [])].map(([name, rules]) => [name, rulesMet(rules, from)]));
}

/** How a connection fares that meets table nat of one moment, and then table filter of the same or of a later one. */
function fateOf(from: string, atNat: Ruleset, atFilter: Ruleset = atNat): 'let in' | 'refused' | 'not let in' {
  const rules = new Map([
    ['nat', met(atNat.get('nat'), from)],
    ['filter', met(atFilter.get('filter'), from)],
  ]);
  const packet = { from, sourcePort: 40_000, to: ip, port: 80, protocol: 'tcp', ...(from === ip ? {} : { interface: 'eth0' }) };
  const fate = trace(rules, packet, { nodeIps: [...node.nodeIps, ip] });
  if (fate.kind === 'refused') return 'refused';
  return fate.kind === 'passed' && fate.destinations.every(({ to }) => to !== ip) ? 'let in' : 'not let in';
}

/** iptables that keeps what it holds after every transaction. */
class Recorder extends FakeIptables {
  readonly states: Ruleset[] = [];

  override async restore(...[family, sections]: Parameters<FakeIptables['restore']>): Promise<void> {
    for (const section of sections) {
      await super.restore(family, [section]);
      this.states.push(await this.#state());
    }
  }

  /** A chain that is as it was is the same list. */
  async #state(): Promise<Ruleset> {
    const last = this.states.at(-1);
    const kept = (table: string, name: string, rules: readonly string[]): readonly string[] => {
      const before = last?.get(table)?.get(name);
      return before && sameText(before, rules) ? before : rules;
    };
    const held = await this.save('ip');
    return new Map(
      [...held].map(([table, chains]) => [table, new Map([...chains].map(([name, rules]) => [name, kept(table, name, rules)]))]),
    );
  }

  static async over(rules: Ruleset): Promise<Recorder> {
    const recorder = new Recorder();
    for (const [table, chains] of rules) await recorder.restore('ip', [{ table: table as 'nat', fill: new Map([...chains].toSorted()) }]);
    recorder.states.length = 0;
    return recorder;
  }
}

let iptables: Recorder;
let clock: FakeClock;
let chains: ServiceChains;

function begin(over: Recorder): void {
  iptables = over;
  clock = new FakeClock();
  chains = new ServiceChains(node, {
    iptables,
    connections: { flowsOf: async () => [] },
    clock,
    randomFully: true,
    rules: {},
    allowLocalnet: () => {},
  });
}

/** To the end of what is still to come. */
async function filled(): Promise<void> {
  for (let turn = 0; turn < 200 && clock.pending > 0; turn++) {
    await clock.advance(0);
    await chains.sync();
  }
  assert.equal(clock.pending, 0);
}

async function comeTo(after: ServicePlan | undefined): Promise<void> {
  chains.put(key, after);
  chains.put('n/b', other(two));
  await chains.sync();
  await filled();
}

/** Nothing of a half is left. */
async function inStep(): Promise<void> {
  chains.distrust();
  assert.deepEqual(await chains.sync(), { full: true, steps: 0 });
  assert.equal(chains.count.total.nat, (iptables.dump('ip').split('*nat')[1] ?? '').split('COMMIT')[0]?.match(/^-A /gm)?.length);
}

const nothing: Ruleset = new Map();

/** `start`: before all that happens, of which these states may be the end alone. */
function check(to: string, states: readonly Ruleset[], start: Ruleset = states[0] ?? nothing): void {
  const end = states.at(-1) ?? nothing;
  for (const client of clients) {
    const [was, is] = [fateOf(client, start), fateOf(client, end)];
    let now = fateOf(client, states[0] ?? nothing);
    for (const [i, after] of states.slice(1).entries()) {
      const moments: readonly Ruleset[] = [states[i] ?? nothing, after];
      for (const atNat of moments) {
        const fate = fateOf(client, atNat, after);
        const at = `to ${to}, transaction ${i + 1} of ${states.length - 1}: ${client} is ${fate}`;
        if (was === is) assert.equal(fate, was, at);
        // Who is let in or shut out in the end may be dropped on the way, but not the other way round.
        else assert.ok(fate === was || fate === is || fate === 'not let in', at);
        if (atNat !== after) continue;
        if (now === is) assert.equal(fate, is, `${at} again`);
        now = fate;
      }
    }
  }
}

describe('a Service', () => {
  for (const [from, before] of Object.entries(kinds))
    test(`from ${from} to whatever else lets nobody in who is shut out, and drops nobody who is not, wherever it is killed (ORDER_SEED=${seed})`, async () => {
      const below = seededRandom(seed);
      for (const [to, after] of Object.entries(kinds)) {
        begin(new Recorder());
        await comeTo(before);
        const start = await iptables.save('ip');
        iptables.states.length = 0;
        await comeTo(after);
        const states = [start, ...iptables.states];
        check(to, states);
        await inStep();
        const killedAt = below(states.length);
        begin(await Recorder.over(states[killedAt] ?? nothing));
        await comeTo(after);
        check(`${to}, killed after transaction ${killedAt}`, [states[killedAt] ?? nothing, ...iptables.states], start);
        await inStep();
      }
    });
});
