import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type VolumeFile, writeAtomically } from './atomic-dir.ts';

function files(content: Readonly<Record<string, string>>, mode = 0o644): Map<string, VolumeFile> {
  return new Map(Object.entries(content).map(([path, text]) => [path, { bytes: Buffer.from(text), mode }]));
}

async function inDirectory(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'fl-volume-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('writeAtomically() makes files reachable through ..data', () =>
  inDirectory(async (dir) => {
    await writeAtomically(dir, files({ a: '1', 'b/c': '2' }, 0o400));
    assert.equal(readFileSync(join(dir, 'a'), 'utf8'), '1');
    assert.equal(readFileSync(join(dir, 'b/c'), 'utf8'), '2');
    assert.equal(readlinkSync(join(dir, 'a')), '..data/a');
    assert.equal(statSync(join(dir, 'a')).mode & 0o777, 0o400);
  }));

test('writeAtomically() writes nothing when all is as wanted', () =>
  inDirectory(async (dir) => {
    await writeAtomically(dir, files({ a: '1' }));
    const before = readlinkSync(join(dir, '..data'));
    await writeAtomically(dir, files({ a: '1' }));
    assert.equal(readlinkSync(join(dir, '..data')), before);
  }));

test('writeAtomically() replaces content, and removes what is gone', () =>
  inDirectory(async (dir) => {
    await writeAtomically(dir, files({ a: '1', b: '2' }));
    await writeAtomically(dir, files({ a: '3', c: '4' }));
    assert.deepEqual(
      readdirSync(dir).filter((e) => !e.startsWith('..')),
      ['a', 'c'],
    );
    assert.equal(readFileSync(join(dir, 'a'), 'utf8'), '3');
    assert.equal(readdirSync(dir).filter((e) => e.startsWith('..2')).length, 1);
  }));

for (const path of ['../x', '/x', 'a/../../x', '..data', ''])
  test(`writeAtomically() refuses the path "${path}"`, () =>
    inDirectory((dir) => assert.rejects(writeAtomically(dir, files({ [path]: '' })), /invalid path/)));
