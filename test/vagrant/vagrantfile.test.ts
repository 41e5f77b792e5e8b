/** The Vagrantfile, read by Ruby without Vagrant: what it would run on each machine, and what it remembers of the cluster. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { systemExec } from '../../src/linux/exec.ts';

const vagrantfile = join(import.meta.dirname, '../../vagrant/Vagrantfile');
const hasRuby = (await systemExec.run('sh', ['-c', 'command -v ruby'])).code === 0;
/** Stands in for Vagrant: takes whatever is said, keeps what would be provisioned and what triggers would do. */
const script = `
require 'json'
PROVISIONED = []
TRIGGERED = {}
class Words
  def initialize(machine = nil)
    @machine = machine
  end

  def method_missing(word, *args, **options, &block)
    case word
    when :provision then PROVISIONED << { machine: @machine, name: args.first, args: options[:args].to_a, env: options[:env].to_h.keys, source: options[:source] }
    when :define
      PROVISIONED << { machine: args.first, name: 'autostart', args: [options[:autostart]], env: [], source: nil } if options.key?(:autostart)
      block&.call(Words.new(args.first))
    when :before, :after then @event = [word, *args]; block.call(self)
    when :ruby then TRIGGERED[@event] = block
    else block&.call(self)
    end
    self
  end

  def respond_to_missing?(*)
    true
  end
end
module Vagrant
  module Errors
    class VagrantError < StandardError; end
  end
  def self.configure(_version)
    yield Words.new
  end
end
event = ARGV.shift
file = ARGV.shift
load file
TRIGGERED.fetch([:after, event.to_sym]).call(nil, nil) unless event.empty?
puts JSON.generate(PROVISIONED)`;

interface Provisioned {
  readonly machine: string;
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Of a file. */
  readonly source: string | null;
}

describe('the Vagrantfile', { skip: !hasRuby && 'ruby is not installed' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-vagrantfile-'));
  after(() => rmSync(dir, { recursive: true }));
  const begun = join(dir, 'fairlead/begun');

  /** `event`: of which the trigger is run besides. `words`: what stands behind "vagrant". */
  async function read(settings: Readonly<Record<string, string>>, event = '', words: readonly string[] = ['up']): Promise<Provisioned[]> {
    const env = { ...settings, VAGRANT_DOTFILE_PATH: dir, FAIRLEAD_PACKAGE: vagrantfile };
    const { stdout, stderr } = await systemExec.run('ruby', ['-e', script, '--', event, vagrantfile, ...words], { env });
    assert.equal(stderr, '');
    return JSON.parse(stdout) as Provisioned[];
  }
  const argsOf = (all: readonly Provisioned[], machine: string, name: string): readonly string[] =>
    all.find((one) => one.machine === machine && one.name === name)?.args ?? [];
  const three = { FAIRLEAD_CONTROL_PLANES: '3', FAIRLEAD_STORE: 'etcd', FAIRLEAD_WORKERS: '1' };
  const [a, b, c] = ['192.168.56.7', '192.168.56.8', '192.168.56.9'];

  test('has one control plane initialised, and workers joined', async () => {
    const all = await read({ FAIRLEAD_WORKERS: '1' });
    assert.deepEqual(
      all.map(({ machine, name }) => `${machine} ${name}`),
      ['package', 'install', 'init']
        .map((name) => `control-plane ${name}`)
        .concat(['package', 'install', 'join'].map((name) => `worker-1 ${name}`)),
    );
    assert.match(argsOf(all, 'worker-1', 'join')[2] ?? '', /^sha256:[0-9a-f]{64}$/);
  });

  test('has a Redis before that where it is asked for', async () => {
    const all = (await read({ FAIRLEAD_STORE: 'redis', FAIRLEAD_WORKERS: '0' })).slice(2);
    assert.deepEqual(
      all.map(({ name, env }) => [name, env]),
      [
        ['redis', ['REDIS_PASSWORD']],
        ['init', ['TOKEN', 'CA_CERT', 'CA_KEY', 'REDIS_PASSWORD']],
      ],
    );
  });

  test('has a package built, once, and sends that, where there is none', async () => {
    const project = join(dir, 'project');
    cpSync(dirname(vagrantfile), join(project, 'vagrant'), { recursive: true });
    mkdirSync(join(dir, 'bin'));
    const names = ['amd64', 'arm64'].map((arch) => join(project, `dist/fairlead_1.0.0_${arch}.deb`));
    const npm = `#!/bin/sh\necho "$*" >>npm.log; mkdir -p dist; touch ${names.join(' ')}; echo said`;
    writeFileSync(join(dir, 'bin/npm'), npm, { mode: 0o755 });
    const env = { VAGRANT_DOTFILE_PATH: dir, PATH: `${join(dir, 'bin')}${delimiter}${process.env.PATH}` };
    const vagrant = ['-e', script, '--', '', join(project, 'vagrant/Vagrantfile')];
    for (const words of ['up --help', 'up -h worker-1', '--version', '--help', 'status', 'up --no-provision', 'halt', 'destroy'])
      assert.equal((await systemExec.run('ruby', [...vagrant, ...words.split(' ')], { env })).stderr, '', words);
    for (const words of ['up --debug', 'provision']) {
      const { stdout } = await systemExec.run('ruby', [...vagrant, ...words.split(' ')], { env });
      const sent = (JSON.parse(stdout) as Provisioned[]).filter(({ name }) => name === 'package').map(({ source }) => source ?? '');
      assert.deepEqual([sent.length, sent.every((source) => names.includes(source))], [3, true], sent.join());
    }
    assert.equal(readFileSync(join(project, 'npm.log'), 'utf8'), 'run --silent build\n');
  });

  test('knows later what the lab was made of, and leaves none of its machines behind', async () => {
    const machinesOf = (all: readonly Provisioned[]): string[] => [...new Set(all.map(({ machine }) => machine))];
    const made = ['control-plane-1', 'control-plane-2', 'control-plane-3', 'worker-1', 'worker-2', 'worker-5'];
    await read({ ...three, FAIRLEAD_WORKERS: '5' });
    for (const machine of made) {
      mkdirSync(join(dir, 'machines', machine, 'libvirt'), { recursive: true });
      writeFileSync(join(dir, 'machines', machine, 'libvirt/id'), 'x');
    }
    assert.deepEqual(machinesOf(await read({})), made);
    await assert.rejects(read({ FAIRLEAD_STORE: 'sqlite' }), /store is \\?"sqlite\\?", and the lab that is there has etcd: leave it out/);
    // Versions before wrote none of that, or not all.
    for (const text of ['', 'network: 192.168.56.0/24\n', 'no lines', 'control_planes: "1"\n']) {
      writeFileSync(join(dir, 'fairlead/lab'), text);
      assert.deepEqual(machinesOf(await read({})), made, text);
    }
    rmSync(join(dir, 'fairlead/lab'));
    assert.deepEqual(machinesOf(await read({})), made);
    await assert.rejects(read({ FAIRLEAD_CONTROL_PLANES: '1' }), /and the lab that is there has 3: leave it out/);
    rmSync(join(dir, 'machines'), { recursive: true });
    assert.deepEqual(machinesOf(await read({ FAIRLEAD_WORKERS: '1' })), ['control-plane', 'worker-1']);
  });

  test('has a second cluster that was begun beside the first destroyed with it, and never started', async () => {
    for (const machine of ['control-plane', 'control-plane-1']) {
      mkdirSync(join(dir, 'machines', machine, 'libvirt'), { recursive: true });
      writeFileSync(join(dir, 'machines', machine, 'libvirt/id'), 'x');
    }
    const all = await read({}, '', ['destroy']);
    assert.deepEqual(
      all.filter(({ name }) => name === 'autostart'),
      [{ machine: 'control-plane', name: 'autostart', args: [false], env: [], source: null }],
    );
    assert.deepEqual([...new Set(all.map(({ machine }) => machine))].toSorted().slice(0, 2), ['control-plane', 'control-plane-1']);
    rmSync(join(dir, 'machines'), { recursive: true });
  });

  test('has the first of three control planes begin, and the others enter', async () => {
    const all = await read(three);
    assert.deepEqual(argsOf(all, 'control-plane-1', 'etcd'), ['control-plane-1', a, 'begin', b, c]);
    assert.deepEqual(argsOf(all, 'control-plane-2', 'etcd'), ['control-plane-2', b, 'enter', a, c]);
    assert.equal(argsOf(all, 'control-plane-1', 'init').at(-1), '');
  });

  test('has the first enter, too, when there is a cluster, until the last control plane is destroyed', async () => {
    writeFileSync(begun, '');
    const machine = join(dir, 'machines/control-plane-2/libvirt');
    mkdirSync(machine, { recursive: true });
    writeFileSync(join(machine, 'id'), 'x');
    await read(three, 'destroy');
    const all = await read(three);
    assert.deepEqual(argsOf(all, 'control-plane-1', 'etcd'), ['control-plane-1', a, 'enter', b, c]);
    assert.match(argsOf(all, 'control-plane-1', 'init').at(-1) ?? '', /^sha256:[0-9a-f]{64}$/);
    rmSync(machine, { recursive: true });
    await read(three, 'destroy');
    assert.equal(argsOf(await read(three), 'control-plane-1', 'etcd')[2], 'begin');
  });
});
