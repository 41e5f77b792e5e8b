import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyJsonPatch } from './json.ts';
import { mergePatch } from './merge.ts';
import { strategicMerge } from './strategic.ts';

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', labels: { x: '1', y: '2' } as Record<string, string>, finalizers: ['f1', 'f2'] },
  spec: {
    containers: [
      { name: 'a', image: 'i1', ports: [{ containerPort: 80 }, { containerPort: 81 }] },
      { name: 'b', image: 'i2' },
    ],
    tolerations: [{ key: 'z' }],
    volumes: [{ name: 'v', emptyDir: {} }],
    nodeSelector: { os: 'linux' },
  },
};
const before = structuredClone(pod);

interface Case {
  readonly name: string;
  readonly patch: object;
  readonly expected: object;
}

/** `expected` holds the parts of spec and metadata that differ from the pod. */
const strategic: readonly Case[] = [
  { name: 'maps merge and null deletes', patch: { metadata: { labels: { x: null, z: '3' } } }, expected: { labels: { y: '2', z: '3' } } },
  {
    name: '$patch: replace replaces a map',
    patch: { metadata: { labels: { $patch: 'replace', q: '1' } } },
    expected: { labels: { q: '1' } },
  },
  { name: '$patch: delete empties a map', patch: { metadata: { labels: { $patch: 'delete' } } }, expected: { labels: {} } },
  {
    name: 'a list with a merge key merges by the key',
    patch: { spec: { containers: [{ name: 'b', image: 'new' }] } },
    expected: { containers: [pod.spec.containers[0], { name: 'b', image: 'new' }] },
  },
  {
    name: '$setElementOrder sorts',
    patch: { spec: { $setElementOrder: 0, '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
    expected: { $setElementOrder: 0, containers: [pod.spec.containers[1], pod.spec.containers[0]] },
  },
  {
    name: 'a new entry goes where $setElementOrder puts it, and what only the server has keeps its place',
    patch: { spec: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }], containers: [{ name: 'c', image: 'i3' }] } },
    expected: { containers: [{ name: 'c', image: 'i3' }, pod.spec.containers[0], pod.spec.containers[1]] },
  },
  {
    name: '$patch: delete takes an entry away',
    patch: { spec: { containers: [{ name: 'a', $patch: 'delete' }] } },
    expected: { containers: [pod.spec.containers[1]] },
  },
  {
    name: '$patch: replace replaces a list',
    patch: { spec: { containers: [{ $patch: 'replace' }, { name: 'c', image: 'i3' }] } },
    expected: { containers: [{ name: 'c', image: 'i3' }] },
  },
  {
    name: 'lists inside entries merge too',
    patch: {
      spec: {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 80, $patch: 'delete' },
              { containerPort: 81, name: 'q' },
            ],
          },
        ],
      },
    },
    expected: { containers: [{ name: 'a', image: 'i1', ports: [{ containerPort: 81, name: 'q' }] }, pod.spec.containers[1]] },
  },
  {
    name: 'a list without a merge key is replaced',
    patch: { spec: { tolerations: [{ key: 'q' }] } },
    expected: { tolerations: [{ key: 'q' }] },
  },
  {
    name: '$retainKeys drops what it does not name, as kubectl sends it',
    patch: { spec: { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/x' }, emptyDir: null }] } },
    expected: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
  },
  { name: 'primitive lists unite', patch: { metadata: { finalizers: ['f2', 'f3'] } }, expected: { finalizers: ['f1', 'f2', 'f3'] } },
  {
    name: '$deleteFromPrimitiveList deletes',
    patch: { metadata: { '$deleteFromPrimitiveList/finalizers': ['f1'], '$setElementOrder/finalizers': ['f3', 'f2'], finalizers: ['f3'] } },
    expected: { finalizers: ['f3', 'f2'] },
  },
  { name: 'new content loses its nulls', patch: { spec: { affinity: { podAffinity: null } } }, expected: { affinity: {} } },
  {
    name: 'a directive for what is not there is nothing',
    patch: { spec: { affinity: { $patch: 'replace', podAffinity: {} } } },
    expected: {},
  },
  { name: 'a null for what is not there is nothing', patch: { spec: { hostname: null } }, expected: {} },
  { name: 'unknown fields merge as maps', patch: { spec: { whatever: { a: [1] } } }, expected: { whatever: { a: [1] } } },
];

for (const { name, patch, expected } of strategic) {
  test(`strategicMerge(): ${name}`, () => {
    const result = strategicMerge(pod, patch, 'Pod') as unknown as typeof pod;
    const part = 'metadata' in patch ? 'metadata' : 'spec';
    assert.deepEqual(result, { ...pod, [part]: { ...pod[part], ...expected } });
    assert.deepEqual(pod, before, 'the object itself must not change');
  });
}

test('strategicMerge() result shares nothing with the object', () => {
  const result = strategicMerge(pod, { metadata: { labels: { q: '1' } } }, 'Pod');
  assert.notEqual(result.spec, pod.spec);
  assert.notEqual(result.spec.containers[1], pod.spec.containers[1]);
});

test('strategicMerge() refuses what is no patch', () => {
  for (const [patch, message] of [
    [[], /no JSON object/],
    [{ metadata: { $patch: 'what' } }, /unknown patch type found: what/],
    [{ spec: { containers: [{ image: 'x' }] } }, /does not contain declared merge key: name/],
    [{ spec: { containers: ['x'] } }, /expected an object/],
    [{ spec: { volumes: [{ name: 'v', $retainKeys: ['name'], hostPath: {} }] } }, /"hostPath" is not in the list/],
    [{ spec: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'b' }] } }, /doesn't match/],
  ] as const) {
    assert.throws(() => strategicMerge(pod, patch, 'Pod'), { name: 'PatchError', message });
  }
});

test('mergePatch() is RFC 7396', () => {
  for (const [target, patch, expected] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: 1 }, JSON.parse('{"__proto__":{"x":1}}'), { a: 1 }],
  ] as const) {
    assert.deepEqual(mergePatch(target, patch), expected);
  }
  assert.throws(() => mergePatch({}, []), { name: 'PatchError', code: 400 });
});

test('applyJsonPatch() is RFC 6902', () => {
  const result = applyJsonPatch(pod, [
    { op: 'test', path: '/metadata/name', value: 'p' },
    { op: 'replace', path: '/spec/containers/0/image', value: 'new' },
    { op: 'add', path: '/metadata/labels/a~1b', value: 'c' },
    { op: 'remove', path: '/spec/tolerations' },
  ]);
  assert.equal(result.spec.containers[0]?.image, 'new');
  assert.equal(result.metadata.labels['a/b'], 'c');
  assert.equal('tolerations' in result.spec, false);
  assert.deepEqual(pod, before);
});

test('applyJsonPatch() moves and copies by value, into lists, over what is there and to the root', () => {
  const from = { list: [{ a: 1 }, { b: 2 }], map: { 'x/y': { z: null } }, gone: 1 };
  const cases: readonly (readonly [object[], unknown])[] = [
    [[{ op: 'move', from: '/list/1', path: '/list/0' }], { ...from, list: [{ b: 2 }, { a: 1 }] }],
    [[{ op: 'move', from: '/list/0', path: '/list/-' }], { ...from, list: [{ b: 2 }, { a: 1 }] }],
    [[{ op: 'move', from: '/map/x~1y', path: '/gone' }], { ...from, map: {}, gone: { z: null } }],
    [[{ op: 'replace', path: '/new', value: 1 }], { ...from, new: 1 }],
    [[{ op: 'replace', path: '/map/a~1b', value: 1 }], { ...from, map: { ...from.map, 'a/b': 1 } }],
    [[{ op: 'test', path: '/new', value: null }], from],
    [[{ op: 'replace', path: '/list/-1/b', value: 3 }], { ...from, list: [{ a: 1 }, { b: 3 }] }],
    [[{ op: 'remove', path: '/list/-2' }], { ...from, list: [{ b: 2 }] }],
    [[{ op: 'add', path: '/list/-1', value: 1 }], { ...from, list: [{ a: 1 }, { b: 2 }, 1] }],
    [[{ op: 'move', from: '/list/0', path: '/list/-1' }], { ...from, list: [{ b: 2 }, { a: 1 }] }],
    [[{ op: 'move', from: '/list/-1', path: '/list/00' }], { ...from, list: [{ b: 2 }, { a: 1 }] }],
    [[{ op: 'move', from: '/map', path: '/map' }], from],
    [[{ op: 'move', from: '/map', path: '' }], from.map],
    [[{ op: 'copy', from: '', path: '/all' }], { ...from, all: from }],
    [
      [
        { op: 'copy', from: '/list/0', path: '/gone' },
        { op: 'replace', path: '/gone/a', value: 2 },
      ],
      { ...from, gone: { a: 2 } },
    ],
    [[{ op: 'copy', from: '/map/x~1y/z', path: '/gone' }], { ...from, gone: null }],
  ];
  for (const [patch, want] of cases) assert.deepEqual(applyJsonPatch(from, patch), want, JSON.stringify(patch));
});

test('applyJsonPatch() refuses to copy more than the largest body has, and looks at no operation for as long as the document is', () => {
  const large = { a: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])), x: 1 };
  const doubling = Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/d${i}` }));
  assert.throws(() => applyJsonPatch(large, doubling), {
    code: 422,
    message: /accumulated size increase of copy is \d+, exceeding the limit 3145728/,
  });
  let read = 0;
  const counted = {
    ...large,
    get x(): number {
      read++;
      return 1;
    },
  };
  const moves = Array.from({ length: 1000 }, (_, i) => ({ op: 'move', from: i % 2 ? '/b' : '/a', path: i % 2 ? '/a' : '/b' }));
  assert.deepEqual(applyJsonPatch(counted, moves), large);
  assert.equal(read, 1);
});

test('applyJsonPatch() says which operation does not apply', () => {
  for (const [patch, code, message] of [
    [{}, 400, /cannot unmarshal/],
    [[{ op: 'spoil', path: '/x' }], 422, 'Unexpected kind: "spoil"'],
    [[{ op: 'test', path: '/metadata/name', value: 'q' }], 422, 'testing value /metadata/name failed: test failed'],
    [
      [{ op: 'replace', path: '/spec/no/way', value: 1 }],
      422,
      'replace operation does not apply: doc is missing path: /spec/no/way: missing value',
    ],
    [[{ op: 'replace', path: '/spec/containers/9', value: {} }], 422, /does not apply/],
    [[{ op: 'remove', path: '/spec/containers/-9' }], 422, /does not apply/],
    [[{ op: 'replace', path: '/__proto__', value: {} }], 422, /does not|JSON-Patch/],
    [[{ op: 'test', path: '/spec/nothing', value: 1 }], 422, /testing value \/spec\/nothing failed|does not apply/],
    [[{ op: 'remove', path: '/spec/nothing' }], 422, 'remove operation does not apply: doc is missing path: /spec/nothing: missing value'],
    [[{ op: 'add', path: '/__proto__/x', value: 1 }], 422, /does not|JSON-Patch/],
    [[{ op: 'copy', from: '/spec/containers/length', path: '/x' }], 422, /doc is missing from path/],
    [[{ op: 'move', from: '/no/way', path: '/x' }], 422, 'move operation does not apply: doc is missing from path: missing value'],
    [[{ op: 'move', from: 'spec', path: '/x' }], 422, /doc is missing from path/],
    [[{ op: 'copy', path: '/x' }], 422, /doc is missing from path/],
    [[{ op: 'move', from: '/spec', path: '/no/way' }], 422, /doc is missing path: \/no\/way/],
    [[{ op: 'move', from: '', path: '/x' }], 422, /is within the document/],
    [[{ op: 'move', from: '/spec', path: '/spec/x' }], 422, /\/spec\/x is within \/spec/],
  ] as const) {
    assert.throws(() => applyJsonPatch(pod, patch), { name: 'PatchError', code, message });
  }
});
