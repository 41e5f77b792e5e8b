import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createAuthority } from '../../x509/authority.ts';
import { certificateOfKey } from '../../x509/chain.ts';
import { type ClusterWish, planCluster } from '../config/cluster-plan.ts';
import { type Documents, readDocuments } from '../config/documents.ts';
import { serverFlags } from '../control-plane/control-plane.ts';
import { storeContext } from '../control-plane/testing/store-context.ts';
import type { StoreFact } from '../preflight/facts.ts';
import { envText } from '../service/service.ts';
import {
  askStore,
  clusterNameIn,
  type Earlier,
  isOwnAuthority,
  planAgain,
  readClusterName,
  refuseChanges,
  settledWish,
  withEarlier,
} from './earlier.ts';

const own = '192.168.56.10';
const here = { advertiseAddress: own, bindPort: 6443 };
const etcd = 'etcd=https://10.0.0.1:2379';
const fresh: Earlier = { server: undefined, store: undefined, address: undefined, endpoint: undefined, clusterName: undefined };

function after(store: string | undefined, endpoint = `${own}:6443`): Earlier {
  return { server: envText(serverFlags(planCluster({ store }, {}, [own]))), store, address: own, endpoint, clusterName: 'kubernetes' };
}

describe('a second run', () => {
  test('keeps store and endpoint that it does not name', () => {
    const wish = withEarlier({ podSubnet: '10.1.0.0/16' }, {}, after(etcd, 'cluster.example:6443'), here);
    assert.deepEqual(wish, { podSubnet: '10.1.0.0/16', store: etcd, controlPlaneEndpoint: 'cluster.example:6443' });
  });

  test('takes its own address for no endpoint that somebody chose', () => {
    assert.equal(withEarlier({}, {}, after(undefined), here).controlPlaneEndpoint, undefined);
    assert.equal(withEarlier({}, {}, after(undefined), { ...here, bindPort: 7443 }).controlPlaneEndpoint, `${own}:6443`);
  });

  test('has others when flags or the configuration say so', () => {
    const earlier = after(etcd, 'cluster.example:6443');
    const wished = withEarlier({ store: 'redis://a', controlPlaneEndpoint: 'b' }, {}, earlier, here);
    assert.deepEqual(wished, { store: 'redis://a', controlPlaneEndpoint: 'b' });
    const cluster = { controlPlaneEndpoint: 'c', etcd: { external: { endpoints: ['https://d'] } } };
    const wish = withEarlier({}, { cluster }, earlier, here);
    const { store, endpoint } = planCluster(wish, { cluster }, [own]);
    assert.deepEqual([store, endpoint], ['etcd=https://d', 'c:6443']);
  });

  test("keeps the size of nodes' parts that it does not name", () => {
    const extraArgs = { 'node-cidr-mask-size-ipv4': '26' };
    const cluster = { controllerManager: { extraArgs }, networking: { podSubnet: '10.244.0.0/25' } };
    const server = envText(serverFlags(planCluster({}, { cluster }, [own])));
    const { networking } = cluster;
    for (const documents of [{ cluster }, { cluster: { networking } }]) {
      const plan = planAgain({ networkBackend: 'host-gw' }, documents, [own], { ...fresh, server });
      assert.deepEqual(plan.nodeMasks, extraArgs);
      refuseChanges(plan, { ...fresh, server }, undefined);
    }
    const other = { networking, controllerManager: { extraArgs: { 'node-cidr-mask-size-ipv4': '27' } } };
    assert.throws(() => refuseChanges(planAgain({}, { cluster: other }, [own], { ...fresh, server }), { ...fresh, server }, undefined), {
      message: 'Cannot use 27 as controllerManager.extraArgs.node-cidr-mask-size-ipv4: the cluster of this control plane has 26',
    });
  });

  test("leaves a size that somebody has written into the server's file where it is", () => {
    const server = envText(serverFlags(planCluster({}, {}, [own])), 'FAIRLEAD_NODE_CIDR_MASK_SIZE_IPV4="26"\n');
    assert.deepEqual(planAgain({}, {}, [own], { ...fresh, server }).nodeMasks, {});
  });

  const custom: ClusterWish = {
    podSubnet: '10.1.0.0/16,fd01::/56',
    serviceSubnet: '10.2.0.0/20',
    dnsDomain: 'example.local',
    bindPort: 6444,
    nodeMasks: { 'node-cidr-mask-size-ipv4': '26' },
    clusterName: 'mine',
  };
  const madeCustom: Earlier = {
    server: envText(serverFlags(planCluster(custom, {}, [own]))),
    store: undefined,
    address: own,
    endpoint: `${own}:6444`,
    clusterName: 'mine',
  };

  test('that says nothing has ranges, zone, port and name of the cluster as they are', () => {
    assert.deepEqual(settledWish({}, {}, madeCustom), custom);
    const plan = planAgain({}, {}, [own], madeCustom);
    refuseChanges(plan, madeCustom, undefined);
    assert.deepEqual(serverFlags(plan), serverFlags(planCluster(custom, {}, [own])));
    assert.deepEqual([plan.clusterName, plan.hasEndpoint], ['mine', false]);
    assert.deepEqual(settledWish({ podSubnet: 'a' }, {}, fresh), {
      podSubnet: 'a',
      serviceSubnet: undefined,
      dnsDomain: undefined,
      bindPort: undefined,
      nodeMasks: {},
      clusterName: undefined,
    });
  });

  const clusterText = (fields: object): Documents =>
    readDocuments(JSON.stringify({ apiVersion: 'kubeadm.k8s.io/v1beta4', kind: 'ClusterConfiguration', ...fields }));
  for (const [what, wish, documents, address, message, hint] of [
    [
      'pods',
      { podSubnet: '10.3.0.0/16,fd01::/56' },
      {},
      own,
      /^Cannot use 10\.3\.0\.0\/16,fd01::\/56 as --pod-network-cidr \(networking\.podSubnet\): .* has 10\.1\.0\.0\/16,fd01::\/56$/,
    ],
    [
      'pods, of which it names one family',
      { podSubnet: '10.1.0.0/16' },
      {},
      own,
      /^Cannot use 10\.1\.0\.0\/16 as --pod-network-cidr .* has 10\.1\.0\.0\/16,fd01::\/56$/,
    ],
    ['pods, of which it names the other family', { podSubnet: 'fd01::/56' }, {}, own, /^Cannot use fd01::\/56 as --pod-network-cidr /],
    [
      'Services, with more families than pods',
      { serviceSubnet: '10.2.0.0/20,fd02::/112' },
      {},
      own,
      /as --service-cidr .* has 10\.2\.0\.0\/20$/,
    ],
    ['Services, which overlap with pods', { serviceSubnet: '10.1.0.0/20' }, {}, own, /as --service-cidr .* has 10\.2\.0\.0\/20$/],
    ['Services, which is no range', { serviceSubnet: 'x' }, {}, own, /^Cannot use x as --service-cidr .* has 10\.2\.0\.0\/20$/],
    ['Services', { serviceSubnet: '10.96.0.0/16' }, {}, own, /10\.96\.0\.0\/16 as --service-cidr .* has 10\.2\.0\.0\/20$/],
    ['Services in a file', {}, clusterText({ networking: { serviceSubnet: '10.96.0.0/12' } }), own, /10\.96\.0\.0\/12 as --service-cidr/],
    ['the zone', { dnsDomain: 'cluster.local' }, {}, own, /cluster\.local as --service-dns-domain .* has example\.local$/],
    ['the port', { bindPort: 6443 }, {}, own, /6443 as --apiserver-bind-port .* has 6444$/],
    ['the name', {}, clusterText({ clusterName: 'yours' }), own, /yours as clusterName: .* has mine$/],
    [
      'the address',
      {},
      {},
      '192.168.56.9',
      /192\.168\.56\.9 as --node-ip .* has 192\.168\.56\.10$/,
      /^Give the machine 192\.168\.56\.10 again/,
    ],
  ] as const)
    test(`is refused by name where it says something else of ${what}`, () =>
      assert.throws(() => refuseChanges(planAgain(wish, documents, [address], madeCustom), madeCustom, undefined), {
        code: 'BAD_CONFIG',
        message,
        hint: hint ?? /^Leave it out: the cluster keeps what it has\. .*fairlead reset$/,
      }));

  test('takes its ranges in any spelling', () => {
    const plan = planAgain({ podSubnet: '10.1.0.0/16, FD01:0::/56' }, {}, [own], madeCustom);
    assert.equal(plan.podSubnet, custom.podSubnet);
  });

  test('is refused where a power cut has left no word of the first', () => {
    const emptied = { ...madeCustom, server: '' };
    assert.throws(() => refuseChanges(planAgain({}, {}, [own], emptied), emptied, undefined), {
      code: 'BAD_CONFIG',
      message: /server\.env is empty$/,
      hint: /all the flags of the first time: rm \/etc\/fairlead\/server\.env$/,
    });
    const mine = { ...fresh, server: 'FAIRLEAD_V=1\n' };
    refuseChanges(planAgain({}, {}, [own], mine), mine, undefined);
  });

  test('reads the name of the cluster in a kubeconfig', () => {
    assert.equal(clusterNameIn('{"clusters": [{"name": "mine", "cluster": {}}]}'), 'mine');
    assert.equal(clusterNameIn(''), undefined);
  });

  test('reads the name of the cluster where admin.conf is lost', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'earlier-'));
    const text = '{"clusters": [{"name": "mine", "cluster": {}}]}';
    try {
      assert.equal(await readClusterName(dir), undefined);
      await writeFile(join(dir, 'admin.conf'), '');
      for (const name of ['super-admin.conf', 'controller-manager.conf', 'scheduler.conf']) {
        await writeFile(join(dir, name), text);
        assert.equal(await readClusterName(dir), 'mine', name);
        await rm(join(dir, name));
      }
      await writeFile(join(dir, 'kubelet.conf'), text);
      assert.equal(await readClusterName(dir), undefined);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  const refused = (store: string | undefined, before: Earlier, answer?: StoreFact, podSubnet?: string): unknown => {
    try {
      refuseChanges(planCluster({ store, podSubnet }, {}, [own]), before, answer);
      return undefined;
    } catch (err) {
      return `${(err as Error).message} | ${(err as { hint?: string }).hint}`;
    }
  };

  test('changes nothing that certificates and objects depend on', () => {
    assert.equal(refused(undefined, after(undefined)), undefined);
    assert.equal(refused(etcd, after(etcd)), undefined);
    assert.match(String(refused(undefined, after(undefined), undefined, '10.1.0.0/16')), /as --pod-network-cidr .* \|.*fairlead reset/);
    assert.equal(refused(undefined, fresh, undefined, '10.1.0.0/16'), undefined);
  });

  test('takes the same file again, also with numbers for texts', () => {
    for (const extraArgs of ['{node-cidr-mask-size-ipv4: 26}', '[{name: node-cidr-mask-size-ipv4, value: 26}]']) {
      const read = readDocuments(
        `apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\ncontrollerManager: {extraArgs: ${extraArgs}}\n`,
      );
      const plan = planCluster({}, read, [own]);
      refuseChanges(plan, { ...fresh, server: envText(serverFlags(plan)) }, undefined);
    }
  });

  test('takes another store when the objects are there, and says how they come there', () => {
    const said = String(refused(etcd, after(undefined), { isEmpty: true }));
    assert.match(said, /objects are in the one that it has so far \| systemctl stop fairlead-server; fairlead store copy '/);
    assert.ok(said.includes(`fairlead store copy 'sqlite:///var/lib/fairlead/server/state.db' '${etcd}'`), said);
    assert.match(String(refused(etcd, after('redis://a'))), /store copy 'redis:\/\/a' /);
    assert.equal(refused(etcd, after(undefined), { isEmpty: false }), undefined);
  });
});

test('the authority of kubelet.conf is that of a control plane only where more of it is here than its certificate', async () => {
  const [own, other] = (await Promise.all([createAuthority('kubernetes', 0), createAuthority('kubernetes', 0)])).map(
    ({ certPem }) => certPem,
  );
  assert.ok(own !== undefined && other !== undefined);
  for (const [kubelet, ca, mark, wanted] of [
    [own, own, 'a key', true],
    [`${other}${own}`, own, 'a key', true],
    [own, `${other}${own}`, 'a key', true],
    [own, own, undefined, false],
    [other, own, 'a key', false],
    [own, undefined, 'a key', false],
    ['', own, 'a key', false],
  ] as const)
    assert.equal(isOwnAuthority(kubelet, ca, mark), wanted);
});

test('the authority of a node is known by its key where a power cut has left its certificate empty', async () => {
  const [own, other] = await Promise.all([createAuthority('kubernetes', 0), createAuthority('kubernetes', 0)]);
  assert.equal(certificateOfKey(`${other.certPem}${own.certPem}`, own.keyPem)?.trim(), own.certPem.trim());
  assert.equal(certificateOfKey(other.certPem, own.keyPem), undefined);
});

test('a store is asked unless it is that of the server by itself, or in use already', async () => {
  const { context, asked } = storeContext(() => ({ isEmpty: true }));
  assert.equal(await askStore(context, { store: undefined }, fresh, false), undefined);
  assert.equal(await askStore(context, { store: etcd }, after(etcd), true), undefined);
  assert.deepEqual(asked, []);
  for (const [earlier, running] of [
    [fresh, false],
    [after(etcd), false],
    [after('redis://a'), true],
  ] as const)
    assert.deepEqual(await askStore(context, { store: etcd }, earlier, running), { isEmpty: true });
  assert.deepEqual(asked, [etcd, etcd, etcd]);
});
