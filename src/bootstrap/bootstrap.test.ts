import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';

interface Lock {
  readonly packages: Record<string, { version: string; integrity?: string; optional?: boolean; os?: string[]; cpu?: string[] }>;
}
// Plain JavaScript for an older Node.js, so without types.
const load = (file: string): Promise<unknown> => import(pathToFileURL(join(import.meta.dirname, file)).href);
const { outdated } = (await load('dependencies.mjs')) as { outdated(lock: Lock, installed: Lock | undefined): string | undefined };
interface Debian {
  apt(args: string[]): boolean;
  can(packages: string[]): boolean;
  unpackBusybox(): boolean;
}
const { install, isStatic } = (await load('packages.mjs')) as {
  install(packages: string[], debian: Debian): string[];
  isStatic(path: string): boolean;
};

describe('npm ci', () => {
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

describe('install()', () => {
  const wanted = ['runc', 'busybox-static'];
  const cases: [
    name: string,
    machine: { lists: boolean; gone?: boolean; conflict?: boolean; mirror?: boolean },
    calls: string[],
    failed: string[],
  ][] = [
    ['installs at once where the lists are there', { lists: true }, ['install runc busybox-static'], []],
    [
      'reads the lists first on a fresh machine, and says nothing of their lack',
      { lists: false },
      ['update', 'install runc busybox-static'],
      [],
    ],
    [
      'reads the lists again when they name a file that is gone',
      { lists: true, gone: true },
      ['install runc busybox-static', 'update', 'install runc busybox-static'],
      [],
    ],
    [
      "leaves the system's own busybox where the static one would displace it",
      { lists: true, conflict: true },
      ['update', 'install runc', 'unpack'],
      [],
    ],
    ['names what could not be installed', { lists: false, mirror: false }, ['update', 'install runc', 'update'], ['runc']],
  ];
  for (const [name, { lists, gone = false, conflict = false, mirror = true }, calls, failed] of cases)
    test(name, () => {
      const made: string[] = [];
      let fresh = lists && !gone;
      let known = lists;
      const left = install(wanted, {
        apt(args) {
          const names = args.filter((arg) => !arg.startsWith('-'));
          made.push(names.join(' '));
          if (names[0] !== 'update') return fresh;
          if (mirror) fresh = known = true;
          return mirror;
        },
        can: (packages) => known && !(conflict && packages.includes('busybox-static')),
        unpackBusybox: () => made.push('unpack') > 0,
      });
      assert.deepEqual([made, left], [calls, failed]);
    });
});
