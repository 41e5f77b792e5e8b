/** Rules as firewalls of distributions write them, and what becomes of the first packet of VXLAN between two nodes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { refusalIn } from './firewall.ts';
import { iptablesTableNames, iptablesTables, readIptablesRule } from './iptables.ts';
import { nftTables, readNftRule } from './nft.ts';
import type { Packet } from './packet.ts';

const into: Packet = { direction: 'in', family: 4, port: 8472, link: 'eth1', own: '192.168.56.11', peer: '192.168.56.12' };
const out: Packet = { ...into, direction: 'out' };
const strange: Packet = { ...into, link: undefined, own: undefined, peer: undefined };
const six: Packet = { ...into, family: 6, own: 'fd00:56::11', peer: 'fd00:56::12' };

/** The rule that refuses, `policy`, or nothing. */
function inIptables(text: string, packet = into): string {
  const [refusal] = iptablesTables(`*filter\n${text}\nCOMMIT\n`).flatMap((table) => refusalIn(table, packet, readIptablesRule) ?? []);
  return refusal === undefined ? '' : (refusal.rule ?? 'policy');
}

function inNft(text: string, packet = into, ofIptables: readonly string[] = []): string {
  const [refusal] = nftTables(text, packet.family, ofIptables).flatMap((table) => refusalIn(table, packet, readNftRule) ?? []);
  return refusal === undefined ? '' : (refusal.rule ?? 'policy');
}

/** Words of one rule, before it drops what they are about. */
const iptablesWords: readonly (readonly [string, Packet, boolean])[] = [
  ['', into, true],
  ['-p udp', into, true],
  ['-p all', into, true],
  ['-p tcp', into, false],
  ['! -p tcp', into, true],
  ['-p udp -m udp --dport 8472', into, true],
  ['-p udp -m udp ! --dport 8472', into, false],
  ['-p udp -m multiport --dports 53,8000:8472', into, true],
  ['-p udp -m multiport --dports 53,8473:9000', into, false],
  ['-i eth1', into, true],
  ['-i eth0', into, false],
  ['-i eth+', into, true],
  ['! -i eth1', into, false],
  ['-i eth1', strange, false],
  ['-o eth1', into, false],
  ['-s 192.168.56.0/24', into, true],
  ['! -s 192.168.56.0/24', into, false],
  ['-s 192.168.56.12/32', strange, false],
  ['-s 0.0.0.0/0', strange, true],
  ['-d 192.168.56.11/32', into, true],
  ['-d 192.168.56.12/32', into, false],
  ['-m conntrack --ctstate NEW,INVALID', into, true],
  ['-m conntrack --ctstate RELATED,ESTABLISHED', into, false],
  ['-m state ! --state RELATED,ESTABLISHED', into, true],
  ['-m comment --comment "all -i eth0 of it"', into, true],
  ['-m set --match-set bad src', into, false],
  ['-m limit --limit 3/min', into, false],
];

const nftWords: readonly (readonly [string, Packet, boolean])[] = [
  ['', into, true],
  ['meta l4proto udp', into, true],
  ['meta l4proto { tcp, udp }', into, true],
  ['meta l4proto tcp', into, false],
  ['ip protocol udp', into, true],
  ['ip protocol udp', six, false],
  ['udp dport 8472', into, true],
  ['udp dport != 8472', into, false],
  ['udp dport { 53, 8000-8472 }', into, true],
  ['udp dport @open', into, false],
  ['tcp dport 8472', into, false],
  ['iifname "eth1"', into, true],
  ['iifname { "eth0", "lo" }', into, false],
  ['iifname != "eth1"', into, false],
  ['iifname "eth*"', into, true],
  ['oifname "eth1"', into, false],
  ['ip saddr 192.168.56.0/24', into, true],
  ['ip saddr 192.168.56.0/24', six, false],
  ['ip6 saddr fd00:56::/64', six, true],
  ['ip saddr != { 10.0.0.0/8, 192.168.0.0/16 }', into, false],
  ['ip daddr 192.168.56.11', into, true],
  ['meta nfproto ipv4', six, false],
  ['ct state invalid,new', into, true],
  ['ct state { established, related }', into, false],
  ['ct status dnat', into, false],
  ['counter packets 12 bytes 800', into, true],
  ['counter', into, true],
  ['log prefix "in: " level info', into, true],
  ['fib daddr type local', into, false],
];

const ufw = `:INPUT DROP [0:0]
:ufw-before-input - [0:0]
:ufw-user-input - [0:0]
:ufw-logging-deny - [0:0]
-A INPUT -j ufw-before-input
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j ufw-logging-deny
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -p udp -m udp --sport 67 --dport 68 -j ACCEPT
-A ufw-before-input -d 224.0.0.251/32 -p udp -m udp --dport 5353 -j ACCEPT
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT`;

const firewalld = (allowed: string): string => `table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		ct status dnat accept
		iifname "lo" accept
		ct state invalid drop
		jump filter_INPUT_ZONES
		reject with icmpx admin-prohibited
	}

	chain filter_INPUT_ZONES {
		iifname "eth0" goto filter_IN_public
		goto filter_IN_nodes
	}

	chain filter_IN_nodes {
		jump filter_IN_nodes_allow
		meta l4proto { icmp, ipv6-icmp } accept
	}

	chain filter_IN_nodes_allow {
		tcp dport 22 ct state { new, untracked } accept
		${allowed}
	}

	chain filter_IN_public {
		accept
	}
}
`;

describe('refusalIn() of iptables', () => {
  for (const [words, packet, isAbout] of iptablesWords)
    test(`a rule with "${words}" is ${isAbout ? '' : 'not '}taken for certain`, () =>
      assert.equal(inIptables(`-A INPUT ${words} -j DROP`.replace('  ', ' '), packet) !== '', isAbout));

  test('goes through chains, and no further than a verdict', () => {
    assert.equal(inIptables(ufw), 'policy');
    const rule = '-A ufw-user-input -p udp -m udp --dport 8472 -j';
    assert.equal(inIptables(`${ufw}\n${rule} ACCEPT`), '');
    assert.equal(
      inIptables(`${ufw}\n${rule} REJECT --reject-with icmp-port-unreachable`),
      `${rule} REJECT --reject-with icmp-port-unreachable`,
    );
    assert.equal(inIptables(`${ufw}\n${rule} RETURN\n${rule} ACCEPT`), 'policy');
    assert.equal(inIptables(':INPUT DROP [0:0]\n-A INPUT -g x\n-A INPUT -j ACCEPT\n-A x -p tcp -j ACCEPT'), 'policy');
    assert.equal(inIptables(':INPUT DROP [0:0]\n-A INPUT -j LOG --log-prefix "-j ACCEPT"\n-A INPUT -j x\n-A x -j x'), 'policy');
  });

  test('does not call for certain what a rule before may accept that cannot be told', () => {
    const set = '-A INPUT -m set --match-set nodes src -j';
    assert.equal(inIptables(`:INPUT DROP [0:0]\n${set} ACCEPT`), '');
    assert.equal(inIptables(`:INPUT DROP [0:0]\n${set} nodes\n-A nodes -p udp -j ACCEPT`), '');
    assert.equal(inIptables(`:INPUT DROP [0:0]\n${set} nodes\n-A nodes -p udp -j DROP`), 'policy');
    assert.equal(inIptables(`:INPUT DROP [0:0]\n${set} DROP`), 'policy');
  });

  test('has each direction go its way', () => {
    const rules = ':INPUT ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n:FORWARD DROP [0:0]\n-A OUTPUT -o eth0 -j ACCEPT';
    assert.deepEqual([inIptables(rules), inIptables(rules, out)], ['', 'policy']);
    assert.equal(inIptables('-A OUTPUT -o eth1 -s 192.168.56.11/32 -d 192.168.56.12/32 -j DROP', out).slice(0, 9), '-A OUTPUT');
    assert.equal(inIptables('-A PREROUTING -p udp -j DROP'), '-A PREROUTING -p udp -j DROP');
  });
});

describe('refusalIn() of nft', () => {
  const chain = (rules: string, family = 'inet'): string =>
    `table ${family} x {\n\tchain in {\n\t\ttype filter hook input priority 0; policy accept;\n${rules}\n\t}\n}\n`;
  for (const [words, packet, isAbout] of nftWords)
    test(`a rule with "${words}" is ${isAbout ? '' : 'not '}taken for certain`, () =>
      assert.equal(inNft(chain(`${words} drop`), packet) !== '', isAbout));

  test("goes through firewalld's zones", () => {
    assert.equal(inNft(firewalld('')), 'reject with icmpx admin-prohibited');
    assert.equal(inNft(firewalld('udp dport 8472 accept')), '');
    assert.equal(inNft(firewalld('ip saddr 192.168.56.0/24 accept')), '');
    assert.equal(inNft(firewalld('ip saddr @nodes accept')), '');
    assert.equal(inNft(firewalld(''), { ...into, link: 'eth0' }), '');
  });

  test('reads tables of the family, and leaves those out that iptables has, where its tool lists them', () => {
    assert.equal(inNft(chain('drop', 'ip6')), '');
    assert.equal(inNft(chain('drop', 'ip6'), six), 'drop');
    const ofIptables = iptablesTableNames('*raw\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*x\n:INPUT ACCEPT [0:0]\nCOMMIT\n');
    assert.deepEqual([inNft(chain('drop', 'ip'), into, ofIptables), inNft(chain('drop'), into, ['filter'])], ['', 'drop']);
    // Of nft's own, which may have the same name.
    assert.equal(inNft(chain('drop'), into, ofIptables), 'drop');
  });

  test('reads sets of several lines, in rules and beside them', () => {
    const set = '\tset nodes {\n\t\ttype ipv4_addr\n\t\telements = { 10.0.0.1,\n\t\t\t     10.0.0.2 }\n\t}\n';
    const rules = 'ip saddr { 10.0.0.1,\n\t\t\t   192.168.56.12 } accept\n\t\tdrop';
    assert.equal(inNft(chain(rules).replace('\tchain', `${set}\tchain`)), '');
    assert.equal(inNft(chain(rules).replace('\tchain', `${set}\tchain`), { ...into, peer: '10.0.0.3' }), 'drop');
  });

  test('has a map of verdicts let a new flow through only by what is not a state', () => {
    const by = (expression: string): string => chain(`${expression} vmap { established : accept, related : accept }\ndrop`);
    assert.deepEqual([inNft(by('ct state')), inNft(by('iifname'))], ['drop', '']);
    for (const verdict of ['accept', 'jump fresh'])
      assert.equal(inNft(chain(`ct state vmap { established : accept, new : ${verdict} }\ndrop`)), '');
  });

  test('calls nothing refused that a rule of several values at once may let in', () => {
    for (const rule of ['iifname . udp dport { "eth0" . 8472 } accept', 'meta l4proto . th dport { udp . 8472 } accept'])
      assert.equal(inNft(chain(`${rule}\ndrop`)), '');
  });
});
