/** What the Vagrantfile plans: machines, addresses, what is refused. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemExec } from '../../src/linux/exec.ts';

const lab = join(import.meta.dirname, '../../vagrant');
const hasRuby = await systemExec.run('ruby', ['--version']).then(
  ({ code }) => code === 0,
  () => false,
);
const script = `
require 'json'
require File.join(ARGV[0], 'provision/plan')
begin
  plan = Plan.new(ARGV[2] || File.read(File.join(ARGV[0], 'settings.yaml')), JSON.parse(ARGV[1]))
  puts JSON.generate(%w[control_planes machines endpoint store_url pool netmask].to_h { |name| [name, plan.public_send(name)] })
rescue Plan::Wrong => e
  puts JSON.generate(wrong: e.message)
end`;

async function planFor(environment: Readonly<Record<string, string>>, ...settings: string[]): Promise<Readonly<Record<string, unknown>>> {
  const { stdout, stderr } = await systemExec.run('ruby', ['-e', script, lab, JSON.stringify(environment), ...settings]);
  assert.equal(stderr, '');
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('the lab of vagrant/', { skip: !hasRuby && 'ruby is not installed' }, () => {
  test('has one control plane with a file, and two workers', async () => {
    assert.deepEqual(await planFor({}), {
      control_planes: { 'control-plane': '192.168.56.10' },
      machines: { 'control-plane': '192.168.56.10', 'worker-1': '192.168.56.11', 'worker-2': '192.168.56.12' },
      endpoint: '192.168.56.10:6443',
      store_url: '',
      pool: '192.168.56.200-192.168.56.239',
      netmask: '255.255.255.0',
    });
  });

  test('has three control planes behind the address that one has else, over an etcd of three members', async () => {
    const plan = await planFor({
      FAIRLEAD_CONTROL_PLANES: '3',
      FAIRLEAD_STORE: 'etcd',
      FAIRLEAD_WORKERS: '1',
      FAIRLEAD_NETWORK: '10.1.0.0/16',
    });
    assert.deepEqual(plan.machines, {
      'control-plane-1': '10.1.0.7',
      'control-plane-2': '10.1.0.8',
      'control-plane-3': '10.1.0.9',
      'worker-1': '10.1.0.11',
    });
    assert.deepEqual([plan.endpoint, plan.netmask], ['10.1.0.10:6443', '255.255.0.0']);
    assert.equal(
      plan.store_url,
      'etcd=https://10.1.0.7:2379,https://10.1.0.8:2379,https://10.1.0.9:2379?ca-file=/etc/kubernetes/pki/etcd/ca.crt' +
        '&cert-file=/etc/kubernetes/pki/apiserver-etcd-client.crt&key-file=/etc/kubernetes/pki/apiserver-etcd-client.key',
    );
  });

  test('has one control plane with an etcd of one member', async () => {
    const { machines, store_url } = await planFor({ FAIRLEAD_STORE: 'etcd', FAIRLEAD_WORKERS: '0' });
    assert.deepEqual(machines, { 'control-plane': '192.168.56.10' });
    assert.match(String(store_url), /^etcd=https:\/\/192\.168\.56\.10:2379\?ca-file=/);
  });

  test('has one control plane with a Redis that no other machine reaches', async () => {
    const { machines, store_url } = await planFor({ FAIRLEAD_STORE: 'redis', FAIRLEAD_WORKERS: '0' });
    assert.deepEqual(machines, { 'control-plane': '192.168.56.10' });
    assert.equal(store_url, 'redis://127.0.0.1:6379/0?password-file=/etc/kubernetes/pki/redis-password');
  });

  for (const [environment, message] of [
    [
      { FAIRLEAD_CONTROL_PLANES: '3' },
      'control_planes is 3, and the file of store sqlite cannot be shared: set store to etcd (FAIRLEAD_STORE=etcd)',
    ],
    [
      { FAIRLEAD_CONTROL_PLANES: '3', FAIRLEAD_STORE: 'redis' },
      'control_planes is 3, and the lab has a Redis of one machine alone, without replicas and sentinels: set store to etcd (FAIRLEAD_STORE=etcd)',
    ],
    [{ FAIRLEAD_CONTROL_PLANES: '2' }, 'settings.yaml or FAIRLEAD_CONTROL_PLANES: control_planes is "2", but may be 1 or 3'],
    [{ FAIRLEAD_STORE: 'file' }, 'settings.yaml or FAIRLEAD_STORE: store is "file", but may be sqlite or etcd or redis'],
    [{ FAIRLEAD_VAGRANT_DRIVER: 'xen' }, 'settings.yaml or FAIRLEAD_VAGRANT_DRIVER: driver is "xen", but may be kvm or qemu'],
    [{ FAIRLEAD_WORKERS: 'two' }, 'settings.yaml or FAIRLEAD_WORKERS: workers is "two", no number'],
    [{ FAIRLEAD_WORKERS: '190' }, 'settings.yaml or FAIRLEAD_WORKERS: workers is "190", but may be 0 to 189'],
    [{ FAIRLEAD_MEMORY: '0' }, 'settings.yaml or FAIRLEAD_MEMORY: memory is "0", but may be 1 to 16777216'],
    [{ FAIRLEAD_CPUS: '0' }, 'settings.yaml or FAIRLEAD_CPUS: cpus is "0", but may be 1 to 1024'],
    [{ FAIRLEAD_NETWORK: 'abc' }, 'settings.yaml or FAIRLEAD_NETWORK: network is "abc", no range of IPv4'],
    [{ FAIRLEAD_NETWORK: 'fd00::/64' }, 'settings.yaml or FAIRLEAD_NETWORK: network is "fd00::/64", no range of IPv4'],
    [
      { FAIRLEAD_NETWORK: '10.0.0.0/28' },
      'settings.yaml or FAIRLEAD_NETWORK: network is "10.0.0.0/28", too small for machines and the pool of load balancers: it takes /24 or more',
    ],
  ] as const)
    test(`refuses ${JSON.stringify(environment)}`, async () => {
      assert.deepEqual(await planFor(environment), { wrong: message });
    });

  test('has as many workers as there are addresses before the pool', async () => {
    const { machines } = await planFor({ FAIRLEAD_WORKERS: '189' });
    assert.equal((machines as Readonly<Record<string, string>>)['worker-189'], '192.168.56.199');
  });

  test('refuses settings.yaml with a line too many, too few, or that is none', async () => {
    const settings = await readFile(join(lab, 'settings.yaml'), 'utf8');
    const wrong = async (text: string): Promise<string> => String((await planFor({}, text)).wrong);
    assert.match(
      await wrong(`${settings}wokers: 3\n`),
      /^settings\.yaml: there is no setting "wokers"; there are box, control_planes, .*workers$/,
    );
    assert.equal(await wrong(settings.replace(/^store:.*$/m, '')), 'settings.yaml: there is no line for store');
    assert.match(await wrong('workers: [\n'), /^settings\.yaml is no YAML: /);
    assert.match(await wrong('workers\n'), /^settings\.yaml has no lines/);
  });
});
