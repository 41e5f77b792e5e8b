import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownError } from '../errors/known-error.ts';
import type { Mode } from './mode/mode.ts';
import { explained } from './usable-modes.ts';

const noTool = new KnownError('TOOL_MISSING', 'Cannot run "iptables": it is not installed', { hint: 'Install the package iptables' });
const noKernel = new KnownError('KERNEL_FEATURE_MISSING', 'Cannot use proxy mode "ipvs": the kernel lacks IPVS (module ip_vs)', {
  hint: 'Load the module',
});

/** A mode whose probe ends so; what happens to it is noted. */
function mode(name: string, done: string[], failure?: Error): readonly [string, () => Promise<Mode>] {
  const probe = async (): Promise<void> => {
    done.push(`probe ${name}`);
    if (failure) throw failure;
  };
  return [name, async () => ({ name, probe, close: () => done.push(`close ${name}`) }) as unknown as Mode];
}

describe('explained()', () => {
  test('names the part that is missing, and the modes that would work, of which none stays open', async () => {
    const done: string[] = [];
    const all = Object.fromEntries([
      mode('nftables', done),
      mode('iptables', done, noTool),
      mode('ipvs', done, noKernel),
      mode('userspace', done),
    ]);
    const told = await explained(noTool, 'iptables', all);
    assert.ok(told instanceof KnownError);
    assert.equal(told.code, 'TOOL_MISSING');
    assert.equal(told.message, 'Cannot use proxy mode "iptables": cannot run "iptables": it is not installed');
    assert.equal(told.hint, 'Install the package iptables; or use proxy mode nftables or userspace, which would work here');
    assert.deepEqual(
      done,
      ['nftables', 'ipvs', 'userspace'].flatMap((name) => [`probe ${name}`, `close ${name}`]),
    );
  });

  test('says what a mode said by itself once, and that no other mode works', async () => {
    const cannotOpen = async (): Promise<Mode> => Promise.reject(noKernel);
    const told = await explained(noKernel, 'ipvs', { nftables: cannotOpen, ipvs: cannotOpen });
    assert.ok(told instanceof KnownError);
    assert.equal(told.message, noKernel.message);
    assert.equal(told.hint, 'Load the module; no other mode works here');
  });

  test('leaves other errors as they are, and tries nothing', async () => {
    const done: string[] = [];
    const other = new KnownError('PORT_TAKEN', 'no');
    assert.equal(await explained(other, 'ipvs', Object.fromEntries([mode('nftables', done)])), other);
    assert.deepEqual(done, []);
  });
});
