import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { silentLog } from '../observability/log.ts';
import { actOnNotes } from './notes.ts';
import type { PluginAnswer, PluginCall } from './plugin-call.ts';

const note = (id: string): PluginCall => ({ plugin: 'fairlead', env: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: id }, stdin: '{}' });

describe('actOnNotes()', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fl-notes-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const cases: readonly [what: string, content: string, cniCode: number | undefined, stays: boolean][] = [
    ['forgets a note that was acted on', JSON.stringify(note('a')), undefined, false],
    ['keeps a note for which the kernel was not ready', JSON.stringify(note('a')), 5, true],
    ['keeps a note that is to be tried again', JSON.stringify(note('a')), 11, true],
    ['forgets a note whose configuration will never do', JSON.stringify(note('a')), 7, false],
    ['forgets a note that is no JSON', '{"plugin":', undefined, false],
    ['forgets a note that is no call', 'null', undefined, false],
  ];
  for (const [what, content, cniCode, stays] of cases) {
    test(`${what}, and acts on the others`, async () => {
      writeFileSync(join(dir, '1.eth0.json'), content);
      writeFileSync(join(dir, '2.eth0.json'), JSON.stringify(note('b')));
      writeFileSync(join(dir, '3.eth0.json.new'), '{');
      const called: string[] = [];
      const call = async ({ env }: PluginCall): Promise<PluginAnswer> => {
        called.push(env.CNI_CONTAINERID ?? '');
        return env.CNI_CONTAINERID === 'a' && cniCode ? { code: 1, stdout: JSON.stringify({ code: cniCode }) } : { code: 0, stdout: '' };
      };
      await actOnNotes(dir, call, silentLog);
      assert.ok(called.includes('b'));
      assert.deepEqual(readdirSync(dir), [...(stays ? ['1.eth0.json'] : []), '3.eth0.json.new']);
    });
  }

  test('is content without any', async () => {
    await actOnNotes(join(dir, 'none'), async () => assert.fail(), silentLog);
  });
});
