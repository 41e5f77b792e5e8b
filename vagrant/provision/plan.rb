# frozen_string_literal: true

require 'ipaddr'
require 'yaml'

# What a lab consists of, by settings.yaml and the environment: machines, their addresses, where the API is. Changes nothing.
class Plan
  # What was set cannot be.
  class Wrong < StandardError; end

  CHOICES = {
    'control_planes' => %w[1 3],
    'proxy_mode' => %w[nftables iptables ipvs userspace],
    'network_backend' => %w[vxlan host-gw],
    'store' => %w[sqlite etcd redis],
    'driver' => %w[kvm qemu],
  }.freeze
  # The least of each, and the most: the addresses of workers end where the pool begins.
  NUMBERS = { 'workers' => 0..189, 'cpus' => 1..1024, 'memory' => 1..16_777_216 }.freeze
  TEXTS = %w[box network ipvs_scheduler].freeze
  NAMES = (CHOICES.keys + NUMBERS.keys + TEXTS).freeze
  # What a lab keeps while it is there.
  FIXED = %w[control_planes store network].freeze
  # Why a store is for one control plane.
  ALONE = {
    'sqlite' => 'the file of store sqlite cannot be shared',
    'redis' => 'the lab has a Redis of one machine alone, without replicas and sentinels',
  }.freeze

  attr_reader :settings

  # `made_by`: settings of the lab that is there, and `present`: its machines.
  def initialize(text, env = {}, made_by: {}, present: [])
    given = read(text).merge(made_by)
    @settings = NAMES.to_h { |name| [name, env.fetch(self.class.variable(name), given[name]).to_s] }
    @present = present
    made_by.each do |name, value|
      refuse(name, "and the lab that is there has #{value}: leave it out, and for another lab \"vagrant destroy\" first") if @settings[name] != value
    end
    CHOICES.each { |name, choices| refuse(name, "but may be #{choices.join(' or ')}") unless choices.include?(@settings[name]) }
    NUMBERS.each do |name, range|
      refuse(name, 'no number') unless @settings[name].match?(/\A\d+\z/)
      refuse(name, "but may be #{range.min} to #{range.max}") unless range.cover?(@settings[name].to_i)
    end
    raise Wrong, "control_planes is 3, and #{ALONE.fetch(settings['store'])}: set store to etcd (FAIRLEAD_STORE=etcd)" if many? && !etcd?
    @network = read_network
  end

  # FAIRLEAD_WORKERS=3 says more than "workers: 2". The driver's is FAIRLEAD_VAGRANT_DRIVER: it is nothing of the cluster's.
  def self.variable(name)
    name == 'driver' ? 'FAIRLEAD_VAGRANT_DRIVER' : "FAIRLEAD_#{name.upcase}"
  end

  def many?
    @settings['control_planes'] == '3'
  end

  def etcd?
    @settings['store'] == 'etcd'
  end

  def redis?
    @settings['store'] == 'redis'
  end

  # The first makes the cluster.
  def control_planes
    return { 'control-plane' => address(10) } unless many?

    (1..3).to_h { |n| ["control-plane-#{n}", address(6 + n)] }
  end

  # Fewer are set than there are: one goes by "vagrant destroy worker-3" alone.
  def workers
    numbers = (1..@settings['workers'].to_i).to_a | @present.filter_map { |name| name[/\Aworker-(\d+)\z/, 1]&.to_i }
    numbers.to_h { |n| ["worker-#{n}", address(10 + n)] }
  end

  def machines
    control_planes.merge(workers)
  end

  # Of three control planes it moves among them.
  def api_address
    address(10)
  end

  def endpoint
    "#{api_address}:6443"
  end

  def pool
    "#{address(200)}-#{address(239)}"
  end

  def netmask
    IPAddr.new('255.255.255.255').mask(@network.prefix).to_s
  end

  # As "fairlead init --store" takes it; empty for the file that the server keeps by itself.
  def store_url
    pki = '/etc/kubernetes/pki'
    return "redis://127.0.0.1:6379/0?password-file=#{pki}/redis-password" if redis?
    return '' unless etcd?

    hosts = control_planes.values.map { |ip| "https://#{ip}:2379" }.join(',')
    "etcd=#{hosts}?ca-file=#{pki}/etcd/ca.crt&cert-file=#{pki}/apiserver-etcd-client.crt&key-file=#{pki}/apiserver-etcd-client.key"
  end

  private

  # Each line once, and none that would do nothing.
  def read(text)
    given = YAML.safe_load(text)
    raise Wrong, 'settings.yaml has no lines of the form "workers: 2"' unless given.is_a?(Hash)

    strange = given.keys - NAMES
    raise Wrong, "settings.yaml: there is no setting #{strange.first.inspect}; there are #{NAMES.sort.join(', ')}" if strange.any?

    missing = NAMES - given.keys
    raise Wrong, "settings.yaml: there is no line for #{missing.first}" if missing.any?

    given
  rescue Psych::Exception => e
    raise Wrong, "settings.yaml is no YAML: #{e.message}"
  end

  # The pool ends with address 239.
  def read_network
    network = IPAddr.new(@settings['network'])
    refuse('network', 'no range of IPv4') unless network.ipv4?
    refuse('network', 'too small for machines and the pool of load balancers: it takes /24 or more') if network.prefix > 24
    network
  rescue IPAddr::Error
    refuse('network', 'no range of IPv4')
  end

  def address(number)
    IPAddr.new(@network.to_i + number, @network.family).to_s
  end

  def refuse(name, why)
    raise Wrong, "settings.yaml or #{self.class.variable(name)}: #{name} is #{@settings[name].inspect}, #{why}"
  end
end
