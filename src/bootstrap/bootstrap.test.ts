import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';

interface Lock {
  readonly packages: Record<string, { version: string; integrity?: string; optional?: boolean; os?: string[]; cpu?: string[] }>;
}
// Plain JavaScript for an older Node.js, so without types.
const load = (file: string): Promise<unknown> => import(pathToFileURL(join(import.meta.dirname, file)).href);
const { outdated } = (await load('dependencies.mjs')) as { outdated(lock: Lock, installed: Lock | undefined): string | undefined };
const { isStatic } = (await load('packages.mjs')) as { isStatic(path: string): boolean };

suite('npm ci', () => {
  const lock: Lock = {
    packages: {
      '': { version: '1' },
      'node_modules/a': { version: '1.0.0', integrity: 'x' },
      'node_modules/b': { version: '2.0.0', integrity: 'y', optional: true, cpu: ['s390x'] },
    },
  };
  const a = { version: '1.0.0', integrity: 'x' };
  const cases: [string, Lock | undefined, RegExp | undefined][] = [
    ['is needed on a fresh clone', undefined, /nothing is installed/],
    ['is not needed when everything is there', { packages: { 'node_modules/a': a } }, undefined],
    ['is needed when a package is missing', { packages: {} }, /node_modules\/a is not 1\.0\.0/],
    ['is needed when a version changed', { packages: { 'node_modules/a': { ...a, version: '0.9.0' } } }, /is not 1\.0\.0/],
    ['is needed when the content changed', { packages: { 'node_modules/a': { ...a, integrity: 'z' } } }, /is not 1\.0\.0/],
  ];
  for (const [name, installed, want] of cases)
    test(name, () => {
      const why = outdated(lock, installed);
      if (want === undefined) assert.equal(why, undefined);
      else assert.match(why ?? '', want);
    });
});

test('a program with a dynamic loader is not taken for a static one', () => {
  assert.equal(isStatic(process.execPath), false);
  assert.equal(isStatic(import.meta.filename), false);
});
