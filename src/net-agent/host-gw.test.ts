import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { cannotMakeNamespaces, Namespaces } from '../linux/testing/namespaces.ts';
import { NetCluster } from './testing/cluster.ts';

const addresses = { a: '192.168.120.11', b: '192.168.120.12' };

describe('two nodes with host-gw between them', { skip: cannotMakeNamespaces }, () => {
  let net: Namespaces;
  let dir: string;
  let cluster: NetCluster;

  before(async () => {
    net = new Namespaces();
    dir = await mkdtemp(join(tmpdir(), 'fl-host-gw-'));
    cluster = new NetCluster(Object.keys(addresses), 'host-gw');
    await net.underlay('underlay', addresses);
    for (const [name, address] of Object.entries(addresses)) cluster.start(net, name, address, join(dir, name));
    await eventually('both agents are ready', () => cluster.ready.size === 2);
  });

  after(async () => {
    await net?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  test('carries packets between the nodes by plain routes, unwrapped', async () => {
    await eventually('a reaches b', () => net.pings('a', '10.244.2.1'));
    await eventually('b reaches a', () => net.pings('b', '10.244.1.1'));
    assert.match(await net.ip('a', 'route'), /^10\.244\.2\.0\/24 via 192\.168\.120\.12 dev eth0 proto 70/m);
    assert.doesNotMatch(await net.ip('a', 'link'), /flannel/);
  });

  test("tells what flannel's host-gw tells, and leaves pods the MTU of the underlay", async () => {
    const { annotations } = cluster.nodes.get('a')?.metadata ?? {};
    assert.equal(annotations?.['flannel.alpha.coreos.com/backend-type'], 'host-gw');
    assert.equal(annotations?.['flannel.alpha.coreos.com/backend-data'], 'null');
    assert.match(await readFile(join(dir, 'a', 'subnet.env'), 'utf8'), /FLANNEL_MTU=1500\n/);
    assert.match(await net.ip('a', 'link show cni0'), /mtu 1500/);
  });

  test('puts a route back that somebody deleted', async () => {
    await net.ip('a', 'route del 10.244.2.0/24');
    await eventually('a reaches b again', () => net.pings('a', '10.244.2.1'));
  });

  test('says of a node that is not on the same link that it is left out, and has no route to it', async () => {
    cluster.claim('far', '10.244.9.0/24', '192.168.121.9', null);
    cluster.claim('near', '10.244.8.0/24', '192.168.120.98', null);
    cluster.tell();
    await eventually('the near one is taken', async () => (await net.ip('a', 'route')).includes('10.244.8.0/24 via 192.168.120.98'));
    assert.doesNotMatch(await net.ip('a', 'route'), /10\.244\.9\.0/);
    const said = 'Left out node "far": its public-ip 192.168.121.9 is not on link "eth0" (192.168.120.0/24), as host-gw needs';
    await eventually('it is said', () => cluster.warnings.includes(said));
  });

  test('forgets a node that leaves', async () => {
    cluster.remove('b');
    await eventually('its route is gone', async () => !(await net.ip('a', 'route')).includes('10.244.2.0/24'));
  });
});
