# frozen_string_literal: true

require 'fileutils'
require 'yaml'

# What there is of a lab, in Vagrant's folder. What "vagrant up" was told by environment holds for every later command, also in another shell: else
# "vagrant destroy" would leave machines behind that settings.yaml does not have.
class Lab
  def initialize(kept)
    @kept = kept
    @file = File.join(kept, 'fairlead', 'lab')
  end

  # Names of those that Vagrant has made and not destroyed.
  def machines
    Dir[File.join(@kept, 'machines/*/*/id')].map { |path| File.basename(File.dirname(File.dirname(path))) }.uniq
  end

  # Settings with which it was made. Versions before this one wrote none, or not all of them: how many control planes there are, their names tell.
  def settings
    machines.empty? ? {} : written.merge(by_machines)
  end

  # The next one is made by these. One that is there keeps what it has.
  def made_by(settings)
    return unless machines.empty?

    FileUtils.mkdir_p(File.dirname(@file), mode: 0o700)
    File.write(@file, YAML.dump(settings))
  end

  private

  def written
    settings = File.exist?(@file) ? YAML.safe_load(File.read(@file)) : nil
    settings.is_a?(Hash) ? settings : {}
  rescue Psych::Exception
    {}
  end

  # Three of them have no store but etcd.
  def by_machines
    return { 'control_planes' => '3', 'store' => 'etcd' } if machines.any? { |name| name.match?(/\Acontrol-plane-[123]\z/) }

    machines.include?('control-plane') ? { 'control_planes' => '1' } : {}
  end
end
