# frozen_string_literal: true

require 'fileutils'
require 'openssl'
require 'securerandom'

# What the machines of a lab share before the first of them is up: an authority and a token. They lie in .vagrant, for their owner alone.
class Secrets
  # What lies there cannot be used, and cannot be made anew.
  class Wrong < StandardError; end

  def initialize(directory)
    @directory = directory
    FileUtils.mkdir_p(directory, mode: 0o700)
  end

  def token
    kept('token') { "#{SecureRandom.hex(3)}.#{SecureRandom.hex(8)}" }
  end

  def key
    authority_key('ca', '/etc/kubernetes/pki/ca.key of a control plane')
  end

  def certificate
    kept('ca.crt') { authority(OpenSSL::PKey.read(key)).to_pem }
  end

  # As --discovery-token-ca-cert-hash has it: of the public key.
  def hash
    "sha256:#{OpenSSL::Digest::SHA256.hexdigest(OpenSSL::X509::Certificate.new(certificate).public_key.to_der)}"
  end

  # With which further control planes get the keys of the cluster.
  def certificate_key
    kept('certificate-key') { SecureRandom.hex(32) }
  end

  def redis_password
    kept('redis-password') { SecureRandom.hex(32) }
  end

  # Whether there is a cluster, from the first "fairlead init" until its last control plane is destroyed.
  def begun?
    File.exist?(File.join(@directory, 'begun'))
  end

  def begun!
    FileUtils.touch(File.join(@directory, 'begun'))
  end

  def ended!
    FileUtils.rm_f(File.join(@directory, 'begun'))
  end

  # Members of etcd and API servers know each other by an authority of etcd's own, whose key stays on this machine.
  def etcd_member(name, address)
    certificate, key = etcd_pair("etcd-#{name}", name, %w[serverAuth clientAuth], address)
    { 'ETCD_CA' => etcd_authority, 'ETCD_CERT' => certificate, 'ETCD_KEY' => key }
  end

  def etcd_client
    certificate, key = etcd_pair('apiserver-etcd-client', 'kube-apiserver-etcd-client', %w[clientAuth])
    { 'ETCD_CA' => etcd_authority, 'ETCD_CLIENT_CERT' => certificate, 'ETCD_CLIENT_KEY' => key }
  end

  def self.fetch_kubeconfig(env, machine, file)
    text = +''
    machine.communicate.sudo('cat /etc/kubernetes/admin.conf') { |stream, data| text << data if stream == :stdout }
    File.open(file, File::CREAT | File::WRONLY | File::TRUNC, 0o600) { |out| out.write(text) }
    env.ui.info("export KUBECONFIG=#{file}")
  end

  private

  # An empty file is what a power cut leaves of one that was never flushed: it is made anew.
  def kept(name)
    path = File.join(@directory, name)
    unless File.size?(path)
      # Machines may come up side by side: the first to link its file has it made.
      draft = "#{path}.#{Process.pid}"
      write(draft, yield)
      begin
        File.link(draft, path)
      rescue Errno::EEXIST
        File.rename(draft, path) if File.zero?(path)
      end
      FileUtils.rm_f(draft)
    end
    File.read(path)
  end

  def write(path, text)
    File.open(path, File::CREAT | File::WRONLY | File::TRUNC, 0o600) do |out|
      out.write(text)
      out.fsync
    end
  end

  def new_key(name)
    kept("#{name}.key") { OpenSSL::PKey::EC.generate('prime256v1').to_pem }
  end

  # Another key would be of another authority than the one that machines know. `copy`: where that key is, too.
  def authority_key(name, copy)
    path = File.join(@directory, "#{name}.key")
    return new_key(name) unless File.zero?(path) && (begun? || File.size?(File.join(@directory, "#{name}.crt")))

    raise Wrong, "#{path} is empty, as after a power cut: put the key back that was in it (#{copy}), or \"vagrant destroy\" and delete #{@directory}"
  end

  # Asked for where something is to be signed.
  def etcd_authority_key
    OpenSSL::PKey.read(authority_key('etcd-ca', 'no machine has it'))
  end

  def etcd_authority
    kept('etcd-ca.crt') { authority(etcd_authority_key, 'etcd-ca').to_pem }
  end

  def etcd_pair(file, name, usages, address = nil)
    key = new_key(file)
    issuer = OpenSSL::X509::Certificate.new(etcd_authority)
    FileUtils.rm_f(File.join(@directory, "#{file}.crt")) unless fits?("#{file}.crt", key, issuer)
    pem = kept("#{file}.crt") do
      certificate = draft(name, OpenSSL::PKey.read(key), issuer)
      extensions = OpenSSL::X509::ExtensionFactory.new(issuer, certificate)
      certificate.add_extension(extensions.create_extension('keyUsage', 'digitalSignature,keyEncipherment', true))
      certificate.add_extension(extensions.create_extension('extendedKeyUsage', usages.join(',')))
      certificate.add_extension(extensions.create_extension('subjectAltName', "DNS:#{name},DNS:localhost,IP:127.0.0.1,IP:#{address}")) if address
      certificate.sign(etcd_authority_key, OpenSSL::Digest.new('SHA256')).to_pem
    end
    [pem, key]
  end

  # Of this key and this authority: either may have been made anew.
  def fits?(file, key, issuer)
    path = File.join(@directory, file)
    return false unless File.size?(path)

    certificate = OpenSSL::X509::Certificate.new(File.read(path))
    certificate.check_private_key(OpenSSL::PKey.read(key)) && certificate.verify(issuer.public_key)
  end

  def authority(key, name = 'kubernetes')
    certificate = draft(name, key)
    extensions = OpenSSL::X509::ExtensionFactory.new(certificate, certificate)
    certificate.add_extension(extensions.create_extension('basicConstraints', 'CA:TRUE', true))
    certificate.add_extension(extensions.create_extension('keyUsage', 'digitalSignature,keyEncipherment,keyCertSign', true))
    certificate.add_extension(extensions.create_extension('subjectKeyIdentifier', 'hash'))
    certificate.sign(key, OpenSSL::Digest.new('SHA256'))
  end

  # Good for ten years; signed by itself without an issuer.
  def draft(name, key, issuer = nil)
    certificate = OpenSSL::X509::Certificate.new
    certificate.version = 2
    certificate.serial = SecureRandom.random_number(2**63)
    certificate.subject = OpenSSL::X509::Name.new([['CN', name]])
    certificate.issuer = issuer ? issuer.subject : certificate.subject
    certificate.public_key = key
    certificate.not_before = Time.now - 3600
    certificate.not_after = Time.now + (10 * 365 * 86_400)
    certificate
  end
end
