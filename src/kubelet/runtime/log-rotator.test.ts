import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { sampleContainer } from '../testing/pod-samples.ts';
import { LogRotator, removeLog } from './log-rotator.ts';

async function inDirectory(work: (logPath: string, dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'fl-rotate-'));
  try {
    await work(join(dir, '0.log'), dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('a log past its size is put aside, and only so many are kept', () =>
  inDirectory(async (logPath, dir) => {
    const clock = new FakeClock();
    const cri = { reopenContainerLog: async () => writeFileSync(logPath, 'new') };
    const rotator = new LogRotator({
      cri,
      clock,
      log: silentLog,
      running: () => [sampleContainer({ logPath })],
      maxBytes: 10,
      maxFiles: 3,
    });
    for (let i = 0; i < 5; i++) {
      writeFileSync(logPath, `${i}`.repeat(11));
      await rotator.rotateAll();
      await clock.advance(1000);
    }
    assert.deepEqual(readdirSync(dir), ['0.log', '0.log.20260101-000003', '0.log.20260101-000004']);
    assert.equal(readFileSync(logPath, 'utf8'), 'new');
  }));

test('a log stays where it is when the runtime does not open a new one', () =>
  inDirectory(async (logPath, dir) => {
    const cri = { reopenContainerLog: () => Promise.reject(new Error('no')) };
    const running = (): ReturnType<typeof sampleContainer>[] => [sampleContainer({ logPath })];
    writeFileSync(logPath, 'x'.repeat(11));
    await new LogRotator({ cri, clock: new FakeClock(), log: silentLog, running, maxBytes: 10 }).rotateAll();
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
