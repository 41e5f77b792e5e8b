import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { sampleContainer } from '../testing/pod-samples.ts';
import { LogRotator, removeLog } from './log-rotator.ts';

const maxBytes = 10 << 20;

async function inDirectory(work: (logPath: string, dir: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'fl-rotate-'));
  const dir = join(root, 'pod/main');
  mkdirSync(dir, { recursive: true });
  try {
    await work(join(dir, '0.log'), dir);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('a log past its size is put aside, and only so many are kept', () =>
  inDirectory(async (logPath, dir) => {
    const clock = new FakeClock();
    const cri = { reopenContainerLog: async () => writeFileSync(logPath, 'new') };
    const rotator = new LogRotator({ cri, clock, log: silentLog, running: () => [sampleContainer({ logPath })] });
    for (let i = 0; i < 7; i++) {
      writeFileSync(logPath, '');
      truncateSync(logPath, maxBytes + 1);
      await rotator.rotateAll();
      await clock.advance(1000);
    }
    assert.deepEqual(readdirSync(dir), ['0.log', ...[3, 4, 5, 6].map((second) => `0.log.20260101-00000${second}`)]);
    assert.equal(readFileSync(logPath, 'utf8'), 'new');
    truncateSync(logPath, maxBytes);
    await rotator.rotateAll();
    assert.equal(readdirSync(dir).length, 5, 'a log of just that size stays');
  }));

test('a log stays where it is when the runtime does not open a new one', () =>
  inDirectory(async (logPath, dir) => {
    const cri = { reopenContainerLog: () => Promise.reject(new Error('no')) };
    const running = (): ReturnType<typeof sampleContainer>[] => [sampleContainer({ logPath })];
    writeFileSync(logPath, '');
    truncateSync(logPath, maxBytes + 1);
    await new LogRotator({ cri, clock: new FakeClock(), log: silentLog, running }).rotateAll();
    assert.deepEqual(readdirSync(dir), ['0.log']);
  }));

test('a runtime that was left writing into a log put aside opens a new one', () =>
  inDirectory(async (logPath, dir) => {
    writeFileSync(`${logPath}.20260101-000000`, 'x');
    const cri = { reopenContainerLog: async () => writeFileSync(logPath, 'new') };
    const running = (): ReturnType<typeof sampleContainer>[] => [sampleContainer({ logPath })];
    await new LogRotator({ cri, clock: new FakeClock(), log: silentLog, running }).rotateAll();
    assert.deepEqual(readdirSync(dir), ['0.log', '0.log.20260101-000000']);
  }));

test('removeLog() takes what was put aside along, and no other log', () =>
  inDirectory(async (logPath, dir) => {
    for (const name of ['0.log', '0.log.20260101-000000', '0.log.20260101-000010', '10.log']) writeFileSync(join(dir, name), 'x');
    await removeLog(logPath);
    assert.deepEqual(readdirSync(dir), ['10.log']);
  }));
