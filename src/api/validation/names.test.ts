import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isConfigMapKey,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isEnvVarName,
  isLabelValue,
  isQualifiedName,
  isValidPortName,
  nameIsDnsSubdomain,
  nameIsPathSegment,
} from './names.ts';

const cases: readonly [string, (value: string) => string[], readonly string[], readonly string[]][] = [
  ['isDns1123Label', isDns1123Label, ['a', '1-a', 'a'.repeat(63)], ['', 'A', '-a', 'a-', 'a.b', 'a'.repeat(64)]],
  ['isDns1123Subdomain', isDns1123Subdomain, ['a.b', '10.0.0.1'], ['', 'a..b', 'a_b', '.a', 'a'.repeat(254)]],
  ['isDns1035Label', isDns1035Label, ['web', 'web-1'], ['1web', 'web.1', 'Web']],
  [
    'isQualifiedName',
    isQualifiedName,
    ['a', 'A.b_c', 'example.com/A', 'kubernetes.io/hostname'],
    ['', '/a', 'a/', 'a/b/c', 'A.com_/x', '-a'],
  ],
  ['isLabelValue', isLabelValue, ['', 'a', 'A_b.c'], ['-a', 'a b', 'a'.repeat(64)]],
  ['isEnvVarName', isEnvVarName, ['A', '_a', 'a.b-c', '1A'], ['', 'a=b', 'ü']],
  ['isConfigMapKey', isConfigMapKey, ['a', 'A.b_c-d', '...a'.slice(2)], ['', '.', '..', '..a', 'a/b']],
  ['isValidPortName', isValidPortName, ['http', 'a-1'], ['', 'HTTP', '123', 'a--b', '-a', 'a'.repeat(16)]],
];

for (const [name, check, good, bad] of cases) {
  test(`${name}() takes what upstream takes and nothing else`, () => {
    for (const value of good) assert.deepEqual(check(value), [], JSON.stringify(value));
    for (const value of bad) assert.notDeepEqual(check(value), [], JSON.stringify(value));
  });
}

test('a name that is wrong is explained with an example and the expression', () => {
  assert.deepEqual(nameIsDnsSubdomain('Web', false), [
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ]);
});

test('a label that would do as a subdomain is told what stands in the way', () => {
  assert.deepEqual(isDns1123Label('a.b'), ['must not contain dots']);
  assert.match(isDns1123Label('A.b')[0]!, /^a lowercase RFC 1123 label must consist of/);
});

test('a prefix may end in a dash, a name may not', () => {
  assert.deepEqual(nameIsDnsSubdomain('web-', true), []);
  assert.equal(nameIsDnsSubdomain('web-', false).length, 1);
});

test('the name of a role may hold colons, but nothing that breaks a path', () => {
  assert.deepEqual(nameIsPathSegment('system:node', false), []);
  assert.deepEqual(nameIsPathSegment('a/b', false), ["may not contain '/'"]);
});
