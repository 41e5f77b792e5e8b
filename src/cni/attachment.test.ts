import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Attachment, aliasOf, attachmentKey, fromAlias, hostLinkOf, macOf } from './attachment.ts';

const a: Attachment = {
  containerId: 'a/b',
  ifName: 'eth0',
  network: 'fairlead',
  netns: '/run/netns/x',
  ip: '10.244.1.5',
  pod: 'default/web',
  hostPorts: [{ hostPort: 80, containerPort: 8080, protocol: 'tcp', hostIp: '' }],
};

test("the node's end is named by container and link, in the 15 characters that a link name has", () => {
  assert.equal(attachmentKey(a), 'a/b/eth0');
  assert.match(hostLinkOf(a), /^veth[0-9a-f]{11}$/);
  assert.notEqual(hostLinkOf(a), hostLinkOf({ ...a, ifName: 'eth1' }));
  assert.equal(hostLinkOf({ containerId: 'c', ifName: 'eth0' }), hostLinkOf({ containerId: 'c', ifName: 'eth0' }));
});

test('the MACs of both ends follow from the address, and differ', () => {
  assert.deepEqual([macOf(a.ip, 'pod'), macOf(a.ip, 'host')], ['0a:58:0a:f4:01:05', '0e:58:0a:f4:01:05']);
});

describe('the alias', () => {
  test('says who has the link, and is read back without what it has no room for', () => {
    assert.equal(aliasOf(a), 'fairlead 10.244.1.5 a/b/eth0 fairlead default/web');
    assert.deepEqual(fromAlias(aliasOf(a)), { ...a, netns: '', hostPorts: [] });
  });

  test('has the 255 characters that the kernel keeps, and is still read', () => {
    const long = { ...a, pod: `default/${'x'.repeat(300)}` };
    assert.equal(aliasOf(long).length, 255);
    assert.equal(fromAlias(aliasOf(long))?.ip, a.ip);
  });

  test('may be without a pod', () => assert.equal(fromAlias('fairlead 10.244.1.5 c/eth0 n')?.pod, ''));

  for (const alias of [
    '',
    'uplink',
    'fairlead',
    'fairlead ',
    'fairlead 10.244.1.5',
    'fairlead 10.244.1.5 c/eth0',
    'fairlead 10.244.1.5 ceth0 n',
    'fairlead 10.244.1.5 /eth0 n',
    'x fairlead 10.244.1.5 c/eth0 n',
  ])
    test(`"${alias}" is nobody's`, () => assert.equal(fromAlias(alias), undefined));
});
