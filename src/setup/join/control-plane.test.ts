import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../../x509/authority.ts';
import { planFor, refuseStore } from './control-plane.ts';

const own = ['192.168.56.8'];
const wish = { certificateKey: undefined, store: undefined, bindPort: undefined };
const cluster = {
  controlPlaneEndpoint: 'cluster.example:7443',
  networking: { podSubnet: '10.1.0.0/16', serviceSubnet: '10.2.0.0/16', dnsDomain: 'example.local' },
  apiServer: { certSANs: ['a.example'] },
};

test('planFor() plans this machine in the cluster as it says of itself', () => {
  const plan = planFor({ cluster, store: undefined, kind: 'etcd' }, { ...wish, bindPort: 6444 }, own);
  assert.deepEqual(
    [plan.advertiseAddress, plan.bindPort, plan.endpoint, plan.podSubnet, plan.serviceSubnet, plan.dnsDomain, plan.certSans],
    ['192.168.56.8', 6444, 'cluster.example:7443', '10.1.0.0/16', '10.2.0.0/16', 'example.local', ['a.example']],
  );
  assert.equal(planFor({ cluster, store: undefined, kind: 'redis' }, wish, own).bindPort, 6443);
});

test('planFor() takes how large the parts of nodes are, and passes over what the cluster says to other programs', () => {
  const mask = { name: 'node-cidr-mask-size-ipv4', value: '26' };
  const nodeMasks = { 'node-cidr-mask-size-ipv4': '26' };
  for (const extraArgs of [[{ name: 'bind-address', value: '0.0.0.0' }, mask], { 'bind-address': '0.0.0.0', ...nodeMasks }])
    assert.deepEqual(
      planFor({ cluster: { ...cluster, controllerManager: { extraArgs } }, store: undefined, kind: 'etcd' }, wish, own).nodeMasks,
      nodeMasks,
    );
  assert.deepEqual(planFor({ cluster, store: undefined, kind: 'etcd' }, wish, own).nodeMasks, {});
});

test('planFor() refuses a cluster whose store is on one machine, and says how it comes to another', () => {
  for (const kind of ['sqlite', 'memory'])
    assert.throws(() => planFor({ cluster, store: undefined, kind }, wish, own), {
      code: 'CHECK_FAILED',
      message: /store is on one machine/,
      hint: /systemctl stop fairlead-server; fairlead store copy sqlite:\/\/\S+state\.db STORE; fairlead init --store STORE --control-plane-endpoint/,
    });
  planFor({ cluster, store: undefined, kind: 'sqlite' }, { ...wish, store: 'etcd=https://a' }, own);
});

test('planFor() refuses a cluster without an endpoint that stays', () => {
  const { controlPlaneEndpoint: _, ...without } = cluster;
  assert.throws(() => planFor({ cluster: without, store: undefined, kind: 'etcd' }, wish, own), {
    code: 'CHECK_FAILED',
    message: /controlPlaneEndpoint/,
    hint: /fairlead init --control-plane-endpoint HOST:PORT --upload-certs/,
  });
});

test('refuseStore() takes the store of this cluster alone', async () => {
  const [own, other] = (await Promise.all([createAuthority('kubernetes', 0), createAuthority('kubernetes', 0)])).map(
    ({ certPem }) => certPem,
  );
  for (const authority of [own, undefined]) refuseStore({ isEmpty: false, authority }, own);
  refuseStore({ isEmpty: false, authority: own }, `${other}${own}`);
  const refused = (message: RegExp): object => ({ code: 'CHECK_FAILED', message, hint: /server\.env/ });
  assert.throws(() => refuseStore({ isEmpty: false, authority: other }, own), refused(/holds another cluster/));
  for (const answer of [{ isEmpty: true }, undefined]) assert.throws(() => refuseStore(answer, own), refused(/is empty/));
  assert.throws(() => refuseStore({ refusal: { cause: 'why', cure: 'how' } }, own), { code: 'CHECK_FAILED', message: 'why', hint: 'how' });
});
