/** provision/init.sh and provision/join.sh: which commands they run, and what lies there for them. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { Boxes } from './box.ts';

const machine = 'control-plane-1';
const pki = 'etc/kubernetes/pki';
const etcd = 'etcd=https://192.168.56.7:2379';
const secrets = { TOKEN: 't.1', CA_CERT: 'cert', CA_KEY: 'key', ETCD_CA: 'a', ETCD_CLIENT_CERT: 'b', ETCD_CLIENT_KEY: 'c' };

describe('the cluster of the lab of vagrant/', { skip: cannotMakeNamespaces }, () => {
  let boxes: Boxes;
  before(async () => {
    boxes = await Boxes.open({});
  });
  beforeEach(() => boxes.destroy(machine));
  after(() => boxes[Symbol.asyncDispose]());

  /** `fairlead` is played: its command lines, one each. */
  async function commands(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const { code, stderr } = await boxes.provision(machine, script, args, { ...secrets, ...env });
    assert.equal(code, 0, stderr);
    return boxes.read(machine, 'fairlead.log').trim().split('\n');
  }
  const init = (store: string, endpoint = '', hash = ''): readonly string[] => [
    ...['192.168.56.7', '192.168.56.200-192.168.56.239', 'ipvs', 'lc', 'vxlan'],
    ...[store, endpoint, hash],
  ];
  const own = '--token-ttl 0 --proxy-mode ipvs --ipvs-scheduler lc --network-backend vxlan --address-pools 192.168.56.200-192.168.56.239';
  const first = `init --node-ip 192.168.56.7 --token t.1 ${own}`;

  test('is made on one machine, by an authority that is there before', async () => {
    assert.deepEqual(await commands('init.sh', init('')), [`${first} --timeout 30m`]);
    assert.deepEqual([boxes.read(machine, `${pki}/ca.crt`), boxes.read(machine, `${pki}/ca.key`)], ['cert', 'key']);
    assert.equal(statSync(boxes.path(machine, pki, 'ca.key')).mode & 0o777, 0o600);
  });

  test('has each key flushed before it has its name, and its folder after that', async () => {
    await commands('init.sh', init(etcd));
    const files = ['ca.crt', 'ca.key', 'etcd/ca.crt', 'apiserver-etcd-client.crt', 'apiserver-etcd-client.key'].map(
      (name) => `/${pki}/${name}`,
    );
    assert.deepEqual(
      boxes.read(machine, 'flushed.log').trim().split('\n'),
      files.flatMap((file) => [`sync ${file}.new`, `mv ${file}.new ${file}`, `sync ${dirname(file)}`]),
    );
  });

  test('has a key again that was left empty', async () => {
    await boxes.run(machine, ['sh', '-c', `mkdir -p /${pki}; : >/${pki}/ca.key`]);
    await commands('init.sh', init(''));
    assert.deepEqual([boxes.read(machine, `${pki}/ca.crt`), boxes.read(machine, `${pki}/ca.key`)], ['cert', 'key']);
  });

  test('is told of an empty scheduler too, which takes back an earlier one', async () => {
    const args = ['192.168.56.7', '192.168.56.200', 'ipvs', '', 'vxlan', '', '', ''];
    assert.match((await commands('init.sh', args)).join(), /--proxy-mode ipvs --ipvs-scheduler {2}--network-backend vxlan/);
  });

  test('has the password of its Redis in a file that root alone reads', async () => {
    const store = `redis://127.0.0.1:6379/0?password-file=/${pki}/redis-password`;
    assert.deepEqual(await commands('init.sh', init(store), { REDIS_PASSWORD: 'secret' }), [`${first} --store ${store} --timeout 30m`]);
    assert.equal(boxes.read(machine, `${pki}/redis-password`), 'secret');
    assert.equal(statSync(boxes.path(machine, pki, 'redis-password')).mode & 0o777, 0o600);
  });

  const many = `--store ${etcd} --control-plane-endpoint 192.168.56.10:6443 --upload-certs --certificate-key k --timeout 30m`;

  test('has keys for further control planes', async () => {
    const key = { CERTIFICATE_KEY: 'k' };
    assert.deepEqual(await commands('init.sh', init(etcd, '192.168.56.10:6443'), key), [`${first} ${many}`]);
    assert.equal(boxes.read(machine, `${pki}/apiserver-etcd-client.key`), 'c');
  });

  test('is joined by the first control plane when that is made anew, until its server has flags', async () => {
    const key = { CERTIFICATE_KEY: 'k' };
    const join =
      'join 192.168.56.10:6443 --token t.1 --discovery-token-ca-cert-hash sha256:h --node-ip 192.168.56.7 --timeout 30m --control-plane --certificate-key k';
    const args = init(etcd, '192.168.56.10:6443', 'sha256:h');
    assert.deepEqual(await commands('init.sh', args, key), [join, `${first} ${many}`]);
    await boxes.run(machine, ['sh', '-c', 'mkdir -p /etc/fairlead; touch /etc/fairlead/server.env']);
    assert.deepEqual((await commands('init.sh', args, key)).slice(2), [`${first} ${many}`]);
  });

  test('is joined by workers, and by control planes, which lay out the keys again', async () => {
    const args = ['192.168.56.10:6443', '192.168.56.8', 'sha256:h'];
    const join = 'join 192.168.56.10:6443 --token t.1 --discovery-token-ca-cert-hash sha256:h --node-ip 192.168.56.8 --timeout 30m';
    assert.deepEqual(await commands('join.sh', args), [join]);
    assert.deepEqual((await commands('join.sh', args, { CERTIFICATE_KEY: 'k' })).slice(1), [
      `${join} --control-plane --certificate-key k`,
      'init phase upload-certs --certificate-key k',
    ]);
  });
});
