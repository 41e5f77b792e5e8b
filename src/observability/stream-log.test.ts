import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../clock/testing/fake-clock.ts';
import { createLog, type LogFormat, LogThreshold } from './stream-log.ts';

function lines(format: LogFormat): { out: string[]; log: ReturnType<typeof createLog> } {
  const out: string[] = [];
  return { out, log: createLog({ format, clock: new FakeClock(), write: (line) => out.push(line) }) };
}

test('a text line carries time, level, message and the fields of every parent', () => {
  const { out, log } = lines('text');
  log.child({ part: 'dns' }).warn('Lost the upstream', { server: '10.0.0.1', reason: 'timed out', err: new Error('no route') });
  assert.deepEqual(out, ['2026-01-01T00:00:00.000Z WARN  Lost the upstream part=dns server=10.0.0.1 reason="timed out" err="no route"\n']);
});

test('a JSON line is one object that programs can read', () => {
  const { out, log } = lines('json');
  log.error('Cannot bind', { err: new Error('in use'), size: 3n });
  assert.deepEqual(JSON.parse(out[0] ?? ''), {
    time: '2026-01-01T00:00:00.000Z',
    level: 'error',
    msg: 'Cannot bind',
    err: 'in use',
    size: '3',
  });
});

test('lines below the threshold are not written', () => {
  const { out, log } = lines('text');
  log.debug('not this');
  assert.deepEqual(out, []);
});

test('a threshold may move while the log is written to, and comes back to the usual level', () => {
  const out: string[] = [];
  const level = new LogThreshold('warn');
  const log = createLog({ level, clock: new FakeClock(), write: (line) => out.push(line.trim().replace(/^\S+ +\S+ +/, '')) });
  const child = log.child({ part: 'proxy' });
  for (const isDebug of [false, true, false]) {
    level.isDebug = isDebug;
    child.debug(`debug ${isDebug}`);
    child.info(`info ${isDebug}`);
    child.warn(`warn ${isDebug}`);
  }
  assert.deepEqual(
    out.map((line) => line.replace(' part=proxy', '')),
    ['warn false', 'debug true', 'info true', 'warn true', 'warn false'],
  );
});
