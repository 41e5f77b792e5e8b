import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownError } from '../../errors/known-error.ts';
import type { Exec } from '../../linux/exec.ts';
import { cannotMakeNamespaces, Namespaces } from '../../linux/testing/namespaces.ts';
import { ensureForwardAccept } from './forward-accept.ts';

describe('ensureForwardAccept()', { skip: cannotMakeNamespaces }, () => {
  test('adds two rules where packets are dropped by policy, once, and none elsewhere', async () => {
    await using net = new Namespaces();
    await net.add('node');
    const exec: Exec = { run: (file, args) => net.run('node', file, args) };
    assert.equal(await ensureForwardAccept(exec, '10.244.0.0/16'), false);
    assert.equal((await net.run('node', 'nft', ['list', 'ruleset'])).stdout, '');
    await net.run('node', 'iptables-nft', ['-P', 'FORWARD', 'DROP']);
    assert.equal(await ensureForwardAccept(exec, '10.244.0.0/16'), true);
    assert.equal(await ensureForwardAccept(exec, '10.244.0.0/16'), false);
    const { stdout } = await net.run('node', 'iptables-nft', ['-S', 'FORWARD']);
    assert.deepEqual(stdout.trim().split('\n').slice(1), [
      '-A FORWARD -d 10.244.0.0/16 -m comment --comment "fairlead pod network" -j ACCEPT',
      '-A FORWARD -s 10.244.0.0/16 -m comment --comment "fairlead pod network" -j ACCEPT',
    ]);
  });

  test('is content without the tools', async () => {
    const exec: Exec = {
      run: async () => {
        throw new KnownError('TOOL_MISSING', 'no');
      },
    };
    assert.equal(await ensureForwardAccept(exec, '10.244.0.0/16'), false);
  });
});
