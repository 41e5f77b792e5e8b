import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownError } from '../../errors/known-error.ts';
import { defaultLabOptions, type LabOptions } from '../lab-options.ts';
import { serverCommand } from '../node/services.ts';
import { planLab } from '../plan.ts';
import { requireStoreProgram } from '../tools.ts';
import { storeOf, stores } from './stores.ts';

const lab = (change: Partial<LabOptions>): ReturnType<typeof planLab> => planLab({ ...defaultLabOptions, workers: 0, ...change });

describe('a lab with etcd', () => {
  const plan = lab({ controlPlanes: 3 });

  test('has a member on each control plane, which take each other and clients by certificate only', () => {
    const [first, second] = plan.nodes.map((node) => storeOf(plan).services(plan, node).etcd?.join(' '));
    assert.equal(
      second,
      'env ETCD_UNSUPPORTED_ARCH=arm64 etcd --name=control-plane-2 --data-dir=/var/lib/fairlead/server/etcd ' +
        '--listen-client-urls=https://192.168.120.11:2379,https://127.0.0.1:2379 --advertise-client-urls=https://192.168.120.11:2379 ' +
        '--listen-peer-urls=https://192.168.120.11:2380 --initial-advertise-peer-urls=https://192.168.120.11:2380 ' +
        '--initial-cluster=control-plane=https://192.168.120.10:2380,control-plane-2=https://192.168.120.11:2380,control-plane-3=https://192.168.120.12:2380 ' +
        '--initial-cluster-token=lab --cert-file=/etc/fairlead/etcd.crt --peer-cert-file=/etc/fairlead/etcd.crt ' +
        '--key-file=/etc/fairlead/etcd.key --peer-key-file=/etc/fairlead/etcd.key --trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt ' +
        '--peer-trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt --client-cert-auth=true --peer-client-cert-auth=true ' +
        '--pre-vote=true --listen-metrics-urls=http://127.0.0.1:2381 --logger=zap --log-level=warn',
    );
    assert.match(first ?? '', / --name=control-plane --data-dir=/);
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
  /** Certificates are the only way in. */
  const reached = (port: number): string =>
    `bind 192.168.120.11 127.0.0.1\nport 0\ntls-port ${port}\ntls-cert-file /etc/fairlead/redis.crt\ntls-key-file /etc/fairlead/redis.key\n` +
    'tls-ca-cert-file /etc/kubernetes/pki/redis/ca.crt\ntls-auth-clients yes\ntls-replication yes\nprotected-mode no\ndir /var/lib/fairlead/server/redis\n';

  test('begins with the first control plane as the primary, and the others as its replicas', () => {
    assert.equal(
      files[1]?.['redis/redis.conf'],
      `${reached(6379)}appendonly yes\nappendfsync always\nsave ""\nmaxmemory-policy noeviction\nrepl-diskless-sync-delay 0\n` +
        'repl-timeout 5\nrepl-ping-replica-period 1\nreplicaof 192.168.120.10 6379\n',
    );
    const primaries = files.map((file) => /^replicaof (.*)$/m.exec(file['redis/redis.conf'] ?? '')?.[1]);
    assert.deepEqual(primaries, [undefined, '192.168.120.10 6379', '192.168.120.10 6379']);
  });

  test('has sentinels, of which a majority must miss the primary', () => {
    assert.equal(
      files[1]?.['redis/sentinel.conf'],
      `${reached(26379)}sentinel monitor mymaster 192.168.120.10 6379 2\nsentinel down-after-milliseconds mymaster 3000\n` +
        'sentinel failover-timeout mymaster 3000\n',
    );
  });

  test('runs both by their files', () => {
    assert.deepEqual(storeOf(plan).services(plan, plan.controlPlane), {
      redis: ['redis-server', '/var/lib/fairlead/server/redis/redis.conf'],
      sentinel: [
        'sh',
        '-c',
        '(until redis-cli --tls --cacert /etc/kubernetes/pki/redis/ca.crt --cert /etc/fairlead/redis.crt --key /etc/fairlead/redis.key -p 26379 ' +
          'sentinel debug tilt-period 5000 info-period 1000 | grep -q OK; do sleep 1; done) & ' +
          'exec redis-server /var/lib/fairlead/server/redis/sentinel.conf --sentinel',
      ],
    });
  });

  test('tells each server of the sentinels, its own first, and that another server must have each write', () => {
    const url = storeOf(plan).url(plan, plan.nodes[1]!) ?? '';
    assert.match(url, /^rediss\+sentinel:\/\/192\.168\.120\.11:26379,192\.168\.120\.10:26379,192\.168\.120\.12:26379\/mymaster\?/);
    assert.match(
      url,
      /\?ca=\/etc\/kubernetes\/pki\/redis\/ca\.crt&cert=\/etc\/kubernetes\/pki\/apiserver-redis-client\.crt&key=\S+-client\.key&wait-replicas=1$/,
    );
    const five = lab({ controlPlanes: 5, store: 'redis' });
    assert.match(storeOf(five).url(five, five.controlPlane) ?? '', /&wait-replicas=2$/);
    const one = lab({ store: 'redis' });
    assert.match(storeOf(one).url(one, one.controlPlane) ?? '', /-client\.key$/);
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
