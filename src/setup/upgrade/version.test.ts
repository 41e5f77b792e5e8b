import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareProgram, compareVersions, minorsAhead, parseVersion, type Version } from './version.ts';

function version(text: string): Version {
  const parsed = parseVersion(text);
  assert.ok(parsed, text);
  return parsed;
}

test('parseVersion() reads what ours and others tell', () => {
  assert.deepEqual(version('v1.35.0+fairlead.0.1.0'), { kubernetes: [1, 35, 0], program: '0.1.0' });
  assert.deepEqual(version('v1.35.0+fairlead.0.2.0-rc.1').program, '0.2.0-rc.1');
  for (const other of ['v1.34.12', 'v1.34.12+k3s1', 'v1.34.12-rc.0+fairlead'])
    assert.deepEqual(version(other), { kubernetes: [1, 34, 12], program: undefined }, other);
  for (const wrong of ['', 'v1', 'latest', 'v1.x.0']) assert.equal(parseVersion(wrong), undefined, wrong);
});

test('compareProgram() orders releases and what comes before them', () => {
  const order = ['0.1.0', '0.1.2', '0.1.10', '0.2.0-rc.1', '0.2.0-rc.2', '0.2.0-rc.10', '0.2.0', '0.2.0.1', '1.0.0'];
  for (const [i, a] of order.entries())
    for (const [j, b] of order.entries()) assert.equal(compareProgram(a, b), Math.sign(i - j), `${a} and ${b}`);
});

test('compareVersions() takes the build into account among our own alone', () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ['v1.35.0+fairlead.0.1.0', 'v1.35.0+fairlead.0.1.0', 0],
    ['v1.35.0+fairlead.0.1.0', 'v1.35.0+fairlead.0.2.0', -1],
    ['v1.36.0+fairlead.0.1.0', 'v1.35.0+fairlead.0.2.0', 1],
    ['v1.35.1+fairlead.0.1.0', 'v1.35.0+fairlead.0.1.0', 1],
    ['v1.35.7', 'v1.35.0+fairlead.0.1.0', 0],
    ['v1.36.0', 'v1.35.0+fairlead.0.1.0', 1],
    ['v2.0.0', 'v1.35.0+fairlead.0.1.0', 1],
  ];
  for (const [a, b, expected] of cases) {
    assert.equal(compareVersions(version(a), version(b)), expected, `${a} and ${b}`);
    assert.equal(compareVersions(version(b), version(a)), 0 - expected, `${b} and ${a}`);
  }
});

test('minorsAhead() counts minor versions, and takes a major one for many', () => {
  assert.equal(minorsAhead(version('v1.35.0'), version('v1.32.9')), 3);
  assert.equal(minorsAhead(version('v1.32.0'), version('v1.35.9')), -3);
  assert.ok(minorsAhead(version('v2.0.0'), version('v1.35.0')) > 3);
});
