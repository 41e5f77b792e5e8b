/** Source ranges while they change: at no moment between two transactions, or beside one, is somebody let in whom they shut out, or dropped whom they let in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Hook, Table } from '../../../linux/nftables/table.ts';
import { trace } from '../../../linux/nftables/trace.ts';
import type { Frontend, ServicePlan } from '../../plan/service-plan.ts';
import { first, ledByElements, momentsOf, nothing, restarted, running, upgraded, type Way } from './testing/moments.ts';

const ip = '203.0.113.9';

function plan(sources: readonly string[] | undefined): ServicePlan {
  const target = { port: 80, inside: 'cluster', outside: 'cluster', masquerade: 'always' } as const;
  const frontends: Frontend[] = [{ kind: 'load-balancer-ip', ip, ...target, ...(sources ? { sources } : {}) }];
  const cluster = ['10.244.0.1', '10.244.0.2'].map((one) => ({ name: `${one} . 8080`, ip: one, port: 8080, mayBeHere: false }));
  return { key: 'n/a', rank: '', ports: [{ name: '', protocol: 'tcp', frontends, cluster, local: [], serving: new Set() }] };
}

const long = Array.from({ length: 20 }, (_, i) => `172.16.${i}.0/24`);

/** What a Service may be like; undefined: not there. */
const kinds: Readonly<Record<string, ServicePlan | undefined>> = {
  none: undefined,
  open: plan(undefined),
  closed: plan([]),
  'a list': plan(['10.1.0.0/16', '10.2.0.0/16']),
  'another list': plan(['10.1.0.0/16', '10.3.0.0/16']),
  'a list with the node': plan(['10.1.0.0/16', `${ip}/32`]),
  'a long list': plan(['10.1.0.0/16', '10.3.0.0/16', ...long, `${ip}/32`]),
};

const clients = ['10.1.0.1', '10.2.0.1', '10.3.0.1', '10.9.0.1', ip];

/** How one packet fares that meets these tables: rules of the first hook may be of an earlier moment than those of the next. */
function isLetIn(from: string, atFilter: Table, atNat: Table = atFilter): boolean {
  const packet = { from, sourcePort: 40_000, to: ip, port: 80, protocol: 'tcp', ...(from === ip ? {} : { interface: 'eth0' }) };
  const fate = (table: Table, isMet: (hook: Hook) => boolean): ReturnType<typeof trace> =>
    trace({ ...table, chains: table.chains.filter(({ hook }) => !hook || isMet(hook)) }, packet, { nodeIps: [ip] });
  if (fate(atFilter, ({ priority }) => priority < -100).kind === 'dropped') return false;
  const translated = fate(atNat, ({ priority }) => priority >= -100);
  return translated.kind === 'passed' && translated.destinations.every((destination) => destination.translated);
}

/** The table as earlier versions made it: frontends and ranges in one set. */
function rangesInOneSet(now: Table, service: ServicePlan | undefined): Table {
  const table = ledByElements(now);
  const isNew = (name: string): boolean => /^(source-checks|own-sources|sources-.*|ranges-.*)$/.test(name);
  const [frontend] = service?.ports[0]?.frontends ?? [];
  const key = `${ip} . tcp . 80`;
  const guarded = frontend?.sources ? [[key, ''] as const] : [];
  const allowed = (frontend?.sources ?? []).map((range) => [`${key} . ${range.replace(/\/32$/, '')}`, ''] as const);
  const frontendKey = ['ipv4_addr', 'inet_proto', 'inet_service'];
  const match = 'ip daddr . meta l4proto . th dport';
  return {
    ...table,
    sets: [
      ...table.sets.filter(({ name }) => !isNew(name)),
      { name: 'guarded-services', key: frontendKey },
      { name: 'allowed-sources', key: [...frontendKey, 'ipv4_addr'], interval: true },
    ],
    chains: table.chains
      .filter(({ name }) => !isNew(name))
      .map((chain) =>
        chain.name === 'sources' ? { ...chain, rules: [`${match} @guarded-services ${match} . ip saddr != @allowed-sources drop`] } : chain,
      ),
    elements: new Map([
      ...[...table.elements].filter(([name]) => !isNew(name)),
      ['guarded-services', new Map(guarded)],
      ['allowed-sources', new Map(allowed)],
    ]),
  };
}

function check(to: string, states: readonly Table[]): void {
  const [begin = nothing, end = nothing] = [states[0], states.at(-1)];
  for (const client of clients) {
    const [was, is] = [isLetIn(client, begin), isLetIn(client, end)];
    let now = was;
    for (const [i, after] of states.slice(1).entries())
      for (const [what, atFilter, atNat] of momentsOf(states[i] ?? nothing, after)) {
        const may = isLetIn(client, atFilter, atNat);
        const at = `to ${to}, transaction ${i + 1} of ${states.length - 1}, ${what}: ${client} is ${may ? 'let in' : 'not let in'}`;
        if (was === is) assert.equal(may, was, at);
        if (what !== 'after') continue;
        // Who is treated otherwise in the end is so once and for all.
        if (now === is) assert.equal(may, is, at);
        now = may;
      }
  }
}

const ways: Readonly<Record<string, Way>> = {
  'while the proxy runs': running,
  'while it is away': restarted,
  'while it is away, and another version comes back': upgraded(ledByElements),
  'while it is away, and a much later version comes back': upgraded(rangesInOneSet),
};

for (const [how, way] of Object.entries(ways))
  describe(`${how}, a Service`, () => {
    for (const [from, before] of Object.entries(kinds))
      test(`from ${from} to whatever else lets nobody in who is shut out, and drops nobody who is not`, async () => {
        for (const [to, after] of Object.entries(kinds)) {
          const { recorder, table } = await way(before);
          const begin = recorder.table;
          recorder.states.length = 0;
          table.put('n/a', after);
          await table.sync();
          check(to, [begin, ...recorder.states]);
        }
      });
  });

describe('the first rules of a node', () => {
  for (const [to, after] of Object.entries(kinds))
    test(`with ${to} let nobody in who is shut out`, async () => {
      const { recorder, table } = await first(undefined);
      table.put('n/a', after);
      await table.sync();
      check(to, [nothing, ...recorder.states]);
    });
});
