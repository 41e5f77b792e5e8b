import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseTable } from './testing/parse.ts';
import { type Fate, type Packet, trace } from './trace.ts';

const packet: Packet = { from: '192.0.2.1', sourcePort: 40_000, to: '10.96.0.1', port: 80, protocol: 'tcp', interface: 'eth0' };
const own: Packet = { from: '192.168.120.11', sourcePort: 40_000, to: '10.96.0.1', port: 80, protocol: 'tcp' };
const nodeIps = ['192.168.120.11'];

const sets = `
set ports { type inet_proto . inet_service elements = { tcp . 80 } }
map verdicts { type inet_service : verdict elements = { 80 : goto refuse, 81 : drop } }
map ends { type ipv4_addr . integer : ipv4_addr . inet_service elements = { 10.96.0.1 . 0 : 10.244.1.2 . 8080, 10.96.0.1 . 2 : 10.244.1.3 . 8081 } }
map both { type ipv4_addr . integer : ipv4_addr . inet_service elements = { 10.96.0.1 . 0 : 10.244.1.2 . 8080, 10.96.0.1 . 1 : 10.244.1.2 . 8080 } }
map near { type ipv4_addr . inet_service : ipv4_addr . inet_service elements = { 10.96.0.1 . 80 : 192.168.120.11 . 8080 } }
set ranges { type inet_service . ipv4_addr flags interval elements = { 80 . 192.0.2.0/24, 81 . 0.0.0.0/0 } }
map sticky { typeof ip saddr : ip daddr . th dport size 10 flags dynamic,timeout }`;

function table(prerouting: readonly string[], postrouting: readonly string[] = [], more = ''): string {
  const chain = (name: string, rules: readonly string[]): string => `chain ${name} {\n${rules.join('\n')}\n}\n`;
  const base = (hook: string, rules: readonly string[], priority = '0'): string =>
    chain(hook, [`type nat hook ${hook} priority ${priority}; policy accept;`, ...rules]);
  const declared = sets
    .trim()
    .split('\n')
    .map((line) =>
      line
        .replace(' { ', ' {\n')
        .replace(/ (?=elements|flags|size)/g, '\n')
        .replace(/ \}$/, '\n}'),
    )
    .join('\n');
  return `table ip t {\n${declared}\n${base('prerouting', prerouting)}${base('output', prerouting)}${base('postrouting', postrouting)}${chain('refuse', ['reject'])}${chain('back', ['return', 'drop'])}${chain('through', ['iifname nothing drop'])}${more}}`;
}

/** `to:port`, with `d` when it was translated and `m` when it is masqueraded. */
function show(fate: Fate): string {
  if (fate.kind === 'refused') return `refused with ${fate.with}`;
  if (fate.kind === 'dropped') return 'dropped';
  return fate.destinations.map((d) => `${d.to}:${d.port}${d.translated ? ' d' : ''}${d.masqueraded ? ' m' : ''}`).join(', ');
}

const passed = '10.96.0.1:80';

/** Rules of prerouting and output, and what becomes of `packet` or of one that differs from it. */
const cases: readonly [rule: string, fate: string, change?: Partial<Packet>][] = [
  ['accept', passed],
  ['drop', 'dropped'],
  ['reject', 'refused with icmp'],
  ['reject with tcp reset', 'refused with tcp reset'],
  ['notrack drop', 'dropped'],
  ['ip saddr 192.0.2.1 drop', 'dropped'],
  ['ip saddr 192.0.2.0/24 drop', 'dropped'],
  ['ip saddr 192.0.3.0/24 drop', passed],
  ['ip saddr != 192.0.3.0/24 drop', 'dropped'],
  ['ip saddr != 192.0.2.0/24 drop', passed],
  ['ip daddr 10.96.0.1 drop', 'dropped'],
  ['ip daddr 192.0.2.1 drop', passed],
  ['ip daddr nonsense drop', passed],
  ['th dport 80 drop', 'dropped'],
  ['th dport 40000 drop', passed],
  ['th sport 40000 drop', 'dropped'],
  ['meta l4proto tcp drop', 'dropped'],
  ['meta l4proto udp drop', passed],
  ['iifname "eth0" drop', 'dropped'],
  ['iifname "eth*" drop', 'dropped'],
  ['iifname "et*" drop', 'dropped'],
  ['iifname "veth*" drop', passed],
  ['iifname "eth" drop', passed],
  ['ct state new drop', 'dropped'],
  ['ct status dnat drop', passed],
  ['ct original ip saddr 192.0.2.1 drop', 'dropped'],
  ['ct original ip daddr 10.96.0.1 drop', 'dropped'],
  ['ct original proto-src 40000 drop', 'dropped'],
  ['ct original proto-dst 80 drop', 'dropped'],
  // Answers come from where the packet goes.
  ['ct reply ip saddr 10.96.0.1 drop', 'dropped'],
  ['ct reply proto-src 80 drop', 'dropped'],
  ['fib daddr type local drop', passed],
  ['fib daddr type local drop', 'dropped', { to: '192.168.120.11' }],
  ['fib saddr type local drop', 'dropped', { from: '192.168.120.11' }],
  ['fib saddr type unicast drop', 'dropped'],
  ['meta mark & 0x4000 == 0x4000 drop', passed],
  ['meta mark & 0x4000 == 0x4000 drop', 'dropped', { mark: 0xc000 }],
  ['meta mark & 0x4000 == 0 drop', 'dropped', { mark: 0x8000 }],
  ['meta l4proto . th dport @ports drop', 'dropped'],
  ['meta l4proto . th dport @ports drop', '10.96.0.1:81', { port: 81 }],
  ['meta l4proto . th dport != @ports drop', passed],
  ['th dport . ip saddr @ranges drop', 'dropped'],
  ['th dport . ip saddr @ranges drop', passed, { from: '192.0.3.1' }],
  ['th dport . ip saddr @ranges drop', 'dropped', { port: 81, from: '203.0.113.1' }],
  ['th dport . ip saddr @nothing drop', passed],
  ['th dport vmap @verdicts', 'refused with icmp'],
  ['th dport vmap @verdicts', 'dropped', { port: 81 }],
  ['th dport vmap @verdicts', '10.96.0.1:82', { port: 82 }],
  ['dnat ip to ip daddr . numgen random mod 2 map @both', '10.244.1.2:8080 d'],
  ['dnat ip to ip daddr . numgen random mod 3 map @ends', '10.244.1.2:8080 d, 10.244.1.3:8081 d'],
  ['dnat ip to ip daddr . numgen random mod 2 map @ends', '10.244.1.2:8080 d'],
  ['dnat ip to ip daddr . numgen random mod 1 offset 2 map @ends', '10.244.1.3:8081 d'],
  ['dnat ip to ip daddr . numgen random mod 3 map @ends', '10.96.0.2:80', { to: '10.96.0.2' }],
  ['dnat ip to ip daddr . numgen inc mod 3 map @ends', '10.244.1.2:8080 d, 10.244.1.3:8081 d'],
  ['dnat ip to ip daddr . jhash ip saddr mod 1 seed 0x1 offset 2 map @ends', '10.244.1.3:8081 d'],
  ['jump refuse', 'refused with icmp'],
  ['goto refuse', 'refused with icmp'],
  ['goto nowhere', passed],
];

describe('trace()', () => {
  for (const [rule, fate, change] of cases)
    test(`"${rule}" of ${JSON.stringify(change ?? {})}: ${fate}`, () => {
      assert.equal(show(trace(parseTable(table([rule])), { ...packet, ...change }, { nodeIps })), fate);
    });

  const sequences: readonly [what: string, rules: readonly string[], fate: string][] = [
    ['the first that matches ends it', ['accept', 'drop'], passed],
    ['a rule without verdict goes on', ['th dport 80', 'notrack', 'drop'], 'dropped'],
    ['jump comes back where the chain returned', ['jump back', 'reject'], 'refused with icmp'],
    ['jump comes back where the chain ended', ['jump through', 'reject'], 'refused with icmp'],
    ['goto does not come back', ['goto back', 'reject'], passed],
    ['nor where the chain ended', ['goto through', 'reject'], passed],
  ];
  for (const [what, rules, fate] of sequences)
    test(what, () => assert.equal(show(trace(parseTable(table(rules)), packet, { nodeIps })), fate));

  test('sees translated addresses in postrouting, and the connection as it was asked for', () => {
    const dnat = ['dnat ip to ip daddr . numgen random mod 1 map @ends'];
    const after = (rule: string, of = packet): string => show(trace(parseTable(table(dnat, [rule])), of, { nodeIps }));
    assert.equal(after('ct status dnat masquerade fully-random'), '10.244.1.2:8080 d m');
    assert.equal(after('ip daddr 10.244.1.2 th dport 8080 masquerade fully-random'), '10.244.1.2:8080 d m');
    assert.equal(after('ct original ip daddr 10.96.0.1 masquerade fully-random'), '10.244.1.2:8080 d m');
    assert.equal(after('ct original proto-dst 80 masquerade fully-random'), '10.244.1.2:8080 d m');
    assert.equal(after('ct reply ip saddr 10.244.1.2 masquerade fully-random'), '10.244.1.2:8080 d m');
    assert.equal(after('ct reply ip daddr 192.0.2.1 masquerade fully-random'), '10.244.1.2:8080 d');
    assert.equal(after('ct reply proto-src 8080 masquerade fully-random'), '10.244.1.2:8080 d m');
    assert.equal(after('drop'), 'dropped');
    assert.equal(after('accept', { ...packet, to: '10.96.0.2' }), '10.96.0.2:80');
  });

  test('what stays on the node does not leave by postrouting, but for what the node sent itself', () => {
    const near = table(['dnat ip to ip daddr . th dport map @near'], ['masquerade fully-random']);
    assert.equal(show(trace(parseTable(near), packet, { nodeIps })), '192.168.120.11:8080 d');
    assert.equal(show(trace(parseTable(near), own, { nodeIps })), '192.168.120.11:8080 d m');
  });

  test('what stays on the node passes input, but for what the node sent itself', () => {
    const input = 'chain input {\ntype filter hook input priority 0; policy accept;\ndrop\n}\n';
    const near = parseTable(table(['dnat ip to ip daddr . th dport map @near'], [], input));
    assert.equal(show(trace(near, packet, { nodeIps })), 'dropped');
    assert.equal(show(trace(near, packet, { nodeIps: [] })), '192.168.120.11:8080 d');
    assert.equal(show(trace(near, own, { nodeIps })), '192.168.120.11:8080 d');
  });

  test('all chains that translate have their turn together, by their priorities among themselves', () => {
    const chain = (name: string, type: string, priority: number, rule: string): string =>
      `chain ${name} {\ntype ${type} hook postrouting priority ${priority}; policy accept;\n${rule}\n}\n`;
    const rejects = chain('late', 'nat', 99, 'reject');
    assert.equal(show(trace(parseTable(table([], ['drop'], rejects)), packet, { nodeIps })), 'dropped');
    const both = chain('last', 'nat', 300, 'drop') + rejects;
    assert.equal(show(trace(parseTable(table([], [], both)), packet, { nodeIps })), 'refused with icmp');
  });

  test('what the node sends itself has no interface, and passes output', () => {
    const text = table(['iifname "eth0" drop']);
    assert.equal(show(trace(parseTable(text), own, { nodeIps })), passed);
    const outputOnly = parseTable(table(['drop']));
    const without = { ...outputOnly, chains: outputOnly.chains.filter((c) => c.name !== 'output') };
    assert.equal(show(trace(without, own, { nodeIps })), passed);
    assert.equal(show(trace(without, packet, { nodeIps })), 'dropped');
  });

  test('base chains of one hook run by priority, the lowest first', () => {
    const first = 'chain first {\ntype filter hook prerouting priority -300; policy accept;\nreject\n}\n';
    assert.equal(show(trace(parseTable(table(['drop'], [], first)), packet, { nodeIps })), 'refused with icmp');
    const last = 'chain last {\ntype filter hook prerouting priority 300; policy accept;\nreject\n}\n';
    assert.equal(show(trace(parseTable(table(['drop'], [], last)), packet, { nodeIps })), 'dropped');
    assert.equal(show(trace(parseTable(table(['accept'], [], last)), packet, { nodeIps })), 'refused with icmp');
  });

  test('learns what rules count, and finds it again', () => {
    const fateOf = (rules: readonly string[]): string => show(trace(parseTable(table(rules)), packet, { nodeIps, learnt: new Map() }));
    const [count, ask] = ['update @seen { ip daddr counter }', 'ip daddr @seen drop'] as const;
    assert.deepEqual([fateOf([count, ask]), fateOf([ask, count])], ['dropped', passed]);
  });

  test('learns what rules write into dynamic maps, once, and finds it again', () => {
    const rules = ['dnat ip to ip saddr map @sticky', 'update @sticky { ip saddr timeout 3h : ip daddr . th dport }'];
    const learnt = new Map<string, Map<string, string>>();
    const options = { nodeIps, learnt };
    assert.equal(show(trace(parseTable(table(rules)), packet, options)), passed);
    assert.deepEqual([...(learnt.get('sticky') ?? [])], [['192.0.2.1', '10.96.0.1 . 80']]);
    assert.equal(show(trace(parseTable(table(rules)), { ...packet, port: 81 }, options)), '10.96.0.1:80 d');
    const only = table(rules.slice(1));
    trace(parseTable(only), { ...packet, port: 82 }, options);
    assert.equal(learnt.get('sticky')?.get('192.0.2.1'), '10.96.0.1 . 80');
    assert.equal(show(trace(parseTable(only), packet, { nodeIps })), passed);
  });
});
