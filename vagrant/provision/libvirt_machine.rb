# frozen_string_literal: true

# What vagrant-libvirt is told of machines beside their size: by the architecture of this machine, of which boxes are, too, and by the driver. Changes nothing.
class LibvirtMachine
  ARM = %w[aarch64 arm64].freeze

  def initialize(host_cpu, driver)
    @is_arm = ARM.include?(host_cpu)
    @is_emulated = driver == 'qemu'
  end

  # By name of the setting.
  def settings
    { **(@is_arm ? arm : {}), **(@is_emulated ? emulation : {}) }
  end

  # QEMU 7.2 emulates cmpxchg16b so that kernels of 6.12 die at random.
  def cpu_features
    @is_emulated && !@is_arm ? [{ name: 'cx16', policy: 'disable' }] : []
  end

  # A PS/2 mouse, which a machine gets where nothing is said, is of x86.
  def inputs
    @is_arm ? [{ type: 'keyboard', bus: 'virtio' }] : []
  end

  # Of one machine: where its UEFI keeps what it remembers.
  def nvram(name)
    "/var/lib/libvirt/qemu/nvram/fairlead-#{name}_VARS.fd" if @is_arm
  end

  private

  # There is no BIOS: they start by UEFI, of Debian's and Ubuntu's package qemu-efi-aarch64. The presets of "features" have "apic" and "pae", which are of x86.
  def arm
    {
      'machine_arch' => 'aarch64',
      'machine_type' => 'virt',
      'features' => ['acpi'],
      'loader' => '/usr/share/AAVMF/AAVMF_CODE.fd',
      'cpu_mode' => 'host-passthrough',
    }
  end

  def emulation
    # With two CPUs they stand still at times.
    { 'cpus' => 1, 'driver' => 'qemu', 'cpu_mode' => 'custom', 'cpu_model' => @is_arm ? 'cortex-a57' : 'qemu64', 'nested' => false }
  end
end
