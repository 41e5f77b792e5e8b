import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLabelSelector, labelSelectorOf, parseLabelSelector, SelectorError, selectorOfMap } from './label.ts';

const web = { app: 'web', tier: 'front', size: '7', 'example.com/x': '' };

test('text selectors match as kubectl documents', () => {
  for (const [text, expected] of [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app=db', false],
    ['app!=db', true],
    ['missing!=x', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['app in (web,db)', true],
    ['app in (db)', false],
    ['missing notin (a)', true],
    ['app notin (web, db)', false],
    ['size>6', true],
    ['size<7', false],
    ['app>1', false],
    ['app=web,tier=front', true],
    ['app=web , tier in (back)', false],
    ['example.com/x=', true],
    ['example.com/x', true],
    ['example.com/x=,app', true],
    ['example.com/x=,none', false],
  ] as const) {
    assert.equal(parseLabelSelector(text).matches(web), expected, text);
  }
  assert.equal(parseLabelSelector('a=b').matches(undefined), false);
  assert.equal(parseLabelSelector('!a').matches(undefined), true);
});

test('what is no selector is refused with what was found and what was expected', () => {
  for (const [text, message] of [
    ['a===b', "unable to parse requirement: found '=', expected: identifier"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['!=', "found '!=', expected: !, identifier, or 'end of string'"],
    ['! =', "unable to parse requirement: found '=', expected: identifier"],
    ['a,=b', "found '=', expected: identifier after ','"],
    ['a,', "found '', expected: identifier after ','"],
    ['=x', "found '=', expected: !, identifier, or 'end of string'"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['a=(', "unable to parse requirement: found '(', expected: identifier"],
    ['a=!=', "unable to parse requirement: found '!=', expected: identifier"],
    ['a in (x', "unable to parse requirement: found '', expected: ',' or ')'"],
  ] as const) {
    assert.throws(() => parseLabelSelector(text), { name: 'SelectorError', message });
  }
  assert.throws(() => parseLabelSelector('-a=b'), SelectorError);
  assert.throws(() => parseLabelSelector(`a=${'x'.repeat(64)}`), SelectorError);
  assert.throws(() => parseLabelSelector('a>x'), /must be an integer/);
});

test('object selectors: absent matches nothing, empty everything', () => {
  assert.equal(labelSelectorOf(undefined).matches(web), false);
  assert.equal(labelSelectorOf({}).matches(web), true);
  assert.equal(
    labelSelectorOf({ matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'In', values: ['front'] }] }).matches(web),
    true,
  );
  assert.equal(labelSelectorOf({ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }).matches(web), false);
  assert.equal(labelSelectorOf({ matchExpressions: [{ key: 'app', operator: 'Exists' }] }).matches(web), true);
  assert.throws(() => labelSelectorOf({ matchExpressions: [{ key: 'app', operator: 'Exists', values: ['web'] }] }), SelectorError);
  assert.throws(
    () => labelSelectorOf({ matchExpressions: [{ key: 'app', operator: 'Near' }] }),
    /"Near" is not a valid label selector operator/,
  );
  assert.throws(() => labelSelectorOf({ matchExpressions: [{ key: 'app', operator: 'In', values: [] }] }), SelectorError);
  assert.equal(selectorOfMap({}).matches(undefined), true);
  assert.deepEqual([selectorOfMap({ app: 'web' }).matches(web), selectorOfMap({ app: 'db' }).matches(web)], [true, false]);
});

test('labels named like members of every object are not there by themselves', () => {
  assert.equal(parseLabelSelector('toString').matches({}), false);
  assert.equal(parseLabelSelector('constructor=x').matches({}), false);
});

test('the text form is sorted by key and parses to the same', () => {
  for (const text of ['a=b', 'a=b,a!=c', 'a!=b,c', '!a,b in (x,y),c notin (d,e)', 'a>5', 'a<5', '']) {
    assert.equal(formatLabelSelector(parseLabelSelector(text)), text);
  }
  assert.equal(formatLabelSelector({ matchLabels: { z: '1', a: '2' } }), 'a=2,z=1');
});

test('numbers are compared without their border, and an absent label is none', () => {
  for (const [text, expected] of [
    ['size>7', false],
    ['size<8', true],
    ['size<7', false],
    ['none>0', false],
    ['none<1', false],
  ] as const)
    assert.equal(parseLabelSelector(text).matches(web), expected, text);
});

test('keys have at most 63 characters, and 253 before the slash', () => {
  const long = 'x'.repeat(63);
  const prefix = `${long}.${long}.${long}.${'x'.repeat(61)}`;
  assert.equal(parseLabelSelector(`${prefix}/${long}`).matches({ [`${prefix}/${long}`]: '' }), true);
  for (const key of [`${long}x`, `${prefix}x/a`, '/a', 'A.example/a']) assert.throws(() => parseLabelSelector(key), SelectorError, key);
});

test('a list may hold the empty value', () => {
  for (const text of ['a in ()', 'a in (b,)', 'a in (,b)']) {
    assert.equal(parseLabelSelector(text).matches({ a: '' }), true, text);
    assert.equal(parseLabelSelector(text).matches({}), false, text);
  }
});
