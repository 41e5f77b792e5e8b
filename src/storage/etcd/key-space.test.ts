import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KeySpace } from './key-space.ts';

describe('KeySpace', () => {
  const usual = new KeySpace('/registry', '/registry');
  const moved = new KeySpace('/registry', '/k8s/one');

  test('keeps keys as they are under the usual prefix, and moves them under another one', () => {
    assert.equal(usual.toEtcd('/registry/pods/a'), '/registry/pods/a');
    assert.equal(moved.toEtcd('/registry/pods/a'), '/k8s/one/pods/a');
    assert.equal(moved.fromEtcd('/k8s/one/pods/a'), '/registry/pods/a');
    assert.deepEqual(moved.whole, { key: '/k8s/one/', rangeEnd: '/k8s/one0' });
    assert.deepEqual(moved.range('/registry/', '/registry0'), { key: '/k8s/one/', rangeEnd: '/k8s/one0' });
  });

  test('leaves keys beside the prefix alone', () => {
    assert.equal(moved.toEtcd('/other'), '/other');
    assert.equal(moved.fromEtcd('/other'), '/other');
  });

  test('has its fence right before its keys, so that a watch of all takes it in and nothing else', () => {
    const all = usual.range('/registry/', '/registry0');
    assert.deepEqual(usual.whole, all);
    assert.ok(usual.isWhole(all));
    assert.ok(!usual.isWhole(usual.range('/registry/pods/', '/registry/pods0')));
    assert.deepEqual(usual.withFence(all), { key: '/registry.fairlead', rangeEnd: '/registry0' });
    assert.ok(usual.mark < usual.fence, 'which no watch with the fence takes in');
    assert.deepEqual(usual.withFence({ key: '/a', rangeEnd: '/b' }), { key: '/a', rangeEnd: '/registry.fairlead\0' });
    assert.deepEqual(usual.withFence({ key: '/a', rangeEnd: '/z' }), { key: '/a', rangeEnd: '/z' });
  });
});

test('a range is widened to the fence on whichever side that lies', () => {
  const space = new KeySpace('/registry', '/registry');
  const behind = '/registry.fairlead\0';
  assert.deepEqual(space.withFence({ key: '/a', rangeEnd: '/b' }), { key: '/a', rangeEnd: behind });
  assert.deepEqual(space.withFence({ key: '/registry/', rangeEnd: '/registry0' }), { key: '/registry.fairlead', rangeEnd: '/registry0' });
  assert.deepEqual(space.withFence({ key: '/a', rangeEnd: '/z' }), { key: '/a', rangeEnd: '/z' });
});

test('the jump lies between the fence and the keys, so that who watches all of them with the fence hears of it', () => {
  const space = new KeySpace('/registry', '/other');
  const { key, rangeEnd } = space.withFence(space.whole);
  assert.ok(key < space.jump && space.jump < space.whole.key && space.jump < rangeEnd);
});
