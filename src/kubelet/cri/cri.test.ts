import assert from 'node:assert/strict';
import test from 'node:test';
import { CriError, isDeadline, isMissing, isUnimplemented } from './cri.ts';

const errors: readonly [err: unknown, wanted: string][] = [
  [new CriError(5, 'container x'), 'missing'],
  // containerd says so of images.
  [new CriError(2, 'image "x": Not found'), 'missing'],
  [new CriError(2, 'broken'), ''],
  [new CriError(3, 'not found'), ''],
  [new CriError(4, 'late'), 'deadline'],
  [new CriError(12, 'unknown method'), 'unimplemented'],
  [Object.assign(new Error('not found'), { status: 5 }), ''],
  [undefined, ''],
];
for (const [err, wanted] of errors)
  test(`${String(err)}${err instanceof CriError ? ` (${err.status})` : ''} is ${wanted || 'any error'}`, () => {
    const said = [isMissing(err) && 'missing', isDeadline(err) && 'deadline', isUnimplemented(err) && 'unimplemented'];
    assert.deepEqual(
      said.filter((word) => word !== false),
      wanted === '' ? [] : [wanted],
    );
  });
