import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Exec } from '../../linux/exec.ts';
import { mayUse, SystemdKeeper } from './systemd-keeper.ts';

/** A systemctl that says what a test says; without an answer, that all is well. */
function fakeSystemctl(answers: Readonly<Record<string, { readonly code: number; readonly stdout: string }>> = {}): {
  readonly asked: string[];
  readonly keeper: SystemdKeeper;
} {
  const asked: string[] = [];
  const exec: Exec = {
    run: async (file, args) => {
      asked.push([file, ...args].join(' '));
      return { code: 0, stdout: '', stderr: '', ...answers[args[0] ?? ''] };
    },
  };
  return { asked, keeper: new SystemdKeeper(exec) };
}

describe('the keeper over systemd', () => {
  for (const [state, isRunning] of [
    ['active', true],
    ['activating', true],
    ['inactive', false],
    ['failed', false],
  ] as const)
    test(`takes a unit that is ${state} for ${isRunning ? 'running' : 'ended'}`, async () => {
      const { keeper, asked } = fakeSystemctl({ 'is-active': { code: isRunning ? 0 : 3, stdout: `${state}\n` } });
      assert.equal(await keeper.isRunning('agent'), isRunning);
      assert.deepEqual(asked, ['systemctl is-active fairlead-agent.service']);
    });

  test('starts a unit now and with the machine', async () => {
    const { keeper, asked } = fakeSystemctl();
    await keeper.start('server');
    assert.deepEqual(asked, ['systemctl enable --now --quiet fairlead-server.service']);
  });

  test('says what systemd says when a unit does not start', async () => {
    const { keeper } = fakeSystemctl({ enable: { code: 1, stdout: 'no such unit' } });
    await assert.rejects(keeper.start('server'), { code: 'COMMAND_FAILED', message: /no such unit/ });
  });

  test('stops a unit for good, whatever state it is in', async () => {
    const { keeper, asked } = fakeSystemctl({ disable: { code: 1, stdout: '' } });
    await keeper.stop('agent');
    assert.deepEqual(asked, ['systemctl disable --now --quiet fairlead-agent.service', 'systemctl reset-failed fairlead-agent.service']);
  });
});

test('what the unit may read goes by the first class of root that fits, as it cannot go past modes', () => {
  for (const [uid, gid, mode, isReadable] of [
    [0, 0, 0o600, true],
    [0, 5, 0o077, false],
    [1000, 0, 0o640, true],
    [1000, 0, 0o604, false],
    [1000, 1000, 0o604, true],
    [1000, 1000, 0o660, false],
  ] as const)
    assert.equal(mayUse({ uid, gid, mode }, 4), isReadable, `${uid}:${gid} ${mode.toString(8)}`);
  assert.deepEqual([mayUse({ uid: 0, gid: 0, mode: 0o700 }, 1), mayUse({ uid: 0, gid: 0, mode: 0o600 }, 1)], [true, false]);
});

test('the unit does not see homes and /tmp; what is not there is not its concern', async () => {
  const { keeper } = fakeSystemctl();
  assert.equal(await keeper.hides('/nowhere/ca.crt'), undefined);
  const dir = await mkdtemp('/tmp/keeper-');
  try {
    await writeFile(join(dir, 'ca.crt'), '');
    assert.match((await keeper.hides(join(dir, 'ca.crt'))) ?? '', /does not see .*\/tmp/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
