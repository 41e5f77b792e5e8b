import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { seededRandom } from '../../clock/testing/seeded-random.ts';
import { toYaml, yamlItem } from './to-yaml.ts';
import { readYaml } from './yaml.ts';

test('an object is written as Go writes it', () => {
  const object = {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    metadata: { name: 'a', uid: '0a1b2c3d-0000-4000-8000-000000000001', creationTimestamp: '2026-01-01T00:00:00Z', finalizers: [] },
    data: { text: 'one\n two\n', yes: 'true', n: '10', ip: '10.0.0.1', quote: 'a: b', empty: '', zero: '0644', both: `it's "a: b"` },
    list: [{ b: 1, a: null }, [1, ['x']], {}, 'line\nline'],
    nothing: {},
    half: 0.5,
    left: undefined,
  };
  assert.equal(
    toYaml(object),
    `apiVersion: v1
data:
  both: 'it''s "a: b"'
  empty: ""
  ip: 10.0.0.1
  "n": "10"
  quote: 'a: b'
  text: |
    one
     two
  "yes": "true"
  zero: "0644"
half: 0.5
kind: ConfigMap
list:
- a: null
  b: 1
- - 1
  - - x
- {}
- |-
  line
  line
metadata:
  creationTimestamp: "2026-01-01T00:00:00Z"
  finalizers: []
  name: a
  uid: 0a1b2c3d-0000-4000-8000-000000000001
nothing: {}
`,
  );
  assert.deepEqual(parse(`items:\n${yamlItem(object, '')}\n`), { items: [JSON.parse(JSON.stringify(object))] });
});

const odd = [
  ...[
    '',
    ' ',
    '~',
    'null',
    'Null',
    'y',
    'N',
    'yes',
    'On',
    'OFF',
    'True',
    '<<',
    '=',
    '-',
    '- a',
    '? a',
    ': ',
    'a:',
    'a: b',
    'a #b',
    '#',
    '!t',
    '&a',
    '*a',
  ],
  ...[
    '1',
    '-1',
    '+1',
    '0644',
    '0o7',
    '0x1F',
    '0b11',
    '1_000',
    '1e3',
    'E0',
    'e+5',
    '-e5',
    '-c',
    '--flag=x',
    '--',
    '-inf',
    '1E',
    '5m',
    '0m',
    '.5',
    '5.',
    '.inf',
    '-.Inf',
    '.nan',
    '12:30',
    '1:2:3.4',
    '2026-01-01',
  ],
  ...[
    '2026-01-01T00:00:00Z',
    '2026-01-01 10:00:00',
    '10.0.0.1',
    '10.0.0.0/8',
    'fd00::1',
    '1.2.3',
    '100m',
    '1Gi',
    '00000001-0000-4000-8000-000000000001',
  ],
  ...[
    'a\nb',
    ' \n',
    '\n\n \n',
    'first line of some text, long\n \nsecond\n ',
    '\n\ta\n',
    '\ufffe',
    'a\uffff\nb',
    'a\n',
    '\n',
    '\n\na',
    'a\n\n',
    ' a\nb',
    'a\n b ',
    'a \nb',
    '\ta\nb',
    'a\r\nb',
    '\u0001',
    'a\u0001\nb',
    '\u0085x',
    '\u009f',
    '\ufeffa',
    '\u2028',
    'é☃🚀',
    '\ud800',
    '{',
    '[a]',
    '{a: b}',
    '%',
    '@',
    '`',
  ],
  ...[
    "it's",
    '"',
    '\\',
    "'a'",
    'x'.repeat(300),
    'x'.repeat(1100),
    'word '.repeat(60),
    'two\nlines\n'.repeat(100),
    '---',
    '--- a',
    '...',
    'k: |\n  a\n',
    '__proto__',
    'constructor',
  ],
  ...['.', 'k:{"type":"Ready"}', 'k:{"a":"b: c"}', 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"a.io/b"', 'k:{"a":[]}', 'v:" #"'],
];

test('every text is read again as it was, as value, as key and in lists of lists, by readers of YAML 1.1 and 1.2', () => {
  const random = seededRandom(7);
  const alphabet = ['a', 'B', '0', '1', ' ', '\n', ':', '-', '.', '#', '"', "'", '\\', '{', ',', '_', 'e', '+', '\t', '|', '>', 'é'];
  const made = Array.from({ length: 3000 }, () => Array.from({ length: random(7) }, () => alphabet[random(alphabet.length)]).join(''));
  const parts = [' ', '\n', '\t', 'word', 'long: "words"', '# no'];
  const long = Array.from({ length: 300 }, () => Array.from({ length: random(61) }, () => parts[random(parts.length)]).join(''));
  for (const text of [...odd.filter((one) => one.isWellFormed()), ...made, ...long]) {
    const object = { a: { [text]: text }, b: [text, [text, { c: text }]] };
    const yaml = toYaml(object);
    const [v11, v12] = [parse(yaml, { version: '1.1' }), parse(yaml)];
    for (const read of [v11, v12, readYaml(yaml).value]) assert.deepEqual(read, object, yaml);
  }
});

test('what libyaml refuses is escaped: a tab at the head of a block, what is no character', () => {
  assert.equal(toYaml({ a: '\tfoo\nbar\n', b: '\n\tfoo\n' }), 'a: "\\tfoo\\nbar\\n"\nb: "\\n\\tfoo\\n"\n');
  assert.equal(toYaml({ a: '\ufffe', b: 'x\uffff\n' }), 'a: "\\ufffe"\nb: "x\\uffff\\n"\n');
});

test('what is undefined is left out, or null in a list, as in JSON', () => {
  assert.equal(toYaml({ a: { b: undefined }, c: [undefined, { d: undefined }] }), 'a: {}\nc:\n- null\n- {}\n');
});

test("the keys of managers' fields are written as kubectl writes them, but for the dot, which a reader of YAML 1.1 takes for a number", () => {
  const keys = ['"."', 'f:type', 'k:{"containerPort":80,"protocol":"TCP"}', 'k:{"type":"Ready"}', 'v:"a.io/b"'];
  assert.equal(toYaml(Object.fromEntries(keys.map((key) => [key.replace('"."', '.'), {}]))), keys.map((key) => `${key}: {}\n`).join(''));
});

test('lines that stand deep are not each padded', () => {
  const nested = (depth: number): object =>
    Array.from({ length: depth }).reduce<object>((inner) => ({ a: inner }), { text: 'a\n'.repeat(10_000) });
  const most = 50 * 20_000;
  for (const depth of [19, 20, 500]) {
    const yaml = toYaml(nested(depth));
    assert.ok(yaml.length < most, `${depth} deep: ${yaml.length} characters`);
    assert.deepEqual(parse(yaml), nested(depth));
  }
});

test('a text full of what is not printable takes no longer than another', () => {
  const text = 'a\u0001\u2028'.repeat(100_000);
  assert.deepEqual(parse(toYaml({ text })), { text });
  assert.match(toYaml({ text: 'a\u0001"\n' }), /^text: "a\\u0001\\"\\n"\n$/);
});
