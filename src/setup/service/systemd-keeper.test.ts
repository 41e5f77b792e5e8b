import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Exec } from '../../linux/exec.ts';
import { SystemdKeeper } from './systemd-keeper.ts';

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
