import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import type { PlanWarning } from './plan/planner.ts';
import { ServiceReport } from './service-report.ts';

function warning(message: string, about = 'tcp . 30080'): PlanWarning {
  return { service: 'n/web', about, reason: 'FrontendReserved', message, hint: '' };
}

/** Gives what a report tells of each of several updates: Events, and what is over. */
function toldOf(...updates: readonly (readonly PlanWarning[])[]): string[][] {
  let told: string[] = [];
  const report = new ServiceReport({
    log: { ...silentLog, info: (text) => void told.push(text) },
    service: () => ({ apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'n', name: 'web' } }),
    event: (_, reason, message) => void told.push(`${reason} ${message}`),
  });
  return updates.map((warnings) => {
    told = [];
    report.update('n/web', warnings);
    return told;
  });
}

describe('ServiceReport', () => {
  const [two, three] = [warning('two'), warning('three')];

  test('tells the same of two families once', () => assert.deepEqual(toldOf([two, two], [two, two]), [['FrontendReserved two'], []]));

  test('tells what two families say otherwise of the same frontend once each, and when it is over', () =>
    assert.deepEqual(toldOf([two, three], [two, three], [three, two], []), [
      ['FrontendReserved two', 'FrontendReserved three'],
      [],
      [],
      ['Over: three', 'Over: two'],
    ]));

  test('tells what is said otherwise now, and again what had been over', () =>
    assert.deepEqual(toldOf([two], [three], [two], [], [two]), [
      ['FrontendReserved two'],
      ['FrontendReserved three'],
      ['FrontendReserved two'],
      ['Over: two'],
      ['FrontendReserved two'],
    ]));

  test('goes on with what was told of one Service while another has news', () => {
    const told: string[] = [];
    const report = new ServiceReport({
      log: { ...silentLog, info: (text) => void told.push(text), warn: (text) => void told.push(text) },
      service: () => undefined,
      event: () => {},
    });
    report.update('n/web', [two]);
    report.update('n/other', [{ ...three, service: 'n/other' }]);
    report.update('n/other', []);
    report.update('n/web', [two]);
    assert.deepEqual(told, ['two', 'three', 'Over: three']);
  });
});
