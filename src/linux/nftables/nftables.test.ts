import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type Attr, decodeAttrs, eachAttr } from '../netlink/attribute.ts';
import { decodeMessages, NLM_F_ACK } from '../netlink/message.ts';
import { FakeNftables } from '../testing/fake-nftables.ts';
import { encodeBatch } from './batch.ts';
import { compileRule } from './compile.ts';
import { create, diff, diffPhases } from './diff.ts';
import { decodeFields, decodeInterval, encodeFields, encodeInterval, fieldType } from './field-type.ts';
import { printTable } from './print.ts';
import type { Hook, Op, Table } from './table.ts';
import { parseTable } from './testing/parse.ts';

const golden = readFileSync(new URL('../../../rules/scenarios/web/nftables.nft', import.meta.url), 'utf8');

function withElements(table: Table, set: string, elements: Iterable<readonly [string, string]>): Table {
  return { ...table, elements: new Map([...table.elements, [set, new Map(elements)]]) };
}

async function holding(table: Table): Promise<FakeNftables> {
  const nft = new FakeNftables();
  await nft.commit({ family: table.family, table: table.name, ops: create(table) });
  return nft;
}

describe('set elements', () => {
  const cases: [fields: string[], text: string, hex: string][] = [
    [['ipv4_addr', 'inet_proto', 'inet_service'], '10.96.0.1 . tcp . 80', '0a6000010600000000500000'],
    [['ipv4_addr'], '10.96.0.1', '0a600001'],
    [['inet_proto', 'inet_service', 'numgen random mod 65536'], 'udp . 30053 . 65537', '110000007565000001000100'],
    [['ipv6_addr', 'inet_service'], 'fd00:10:96::1 . 443', 'fd0000100096000000000000000000010' + '1bb0000'],
  ];
  for (const [fields, text, hex] of cases)
    test(`encode and decode ${text}`, () => {
      const types = fields.map(fieldType);
      assert.equal(Buffer.from(encodeFields(types, text)).toString('hex'), hex);
      assert.equal(decodeFields(types, encodeFields(types, text)), text);
    });
  for (const text of ['10.0.0.1 . tcp . 80 . 10.1.0.0/16', '10.0.0.1 . tcp . 80 . 10.1.2.3', '10.0.0.1 . tcp . 80 . 192.0.2.128/25'])
    test(`encode and decode the range ${text}`, () => {
      const types = ['ipv4_addr', 'inet_proto', 'inet_service', 'ipv4_addr'].map(fieldType);
      assert.equal(decodeInterval(types, ...encodeInterval(types, text)), text);
    });
});

describe('an IPv4 address in a set element', () => {
  for (const text of ['::1', 'fd00::1', '10.0.0', '10.0.0.1.2', '10.0.0.256', '10..0.1', '', '10.0.0.x', '-1.0.0.0', '10.0.0.1 '])
    test(`is refused when it is "${text}"`, () => assert.throws(() => encodeFields([fieldType('ipv4_addr')], text), RangeError));
});

describe('parseRule()', () => {
  test('reads every rule of the golden files', () => {
    const folder = new URL('../../../rules/scenarios/', import.meta.url);
    for (const name of readdirSync(folder)) {
      const text = readFileSync(new URL(`${name}/nftables.nft`, folder), 'utf8');
      assert.equal(printTable(parseTable(text)), text, name);
    }
  });
});

describe('compileRule()', () => {
  /** Attributes by their numbers in linux/netfilter/nf_tables.h; what is nested, and is no number, in hex. */
  const show = ([type, value]: Attr, isNested: boolean): string => {
    if (!(value instanceof Uint8Array)) return `${type}:(${value.map((inner) => show(inner, true)).join(' ')})`;
    return `${type}:${value.length === 4 && !isNested ? Buffer.from(value).readUInt32BE() : `0x${Buffer.from(value).toString('hex')}`}`;
  };
  const expressions = (rule: string, family: 'ip' | 'ip6'): string[] =>
    compileRule(rule, family).map((e) => [e.name, ...e.data.map((attr) => show(attr, false))].join(' '));
  const drop = 'immediate 1:0 2:(2:(1:0x00000000))';
  const accept = 'immediate 1:0 2:(2:(1:0x00000001))';
  const source = 'payload 1:1 2:1 3:12 4:4';
  const destination = 'payload 1:1 2:1 3:16 4:4';

  // As `nft --debug=netlink` says of the same rules.
  const cases: readonly (readonly [family: 'ip' | 'ip6', rule: string, expressions: readonly string[]])[] = [
    ['ip', 'ip saddr != 10.244.0.0/16 drop', ['payload 1:1 2:1 3:12 4:2', 'cmp 1:1 2:1 3:(1:0x0af4)', drop]],
    ['ip', 'ip daddr 10.244.0.0/16 drop', ['payload 1:1 2:1 3:16 4:2', 'cmp 1:1 2:0 3:(1:0x0af4)', drop]],
    ['ip', 'ip daddr 10.0.0.1 accept', [destination, 'cmp 1:1 2:0 3:(1:0x0a000001)', accept]],
    ['ip6', 'ip6 daddr fd00::/64 drop', ['payload 1:1 2:1 3:24 4:8', 'cmp 1:1 2:0 3:(1:0xfd00000000000000)', drop]],
    [
      'ip',
      'ip saddr 10.96.0.0/12 return',
      [
        source,
        'bitwise 1:1 2:1 3:4 4:(1:0xfff00000) 5:(1:0x00000000)',
        'cmp 1:1 2:0 3:(1:0x0a600000)',
        'immediate 1:0 2:(2:(1:0xfffffffb))',
      ],
    ],
    // Numbers that the kernel keeps in its own byte order.
    [
      'ip',
      'ct state new jump a',
      [
        'ct 2:0 1:1',
        'bitwise 1:1 2:1 3:4 4:(1:0x08000000) 5:(1:0x00000000)',
        'cmp 1:1 2:1 3:(1:0x00000000)',
        'immediate 1:0 2:(2:(1:0xfffffffd 2:0x6100))',
      ],
    ],
    [
      'ip',
      'ct status dnat goto a',
      [
        'ct 2:2 1:1',
        'bitwise 1:1 2:1 3:4 4:(1:0x20000000) 5:(1:0x00000000)',
        'cmp 1:1 2:1 3:(1:0x00000000)',
        'immediate 1:0 2:(2:(1:0xfffffffc 2:0x6100))',
      ],
    ],
    [
      'ip',
      'meta mark & 0x4000 == 0x4000 drop',
      ['meta 2:3 1:1', 'bitwise 1:1 2:1 3:4 4:(1:0x00400000) 5:(1:0x00000000)', 'cmp 1:1 2:0 3:(1:0x00400000)', drop],
    ],
    ['ip', 'iifname "veth*" drop', ['meta 2:6 1:1', 'cmp 1:1 2:0 3:(1:0x76657468)', drop]],
    ['ip', 'iifname != "cni0" drop', ['meta 2:6 1:1', `cmp 1:1 2:1 3:(1:0x${'636e6930'.padEnd(32, '0')})`, drop]],
    ['ip', 'th dport 443 accept', ['payload 1:1 2:2 3:2 4:2', 'cmp 1:1 2:0 3:(1:0x01bb)', accept]],
    ['ip', 'ip saddr . meta l4proto != @s drop', [source, 'meta 2:16 1:9', 'lookup 1:0x7300 2:1 5:1', drop]],
    ['ip', 'ip saddr . meta l4proto vmap @m', [source, 'meta 2:16 1:9', 'lookup 1:0x6d00 2:1 3:0']],
    ['ip', 'meta l4proto tcp reject with tcp reset', ['meta 2:16 1:1', 'cmp 1:1 2:0 3:(1:0x06)', 'reject 1:1']],
    ['ip', 'th sport 53 drop', ['payload 1:1 2:2 3:0 4:2', 'cmp 1:1 2:0 3:(1:0x0035)', drop]],
    ['ip6', 'ip6 saddr fd00::1 drop', ['payload 1:1 2:1 3:8 4:16', 'cmp 1:1 2:0 3:(1:0xfd000000000000000000000000000001)', drop]],
    ['ip', 'fib daddr type local drop', ['fib 1:1 2:3 3:2', 'cmp 1:1 2:0 3:(1:0x02000000)', drop]],
    [
      'ip',
      'ip daddr 0.0.0.0/0 drop',
      [destination, 'bitwise 1:1 2:1 3:4 4:(1:0x00000000) 5:(1:0x00000000)', 'cmp 1:1 2:0 3:(1:0x00000000)', drop],
    ],
    ['ip', 'meta l4proto 1 notrack', ['meta 2:16 1:1', 'cmp 1:1 2:0 3:(1:0x01)', 'notrack']],
    ['ip', 'meta nftrace set 1', ['immediate 1:1 2:(1:0x01)', 'meta 2:12 3:1']],
    ['ip', 'reject', ['reject 1:0 2:0x03']],
    ['ip6', 'reject', ['reject 1:0 2:0x04']],
    ['ip', 'fib saddr type local masquerade fully-random', ['fib 1:1 2:3 3:1', 'cmp 1:1 2:0 3:(1:0x02000000)', 'masq 1:16']],
    [
      'ip',
      'dnat ip to ip daddr . th dport . numgen random mod 3 map @m',
      [destination, 'payload 1:9 2:2 3:2 4:2', 'numgen 1:10 2:3 3:1 4:0', 'lookup 1:0x6d00 2:1 3:1', 'nat 1:1 2:2 3:1 5:9'],
    ],
    [
      'ip',
      'dnat ip to ip daddr . th dport . numgen inc mod 3 offset 9 map @m',
      [destination, 'payload 1:9 2:2 3:2 4:2', 'numgen 1:10 2:3 3:0 4:9', 'lookup 1:0x6d00 2:1 3:1', 'nat 1:1 2:2 3:1 5:9'],
    ],
    [
      'ip',
      'dnat ip to ip daddr . meta l4proto . th dport . jhash ip saddr mod 64 seed 0xfa1 offset 9 map @m',
      [
        ...[destination, 'meta 2:16 1:9', 'payload 1:10 2:2 3:2 4:2', 'payload 1:3 2:1 3:12 4:4', 'hash 1:3 2:11 3:4 4:64 5:4001 6:9'],
        ...['lookup 1:0x6d00 2:1 3:1', 'nat 1:1 2:2 3:1 5:9'],
      ],
    ],
    [
      'ip6',
      'dnat ip6 to meta l4proto . th dport . jhash ip6 saddr mod 64 seed 0xfa1 map @m',
      [
        ...['meta 2:16 1:1', 'payload 1:9 2:2 3:2 4:2', 'payload 1:15 2:1 3:8 4:16', 'hash 1:15 2:10 3:16 4:64 5:4001'],
        ...['lookup 1:0x6d00 2:1 3:1', 'nat 1:1 2:10 3:1 5:2'],
      ],
    ],
    [
      'ip6',
      'dnat ip6 to ip6 daddr . th dport map @m',
      ['payload 1:1 2:1 3:24 4:16', 'payload 1:2 2:2 3:2 4:2', 'lookup 1:0x6d00 2:1 3:1', 'nat 1:1 2:10 3:1 5:2'],
    ],
    [
      'ip',
      'update @a { ct original ip saddr . meta l4proto timeout 10m : ct reply ip saddr . ct reply proto-src }',
      [
        'ct 2:19 1:1 3:0x00',
        'meta 2:16 1:9',
        'ct 2:19 1:2 3:0x01',
        'ct 2:11 1:13 3:0x01',
        'dynset 1:0x6100 3:1 4:1 5:2 6:0x00000000000927c0',
      ],
    ],
    // A key this long leaves no whole register of sixteen bytes for the value and what comes behind it.
    [
      'ip6',
      'update @a { ct original ip6 saddr . ct original ip6 daddr . meta l4proto . ct original proto-dst timeout 10m : ct reply ip6 saddr . ct reply proto-src }',
      [
        ...['ct 2:21 1:1 3:0x00', 'ct 2:22 1:2 3:0x00', 'meta 2:16 1:3', 'ct 2:12 1:17 3:0x00'],
        ...['ct 2:21 1:18 3:0x01', 'ct 2:11 1:22 3:0x01', 'dynset 1:0x6100 3:1 4:1 5:18 6:0x00000000000927c0'],
      ],
    ],
  ];
  for (const [family, rule, wanted] of cases)
    test(`makes the kernel's expressions of "${rule}" (${family})`, () => assert.deepEqual(expressions(rule, family), wanted));

  for (const rule of [
    'ct state dnat drop',
    'ct status new drop',
    'fib daddr type unicast drop',
    'ip daddr x drop',
    'ct reply proto-src 1 drop',
  ])
    test(`refuses "${rule}", which it cannot compare`, () =>
      assert.throws(() => compileRule(rule, 'ip'), /^SyntaxError: Cannot (match|compare)/));
});

describe('compileRule() remembers', () => {
  const fixed = 'ip daddr . meta l4proto . th dport vmap @services';

  test('rules that come back, however many others there are, and none of a family for the other', () => {
    const known = compileRule(fixed, 'ip');
    for (let i = 0; i < 5000; i++) {
      compileRule(`goto lb-${i}`, 'ip');
      compileRule(`ip saddr 10.${i >> 8}.${i & 255}.0/24 return`, 'ip');
      if (i % 500 === 0) assert.equal(compileRule(fixed, 'ip'), known);
    }
    assert.notDeepEqual(compileRule('reject', 'ip'), compileRule('reject', 'ip6'));
  });

  test('none for one address, of which there may be tens of thousands', () => {
    const rule = 'ip saddr 10.0.0.0/8 return';
    assert.notEqual(compileRule(rule, 'ip'), compileRule(rule, 'ip'));
    assert.deepEqual(compileRule(rule, 'ip'), compileRule(rule, 'ip'));
  });
});

describe('diff()', () => {
  const table = parseTable(golden);
  const kinds = (ops: readonly Op[]): string[] => ops.map((op) => op.op);

  test('builds a table from nothing that then holds nothing to change', async () => {
    const nft = await holding(table);
    assert.equal(nft.dump('ip', 'kube-proxy'), golden);
    assert.deepEqual(diff(await nft.read('ip', 'kube-proxy'), table), []);
  });

  test('deletes and adds a changed element, and touches nothing else', async () => {
    const nft = await holding(table);
    const changed = new Map(table.elements.get('endpoints'));
    changed.set('10.96.0.100 . tcp . 80 . 1', '10.244.2.9 . 8080');
    const ops = diff(await nft.read('ip', 'kube-proxy'), withElements(table, 'endpoints', changed));
    assert.deepEqual(kinds(ops), ['delete-elements', 'add-elements']);
    assert.equal(encodeBatch({ family: 'ip', table: 'kube-proxy', ops }).messages, 2);
  });

  test('rewrites a chain whose rules somebody changed', async () => {
    const nft = await holding(table);
    await nft.commit({ family: 'ip', table: 'kube-proxy', ops: [{ op: 'add-rule', chain: 'services', rule: 'accept' }] });
    const ops = diff(await nft.read('ip', 'kube-proxy'), table);
    assert.deepEqual(new Set(kinds(ops)), new Set(['flush-chain', 'add-rule']));
    await nft.commit({ family: 'ip', table: 'kube-proxy', ops });
    assert.deepEqual(diff(await nft.read('ip', 'kube-proxy'), table), []);
  });

  test('makes the table new when a set changed its type', async () => {
    const nft = await holding(table);
    const sets = table.sets.map((set) => (set.name === 'hairpin' ? { ...set, key: ['ipv4_addr'] } : set));
    const ops = diff(await nft.read('ip', 'kube-proxy'), { ...withElements(table, 'hairpin', []), sets });
    assert.deepEqual(kinds(ops).slice(0, 2), ['delete-table', 'add-table']);
  });

  const hooks: readonly Partial<Hook>[] = [{ type: 'nat' }, { hook: 'output' }, { priority: 1 }];
  for (const change of hooks)
    test(`makes the table new when a hook has another ${Object.keys(change)[0]}`, async () => {
      const hook: Hook = { type: 'filter', hook: 'prerouting', priority: 0 };
      const tableWith = (of: Hook): Table => ({
        ...{ family: 'ip', name: 't', sets: [], elements: new Map() },
        chains: [{ name: 'c', hook: of, rules: [] }],
      });
      const have = await (await holding(tableWith(hook))).read('ip', 't');
      assert.deepEqual(diff(have, tableWith(hook)), []);
      assert.deepEqual(kinds(diff(have, tableWith({ ...hook, ...change }))), ['delete-table', 'add-table', 'add-chain']);
    });

  test('makes chains that judge what nobody translated last, and those of nat behind all else', async () => {
    const chain = (name: string, type: Hook['type'], priority: number): Table['chains'][number] => ({
      name,
      hook: { type, hook: 'prerouting', priority },
      rules: ['accept'],
    });
    const chains = [
      chain('after', 'filter', -99),
      chain('before', 'filter', -100),
      chain('nat', 'nat', 100),
      { name: 'x', rules: ['accept'] },
    ];
    const steps = diffPhases(undefined, { family: 'ip', name: 't', sets: [], elements: new Map(), chains });
    assert.deepEqual(
      steps.map((ops) => ops.flatMap((op) => (op.op === 'add-rule' ? [op.chain] : []))),
      [['x', 'before'], ['nat'], ['after']],
    );
    assert.deepEqual(kinds(steps[2] ?? []), ['add-chain', 'add-rule']);
  });

  test('makes them last also where the table takes the place of one that cannot be changed', async () => {
    const hook: Hook = { type: 'nat', hook: 'prerouting', priority: -100 };
    const refusing: Hook = { type: 'filter', hook: 'forward', priority: 0 };
    const tableWith = (of: Hook): Table => ({
      ...{ family: 'ip', name: 't', sets: [], elements: new Map() },
      chains: [
        { name: 'refuse', hook: refusing, rules: ['reject'] },
        { name: 'nat', hook: of, rules: ['accept'] },
      ],
    });
    const nft = await holding(tableWith(hook));
    const wanted = tableWith({ ...hook, priority: -101 });
    const steps = diffPhases(await nft.read('ip', 't'), wanted);
    assert.deepEqual(
      steps.map((ops) => ops.map((op) => (op.op === 'add-chain' ? `add-chain ${op.chain.name}` : op.op))),
      [
        ['delete-table', 'add-table', 'add-chain nat', 'add-rule'],
        ['add-chain refuse', 'add-rule'],
      ],
    );
    for (const ops of steps) await nft.commit({ family: 'ip', table: 't', ops });
    assert.deepEqual(diff(await nft.read('ip', 't'), wanted), []);
  });

  test('takes elements of late sets away at the end, and those of others before', async () => {
    const nft = await holding(table);
    const wanted = withElements(withElements(table, 'services', []), 'endpoints', []);
    const steps = diffPhases(await nft.read('ip', 'kube-proxy'), wanted, { late: new Set(['endpoints']) });
    const gone = steps.map((ops) => ops.flatMap((op) => (op.op === 'delete-elements' ? [op.set.name] : [])));
    assert.deepEqual(gone, [['services'], ['endpoints']]);
  });

  test('takes elements away once the rules are there that do without them, and what shuts out after that', async () => {
    const nft = await holding(table);
    const chains = table.chains.map((one) => (/^(services|sources)$/.test(one.name) ? { ...one, rules: [...one.rules, 'accept'] } : one));
    const wanted = { ...withElements(table, 'services', []), chains };
    const order = { guards: new Set(['sources']) };
    const steps = diffPhases(await nft.read('ip', 'kube-proxy'), wanted, order);
    const told = (op: Op): string[] =>
      op.op === 'flush-chain' ? [`anew ${op.chain}`] : op.op === 'delete-elements' ? [`gone of ${op.set.name}`] : [];
    assert.deepEqual(
      steps.map((ops) => ops.flatMap(told)),
      [[], ['anew services'], ['gone of services'], ['anew sources']],
    );
    for (const ops of steps) await nft.commit({ family: 'ip', table: 'kube-proxy', ops });
    assert.deepEqual(diff(await nft.read('ip', 'kube-proxy'), wanted), []);
  });

  test('removes chains and sets that are not wanted, after what names them', async () => {
    const nft = await holding(table);
    const wanted = {
      ...withElements(withElements(table, 'services', []), 'endpoints', []),
      chains: table.chains.filter((c) => c.name !== 'lb-3'),
    };
    await nft.commit({ family: 'ip', table: 'kube-proxy', ops: diff(await nft.read('ip', 'kube-proxy'), wanted) });
    assert.deepEqual(diff(await nft.read('ip', 'kube-proxy'), wanted), []);
    const empty: Table = { ...table, chains: [], sets: [], elements: new Map() };
    const ops = diff(await nft.read('ip', 'kube-proxy'), empty);
    const count = wanted.chains.length;
    assert.deepEqual(kinds(ops), [
      ...Array<string>(count).fill('flush-chain'),
      ...Array<string>(table.sets.length).fill('delete-set'),
      ...Array<string>(count).fill('delete-chain'),
    ]);
  });
});

describe('encodeBatch()', () => {
  test('cuts long lists into messages below the limit of an attribute', () => {
    const set = parseTable(golden).sets.find((s) => s.name === 'endpoints');
    assert.ok(set);
    const elements = Array.from({ length: 1000 }, (_, i): [string, string] => [`10.96.0.1 . tcp . 80 . ${i}`, '10.244.0.1 . 80']);
    const batch = encodeBatch({ family: 'ip', table: 't', ops: [{ op: 'add-elements', set, elements }] }, 7);
    const [begin, ...messages] = decodeMessages(Buffer.from(batch.bytes));
    const end = messages.pop();
    assert.deepEqual([begin?.type, begin?.seq, end?.type, end?.seq], [16, 7, 17, 11]);
    const counts = messages.map((message) => {
      let count = 0;
      eachAttr(decodeAttrs(message.data, 4).get(3) ?? Buffer.alloc(0), () => count++);
      return count;
    });
    assert.deepEqual(counts, [400, 400, 200]);
    assert.equal(batch.messages, 3);
    assert.deepEqual(
      messages.map((m) => [m.seq, (m.flags & NLM_F_ACK) !== 0]),
      [
        [8, false],
        [9, false],
        [10, true],
      ],
    );
    assert.deepEqual([batch.opOf(7), batch.opOf(10)?.op], [undefined, 'add-elements']);
  });
});
