/** provision/libvirt_machine.rb: what libvirt is told of a machine, by architecture and driver. Nothing of arm64 has been run. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemExec } from '../../src/linux/exec.ts';

const lab = join(import.meta.dirname, '../../vagrant');
const hasRuby = (await systemExec.run('sh', ['-c', 'command -v ruby'])).code === 0;
const script = `
require 'json'
require File.join(ARGV[0], 'provision/libvirt_machine')
machine = LibvirtMachine.new(ARGV[1], ARGV[2])
puts JSON.generate([machine.settings, machine.cpu_features, machine.inputs, machine.nvram('worker-1')])`;

const emulated = { cpus: 1, driver: 'qemu', cpu_mode: 'custom', nested: false };
const arm = { machine_arch: 'aarch64', machine_type: 'virt', features: ['acpi'], loader: '/usr/share/AAVMF/AAVMF_CODE.fd' };
const keyboard = [{ type: 'keyboard', bus: 'virtio' }];
const nvram = '/var/lib/libvirt/qemu/nvram/fairlead-worker-1_VARS.fd';

describe('a machine of the lab of vagrant/ in libvirt', { skip: !hasRuby && 'ruby is not installed' }, () => {
  for (const [cpu, driver, ...wanted] of [
    ['x86_64', 'kvm', {}, [], [], null],
    ['x86_64', 'qemu', { ...emulated, cpu_model: 'qemu64' }, [{ name: 'cx16', policy: 'disable' }], [], null],
    ['aarch64', 'kvm', { ...arm, cpu_mode: 'host-passthrough' }, [], keyboard, nvram],
    ['arm64', 'qemu', { ...arm, ...emulated, cpu_model: 'cortex-a57' }, [], keyboard, nvram],
  ] as const)
    test(`of ${cpu} by ${driver}`, async () => {
      const { stdout, stderr } = await systemExec.run('ruby', ['-e', script, lab, cpu, driver]);
      assert.equal(stderr, '');
      assert.deepEqual(JSON.parse(stdout), wanted);
    });
});
