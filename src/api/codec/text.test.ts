import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duplicateKeys } from './duplicate-keys.ts';
import { cloneJson } from './json-clone.ts';
import { unknownField } from './strict.ts';
import { jsonOf, readYaml } from './yaml.ts';

test('YAML is read as Go reads it: octal modes and yes, but neither dates nor base 60', () => {
  assert.deepEqual(readYaml('mode: 0644\nok: yes\nday: 2001-01-01\nports: 22:22\nnone: ~\n').value, {
    mode: 420,
    ok: true,
    day: '2001-01-01',
    ports: '22:22',
    none: null,
  });
  assert.deepEqual(readYaml('a: &x {b: 1}\nc: {<<: *x, d: 2}\n').value, { a: { b: 1 }, c: { b: 1, d: 2 } });
});

test('what has no digit where a number begins is a text, as to Go', () => {
  const yaml = '.: [., e5, E0, +., -., ._, .e1, +.e1, .5, 5., 1e3, .5e1, 5.e1, 1_0.5, -1.5]\n';
  const texts = ['.', 'e5', 'E0', '+.', '-.', '._', '.e1', '+.e1'];
  assert.deepEqual(readYaml(yaml).value, { '.': [...texts, 0.5, 5, 1000, 5, 50, 10.5, -1.5] });
});

test('broken YAML is refused in one line', () => {
  assert.throws(() => readYaml('a: b: c'), { name: 'YamlError', message: /^error converting YAML to JSON: yaml: [^\n]+$/ });
  assert.throws(() => readYaml('a: 1\n---\nb: 2'), { name: 'YamlError' });
});

test('of keys that stand twice in YAML the last one holds, and the line is named', () => {
  assert.deepEqual(readYaml('a: 1\nb: {c: 1, c: 2}\nd:\n- e: 1\n  e: 3\na: 2\n'), {
    value: { a: 2, b: { c: 2 }, d: [{ e: 3 }] },
    repeated: ['line 2: key "c" already set in map', 'line 5: key "e" already set in map', 'line 6: key "a" already set in map'],
  });
  assert.equal(readYaml('a: 1\n'.repeat(300)).repeated.length, 100);
});

test('keys that stand twice in JSON are named', () => {
  for (const [text, errors] of [
    ['{"a":{"b":[{"c":1,"c":"x\\\\\\""},{}]} , "a" : []}', ['duplicate field "a.b[0].c"', 'duplicate field "a"']],
    ['{"a":1,"\\u0061":2}', ['duplicate field "a"']],
    ['[]', []],
    ['{}', []],
    [' { "a" : [ { "x" : "}" } , { "x" : -1.5e3 , "y" : null } ] , "b" : true } ', []],
    ['"text"', []],
  ] as const) {
    assert.deepEqual(duplicateKeys(text), errors, text);
  }
});

test('a hundred keys that stand twice are enough', () => {
  assert.equal(duplicateKeys(`{${'"a":1,'.repeat(150)}"b":2}`).length, 100);
});

test('keys that stand twice and fields that are none are named in the order of the text', () => {
  const [a, d] = [unknownField('a'), unknownField('b[0].d')];
  const text = '{"a":{"x":1,"x":2},"c":1,"b":[{"e":1,"e":2,"d":1,"d":2}],"a":3,"c":2}';
  assert.deepEqual(duplicateKeys(text, [d, a]), [a, 'duplicate field "b[0].e"', d, 'duplicate field "c"']);
});

test('a clone shares nothing and keeps odd keys', () => {
  const value = JSON.parse('{"a":[{"b":null}],"__proto__":{"x":1}}') as { a: { b: null }[] };
  const copy = cloneJson(value);
  assert.deepEqual(copy, value);
  assert.notEqual(copy.a[0], value.a[0]);
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
});

test('keys, aliases and nesting without measure are refused, or read in no time', () => {
  const before = process.cpuUsage();
  const lines = (of: (i: number) => string): string => Array.from({ length: 20_000 }, (_, i) => of(i)).join('\n');
  assert.equal(Object.keys(readYaml(lines((i) => `k${i}: v`)).value as object).length, 20_000);
  assert.throws(() => readYaml('? '.repeat(200)), { name: 'YamlError', message: /keys must be text/ });
  assert.throws(() => readYaml(`a: &a 1\n${lines((i) => `k${i}: *a`)}`), { name: 'YamlError', message: /more than 1000 aliases/ });
  assert.ok(process.cpuUsage(before).user < 10_000_000);
});

test('JSON is YAML', () => {
  assert.deepEqual(readYaml(' {"a": [1, "2"]}').value, { a: [1, '2'] });
  assert.deepEqual(readYaml('{a: 1}').value, { a: 1 });
  assert.deepEqual(
    ['  \n\r\t{"a":1}', '{a: 1}', 'a: {}', ''].map((text) => jsonOf(Buffer.from(text))),
    [{ a: 1 }, undefined, undefined, undefined],
  );
});
