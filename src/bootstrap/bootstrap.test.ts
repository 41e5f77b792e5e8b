import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
// biome-ignore lint/correctness/useImportExtensions: the types beside it are for .ts files
import { type AptMachine, patientApt } from './apt.mjs';

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

describe('apt-get', () => {
  const held = (lock: string): string =>
    `E: Could not get lock ${lock}. It is held by process 4711 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/\n`;
  const lists = held('/var/lib/apt/lists/lock');

  /** A machine on which apt-get fails with these words, and then does well. */
  function tried(failures: readonly string[]): {
    machine: AptMachine;
    seen: { runs: number; waited: number; said: string[]; shown: string[] };
  } {
    const seen = { runs: 0, waited: 0, said: [] as string[], shown: [] as string[] };
    const machine: AptMachine = {
      run: () => {
        const stderr = failures[seen.runs++];
        return { isDone: stderr === undefined, stderr: stderr ?? 'W: a warning\n' };
      },
      pause: (seconds) => {
        seen.waited += seconds;
      },
      say: (text) => void seen.said.push(text),
      show: (text) => void seen.shown.push(text),
    };
    return { machine, seen };
  }

  test('waits for another one that reads the lists or fetches packages, says so, and shows nothing of its failures', () => {
    for (const lock of ['/var/lib/apt/lists/lock', '/var/cache/apt/archives/lock']) {
      const { machine, seen } = tried(Array.from({ length: 12 }, () => held(lock)));
      assert.equal(patientApt(['update'], machine), true);
      assert.deepEqual(seen, {
        runs: 13,
        waited: 24,
        said: ['300 s at most', '20 of 300 s'].map((time) => `Waiting for process 4711 (apt-get), which holds ${lock} (${time})`),
        shown: ['W: a warning\n'],
      });
    }
  });

  test('waits no longer than five minutes, and says who holds the lock and what to do', () => {
    const { machine, seen } = tried(Array.from({ length: 1000 }, () => lists));
    assert.throws(
      () => patientApt(['update'], machine),
      /Cannot run "apt-get update": process 4711 \(apt-get\) has held \/var\/lib\/apt\/lists\/lock for 300 s\n {2}next: .*ps -fp 4711/,
    );
    assert.equal(seen.waited, 300);
  });

  test('does not wait again for the lock of dpkg, nor for anything else that fails', () => {
    for (const stderr of [held('/var/lib/dpkg/lock-frontend'), 'E: Unable to locate package x\n', '']) {
      const { machine, seen } = tried([stderr]);
      assert.equal(patientApt(['install', 'x'], machine), false);
      assert.deepEqual([seen.runs, seen.waited, seen.shown], [1, 0, [stderr]]);
    }
  });
});
