import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownError } from '../../errors/known-error.ts';
import { serverCommand } from '../node/services.ts';
import { defaultLabOptions, type LabOptions, planLab } from '../plan.ts';
import { requireStoreProgram } from '../tools.ts';
import { storeOf, stores } from './stores.ts';

const lab = (change: Partial<LabOptions>): ReturnType<typeof planLab> => planLab({ ...defaultLabOptions, workers: 0, ...change });

describe('a lab with etcd', () => {
  const plan = lab({ controlPlanes: 3 });

  test('has a member on each control plane, which take each other and clients by certificate only', () => {
    const commands = plan.nodes.map((node) => storeOf(plan).services(plan, node).etcd ?? []);
    for (const [i, command] of commands.entries()) {
      const { name, address } = plan.nodes[i]!;
      for (const word of [
        `--name=${name}`,
        `--listen-client-urls=https://${address}:2379,https://127.0.0.1:2379`,
        `--listen-peer-urls=https://${address}:2380`,
        '--client-cert-auth=true',
        '--peer-client-cert-auth=true',
        '--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt',
        '--initial-cluster=control-plane=https://192.168.120.10:2380,control-plane-2=https://192.168.120.11:2380,control-plane-3=https://192.168.120.12:2380',
      ])
        assert.ok(command.includes(word), `${name}: ${word}`);
    }
  });

  test('tells every server of all members, and lets them elect within fifteen seconds', () => {
    const command = serverCommand(plan, plan.nodes[2]!).join(' ');
    const store =
      'etcd=https://192.168.120.10:2379,https://192.168.120.11:2379,https://192.168.120.12:2379?ca-file=/etc/kubernetes/pki/etcd/ca.crt' +
      '&cert-file=/etc/kubernetes/pki/apiserver-etcd-client.crt&key-file=/etc/kubernetes/pki/apiserver-etcd-client.key';
    assert.ok(command.includes(` --store ${store} `), command);
    assert.ok(command.includes(' --advertise-address 192.168.120.12 '), command);
    const seconds = (flag: string): number => Number(new RegExp(`--leader-elect-${flag} (\\d+)s`).exec(command)?.[1]);
    assert.ok(seconds('lease-duration') + 2 * seconds('retry-period') < 15, command);
    assert.ok(seconds('renew-deadline') < seconds('lease-duration'), command);
  });
});

describe('a lab with Redis', () => {
  const plan = lab({ controlPlanes: 3, store: 'redis' });
  const files = plan.nodes.map((node) => storeOf(plan).files(plan, node));

  test('begins with the first control plane as the primary, and the others as its replicas', () => {
    const primaries = files.map((file) => /^replicaof (.*)$/m.exec(file['redis/redis.conf'] ?? '')?.[1]);
    assert.deepEqual(primaries, [undefined, '192.168.120.10 6379', '192.168.120.10 6379']);
  });

  test('has sentinels, of which a majority must agree', () => {
    for (const file of files) assert.match(file['redis/sentinel.conf'] ?? '', /^sentinel monitor mymaster 192\.168\.120\.10 6379 2$/m);
    const five = lab({ controlPlanes: 5, store: 'redis' });
    assert.match(storeOf(five).files(five, five.controlPlane)['redis/sentinel.conf'] ?? '', / 6379 3$/m);
  });

  test('takes nobody without a certificate, and keeps what it acknowledges', () => {
    for (const text of files.flatMap((file) => Object.values(file))) {
      for (const line of ['port 0', 'tls-auth-clients yes', 'tls-replication yes', 'tls-ca-cert-file /etc/kubernetes/pki/redis/ca.crt'])
        assert.ok(text.split('\n').includes(line), line);
    }
    for (const file of files)
      for (const line of ['appendonly yes', 'appendfsync always', 'maxmemory-policy noeviction'])
        assert.ok(file['redis/redis.conf']?.split('\n').includes(line), line);
  });

  test('tells each server of the sentinels, its own first, and that another server must have each write', () => {
    const url = storeOf(plan).url(plan, plan.nodes[1]!) ?? '';
    assert.match(url, /^rediss\+sentinel:\/\/192\.168\.120\.11:26379,192\.168\.120\.10:26379,192\.168\.120\.12:26379\/mymaster\?/);
    assert.match(url, /&wait-replicas=1$/);
    const five = lab({ controlPlanes: 5, store: 'redis' });
    assert.match(storeOf(five).url(five, five.controlPlane) ?? '', /&wait-replicas=2$/);
    const one = lab({ store: 'redis' });
    assert.doesNotMatch(storeOf(one).url(one, one.controlPlane) ?? '', /wait-replicas/);
  });
});

test('a lab with a file runs nothing beside its server', () => {
  const plan = lab({});
  const { program, url, files, services } = storeOf(plan);
  assert.deepEqual(
    [program, url(plan, plan.controlPlane), files(plan, plan.controlPlane), services(plan, plan.controlPlane)],
    [undefined, undefined, {}, {}],
  );
});

test('a store whose program is missing names the package that brings it', async () => {
  for (const [name, hint] of [
    ['etcd', 'etcd-server'],
    ['redis', 'redis-server'],
  ] as const) {
    const program = { ...stores[name].program!, name: 'no-such-program' };
    await assert.rejects(
      requireStoreProgram(name, program),
      (err) => err instanceof KnownError && err.code === 'TOOL_MISSING' && err.hint?.endsWith(` ${hint}`) === true,
    );
  }
  await requireStoreProgram('sqlite', undefined, '/none');
});
