import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSave } from './ruleset.ts';
import { type Fate, type TraceOptions, trace } from './trace.ts';

const nodeIps = ['192.168.120.11'];
const packet = { from: '10.0.0.1', sourcePort: 40_000, to: '10.96.0.1', port: 80, protocol: 'tcp', interface: 'eth0' } as const;

interface Sent {
  readonly from?: string;
  readonly to?: string;
  readonly port?: number;
  readonly protocol?: string;
  readonly interface?: string;
  readonly mark?: number;
}

/** What becomes of a packet under rules, each with its table and chain: `nat PREROUTING -j X`. */
function fate(rules: readonly string[], sent: Sent & { readonly own?: boolean } = {}, options: Partial<TraceOptions> = {}): Fate {
  const text = ['filter', 'nat'].map((table) => {
    const own = rules.filter((rule) => rule.startsWith(`${table} `)).map((rule) => rule.slice(table.length + 1));
    const chains = new Set([...own.map((rule) => rule.split(' ')[0]), 'INPUT', 'FORWARD', 'OUTPUT', 'PREROUTING', 'POSTROUTING', 'X', 'Y']);
    return [`*${table}`, ...[...chains].map((chain) => `:${chain} - [0:0]`), ...own.map((rule) => `-A ${rule}`), 'COMMIT', ''].join('\n');
  });
  const { own, ...given } = sent;
  const { interface: via, ...rest } = { ...packet, ...given };
  return trace(parseSave(text.join('')), own ? rest : { ...rest, interface: via }, { nodeIps, ...options });
}

const to = (...destinations: string[]): Fate => ({
  kind: 'passed',
  destinations: destinations.map((text) => {
    const [address = '', masqueraded] = text.split(' ');
    const at = address.lastIndexOf(':');
    return { to: address.slice(0, at), port: Number(address.slice(at + 1)), masqueraded: masqueraded === 'masqueraded' };
  }),
});
const dropped: Fate = { kind: 'dropped' };
const unchanged = to('10.96.0.1:80');

describe('trace() asks', () => {
  const cases: [match: string, yes: Sent, no: Sent][] = [
    ['-s 10.0.0.0/8', {}, { from: '11.0.0.1' }],
    ['! -s 10.0.0.0/8', { from: '11.0.0.1' }, {}],
    ['-d 10.96.0.1', {}, { to: '10.96.0.2' }],
    ['-d fd00::1', { to: 'fd00::1' }, { to: 'fd00::2' }],
    ['-i eth0', {}, { interface: 'eth01' }],
    ['-i eth+', { interface: 'eth01' }, { interface: 'veth0' }],
    ['-p tcp', {}, { protocol: 'udp' }],
    ['-p udp -m udp --dport 53', { protocol: 'udp', port: 53 }, { protocol: 'udp', port: 54 }],
    ['-p tcp -m tcp --dport 80', {}, { port: 81 }],
    ['-m addrtype --dst-type LOCAL', { to: '192.168.120.11' }, {}],
    ['-m addrtype --src-type LOCAL', { from: '127.0.0.1' }, {}],
    ['-m mark --mark 0x1/0x3', { mark: 5 }, { mark: 2 }],
    ['-m mark ! --mark 0x1/0x1', { mark: 2 }, { mark: 3 }],
    ['-m conntrack --ctstate NEW -m comment --comment "x y"', {}, { from: '' }],
    ['-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT', {}, { from: '' }],
  ];
  for (const [match, yes, no] of cases)
    test(match, () => {
      const rules = [`nat PREROUTING ${match} -j DROP`];
      assert.equal(fate(rules, yes).kind, 'dropped');
      if (no.from !== '') assert.equal(fate(rules, no).kind, 'passed');
    });

  test('nothing that it does not know', () => {
    assert.throws(() => fate(['nat PREROUTING -m ttl --ttl-eq 1 -j DROP']), /-m ttl --ttl-eq 1/);
    assert.throws(() => fate(['nat PREROUTING -j NOWHERE']), /no chain NOWHERE/);
  });
});

describe('trace()', () => {
  test('tells the rules that apply, and passes over what it does not know where somebody wants to hear of it', () => {
    const rules = [
      'nat PREROUTING -m multiport --dports 80 -j X',
      'nat PREROUTING -j LOG',
      'nat PREROUTING -d 10.96.0.1/32 -j Y',
      'nat Y -s 10.9.9.9/32 -j ACCEPT',
    ];
    const met: string[] = [];
    const unknown: string[] = [];
    const options: Partial<TraceOptions> = {
      onStep: ({ place, rule }) => met.push(`${place} ${rule}`),
      onUnknown: ({ place, rule }) => unknown.push(`${place} ${rule}`),
    };
    assert.deepEqual(fate(rules, {}, options), unchanged);
    assert.deepEqual(unknown, rules.slice(0, 2));
    // It applies; what it then does is not known.
    assert.deepEqual(met, ['nat PREROUTING -j LOG', 'nat PREROUTING -d 10.96.0.1/32 -j Y']);
  });

  test('goes on behind a jump, but not behind an end', () => {
    assert.deepEqual(
      fate(['nat PREROUTING -j X', 'nat X -j RETURN', 'nat X -j DROP', 'nat PREROUTING -j DNAT --to-destination 1.1.1.1:8']),
      to('1.1.1.1:8'),
    );
    assert.deepEqual(fate(['nat PREROUTING -j X', 'nat X -j ACCEPT', 'nat PREROUTING -j DROP']), unchanged);
    assert.deepEqual(fate(['nat PREROUTING -m comment --comment "says nothing"', 'nat PREROUTING -j DROP']), dropped);
  });

  test('follows every choice, and remembers who was there', () => {
    const chosen = [
      'nat PREROUTING -m recent --rcheck --name A -j X',
      'nat PREROUTING -m statistic --mode random --probability 0.5 -j X',
      'nat PREROUTING -j Y',
      'nat X -m recent --set --name A -j DNAT --to-destination 1.1.1.1:80',
      'nat Y -j DNAT --to-destination [fd00::1]:81',
    ];
    const recent = new Map<string, Set<string>>();
    assert.deepEqual(fate(chosen, {}, { recent }), to('1.1.1.1:80', 'fd00::1:81'));
    assert.deepEqual(fate(chosen, {}, { recent }), to('1.1.1.1:80'));
    assert.deepEqual(fate(chosen, { from: '10.0.0.2' }), to('1.1.1.1:80', 'fd00::1:81'));
  });

  test('marks, and masquerades by the mark', () => {
    const rules = [
      'nat PREROUTING -j MARK --set-xmark 0x4000/0x4000',
      'nat POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
      'nat POSTROUTING -j MARK --set-xmark 0x4000/0x0',
      'nat POSTROUTING -m mark --mark 0x4000/0x4000 -j DROP',
      'nat POSTROUTING -j MASQUERADE --random-fully',
    ];
    assert.deepEqual(fate(rules), to('10.96.0.1:80 masqueraded'));
    assert.deepEqual(fate(rules.slice(1)), unchanged);
  });

  test('tells how it is refused', () => {
    assert.deepEqual(fate(['filter FORWARD -j REJECT --reject-with tcp-reset']), { kind: 'refused', with: 'tcp reset' });
    assert.deepEqual(fate(['filter FORWARD -j REJECT --reject-with icmp-port-unreachable']), { kind: 'refused', with: 'icmp' });
  });

  const places: [what: string, sent: Sent & { own?: boolean }, chains: string[]][] = [
    ['what passes through', {}, ['nat PREROUTING', 'filter FORWARD', 'nat POSTROUTING']],
    ['what is for the node', { to: '192.168.120.11' }, ['nat PREROUTING', 'filter INPUT']],
    ['what the node sends', { own: true }, ['nat OUTPUT', 'filter OUTPUT', 'nat POSTROUTING']],
    ['what the node sends itself', { own: true, to: '127.0.0.1' }, ['nat OUTPUT', 'filter OUTPUT', 'nat POSTROUTING', 'filter INPUT']],
  ];
  for (const [what, sent, chains] of places)
    test(`takes ${what} through ${chains.join(', ')}`, () => {
      const all = ['nat PREROUTING', 'nat OUTPUT', 'filter INPUT', 'filter FORWARD', 'filter OUTPUT', 'nat POSTROUTING'];
      assert.deepEqual(all.filter((chain) => fate([`${chain} -j DROP`], sent).kind === 'dropped').sort(), [...chains].sort());
    });

  test('knows after a translation whether a packet stays', () => {
    const rules = ['nat PREROUTING -j DNAT --to-destination 192.168.120.11:8080', 'filter INPUT -m conntrack --ctstate DNAT -j DROP'];
    assert.deepEqual(fate(rules), dropped);
  });
});
