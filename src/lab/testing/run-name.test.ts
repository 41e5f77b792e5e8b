import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, describe, test } from 'node:test';
import { defaultLabOptions } from '../lab-options.ts';
import { planLab } from '../plan.ts';
import { abandonedLabs, forgetLab, recordLab, runName } from './run-name.ts';

describe('runName()', () => {
  test('is the name of a lab, and says whose', () => {
    const name = runName('e2el');
    assert.equal(name, `e2el-${process.pid.toString(36)}`);
    assert.equal(planLab({ ...defaultLabOptions, name }).options.name, name);
  });
});

describe('abandonedLabs()', { skip: process.getuid?.() !== 0 && 'root is needed' }, () => {
  const name = runName('rec');
  after(() => forgetLab(name));

  test('names a lab once its test has ended, and until it is forgotten', async () => {
    const owner = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await recordLab(name, owner.pid);
      assert.ok(!(await abandonedLabs()).includes(name));
    } finally {
      owner.kill('SIGKILL');
    }
    await once(owner, 'close');
    assert.ok((await abandonedLabs()).includes(name));
    await forgetLab(name);
    assert.ok(!(await abandonedLabs()).includes(name));
  });
});
