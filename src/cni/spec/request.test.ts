import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniError } from './cni-error.ts';
import { parseRequest, versionOf } from './request.ts';
import { appendResult, type CniResult, formatResult, parseResult } from './result.ts';

const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const config = { cniVersion: '1.0.0', name: 'net' };

describe('parseRequest()', () => {
  test('reads whom the call is for', () => {
    const request = parseRequest(
      { ...env, CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web' },
      JSON.stringify(config),
    );
    assert.deepEqual(request.pod, { namespace: 'default', name: 'web', uid: '' });
  });

  test('takes a call that names no pod, as a runtime that is not Kubernetes makes it', () => {
    assert.deepEqual(parseRequest(env, JSON.stringify(config)).pod, { namespace: '', name: '', uid: '' });
  });

  const refused: readonly [what: string, env: Record<string, string>, stdin: string, code: number][] = [
    ['an unknown command', { CNI_COMMAND: 'FOO' }, JSON.stringify(config), 4],
    ['a container ID with a slash', { CNI_CONTAINERID: '../c' }, JSON.stringify(config), 4],
    ['no container ID', { CNI_CONTAINERID: '' }, JSON.stringify(config), 4],
    ['a link name of 16 characters', { CNI_IFNAME: 'eth0123456789abc' }, JSON.stringify(config), 4],
    ['a link name that is a path', { CNI_IFNAME: '..' }, JSON.stringify(config), 4],
    ['an ADD without a namespace', { CNI_NETNS: '' }, JSON.stringify(config), 4],
    ['what is not JSON', {}, '{', 6],
    ['a list', {}, '[]', 6],
    ['a version from the future', {}, JSON.stringify({ ...config, cniVersion: '2.0.0' }), 1],
    ['a network name that is a path', {}, JSON.stringify({ ...config, name: '../x' }), 7],
    ['no network name', {}, JSON.stringify({ cniVersion: '1.0.0' }), 7],
    [
      'a port that is none',
      {},
      JSON.stringify({ ...config, runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 99999 }] } }),
      7,
    ],
    [
      'an unknown protocol',
      {},
      JSON.stringify({ ...config, runtimeConfig: { portMappings: [{ hostPort: 1, containerPort: 1, protocol: 'x' }] } }),
      7,
    ],
  ];
  for (const [what, change, stdin, code] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(
        () => parseRequest({ ...env, ...change }, stdin),
        (err) => err instanceof CniError && err.code === code,
      );
    });
  }

  test('speaks the versions of the spec since 0.3.0', () => {
    for (const cniVersion of ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])
      assert.equal(parseRequest(env, JSON.stringify({ ...config, cniVersion })).config.cniVersion, cniVersion);
    for (const cniVersion of ['0.1.0', '0.2.0', '1.2.0', undefined])
      assert.throws(() => parseRequest(env, JSON.stringify({ ...config, cniVersion })), /Cannot use cniVersion/);
  });

  test('wants a namespace for ADD and CHECK, none for DEL, and no container for STATUS and GC', () => {
    const json = JSON.stringify(config);
    const without = { CNI_NETNS: '' };
    assert.throws(() => parseRequest({ ...env, CNI_COMMAND: 'CHECK', ...without }, json), /CNI_NETNS is not set/);
    assert.equal(parseRequest({ ...env, CNI_COMMAND: 'DEL', ...without }, json).netns, '');
    assert.throws(() => parseRequest({ ...env, CNI_COMMAND: 'DEL', CNI_CONTAINERID: '' }, json), /CNI_CONTAINERID/);
    for (const CNI_COMMAND of ['STATUS', 'GC']) assert.equal(parseRequest({ CNI_COMMAND }, json).command, CNI_COMMAND);
    assert.throws(() => parseRequest({}, json), /Cannot run CNI_COMMAND ""/);
  });

  test('takes link names of 1 to 15 characters', () => {
    for (const CNI_IFNAME of ['e', 'eth0123456789ab'])
      assert.equal(parseRequest({ ...env, CNI_IFNAME }, JSON.stringify(config)).ifName, CNI_IFNAME);
    for (const CNI_IFNAME of ['', '.', 'a b', 'a:1'])
      assert.throws(() => parseRequest({ ...env, CNI_IFNAME }, JSON.stringify(config)), CniError);
  });

  test('takes container and network names that start with any letter or digit', () => {
    for (const name of ['a', 'Z', '0', '9', 'a_.-9']) {
      const request = parseRequest({ ...env, CNI_CONTAINERID: name }, JSON.stringify({ ...config, name }));
      assert.deepEqual([request.containerId, request.config.name], [name, name]);
    }
  });

  const ports: readonly [hostPort: unknown, containerPort: unknown, good: boolean][] = [
    [1, 1, true],
    [65_535, 65_535, true],
    [65_536, 1, false],
    [-1, 1, false],
    [1, 0, false],
    [1, undefined, false],
    [1.5, 1, false],
  ];
  for (const [hostPort, containerPort, good] of ports)
    test(`${good ? 'takes' : 'refuses'} host port ${hostPort} for port ${containerPort}`, () => {
      const text = JSON.stringify({ ...config, runtimeConfig: { portMappings: [{ hostPort, containerPort }] } });
      if (good) assert.equal(parseRequest(env, text).config.hostPorts[0]?.hostPort, hostPort);
      else assert.throws(() => parseRequest(env, text), /not a pair of ports/);
    });

  test('reads the list of valid attachments, of which null is an empty one', () => {
    const list = (value: unknown): unknown =>
      parseRequest({ CNI_COMMAND: 'GC' }, JSON.stringify({ ...config, 'cni.dev/valid-attachments': value })).config.validAttachments;
    assert.deepEqual(list([{ containerID: 'a', ifname: 'eth0' }, 'x']), [{ containerId: 'a', ifName: 'eth0' }]);
    assert.deepEqual([list(null), list([]), list(undefined), list('x')], [[], [], undefined, undefined]);
  });

  test('leaves out container ports that are not mapped', () => {
    const runtimeConfig = {
      portMappings: [
        { hostPort: 0, containerPort: 80 },
        { hostPort: 53, containerPort: 53, protocol: 'UDP', hostIP: '0.0.0.0' },
      ],
    };
    const { hostPorts } = parseRequest(env, JSON.stringify({ ...config, runtimeConfig })).config;
    assert.deepEqual(hostPorts, [{ hostPort: 53, containerPort: 53, protocol: 'udp', hostIp: '' }]);
  });

  test('reads port mappings as containerd spells them', () => {
    const runtimeConfig = { portMappings: [{ HostPort: 9090, ContainerPort: 8080, Protocol: 'tcp', HostIP: '127.0.0.1' }] };
    const { hostPorts } = parseRequest(env, JSON.stringify({ ...config, runtimeConfig })).config;
    assert.deepEqual(hostPorts, [{ hostPort: 9090, containerPort: 8080, protocol: 'tcp', hostIp: '127.0.0.1' }]);
  });

  test('names the version of a broken configuration', () => {
    assert.equal(versionOf('{"cniVersion":"0.4.0"}'), '0.4.0');
    for (const text of ['{', 'null', '3', '{}', '{"cniVersion":1}']) assert.equal(versionOf(text), '1.0.0', text);
  });
});

describe('a result', () => {
  const result: CniResult = {
    interfaces: [{ name: 'eth0', mac: '0a:58:0a:f4:01:02', mtu: 1450, sandbox: '/x' }],
    ips: [{ address: '10.244.1.2/24', gateway: '10.244.1.1', interface: 0 }],
    routes: [{ dst: '0.0.0.0/0' }],
    dns: {},
  };

  test('says the family of an address up to 0.4.0, and the MTU from 1.1.0 on', () => {
    assert.match(formatResult(result, '0.4.0'), /"version":"4"/);
    assert.doesNotMatch(formatResult(result, '1.0.0'), /"version"|"mtu"/);
    assert.match(formatResult(result, '1.1.0'), /"mtu":1450/);
  });

  test('loses nothing of what an earlier plugin made, in the version that knows it', () => {
    const earlier = {
      cniVersion: '1.1.0',
      interfaces: [{ name: 'net1', mac: '02:00:00:00:00:09', sandbox: '/x', mtu: 9000, socketPath: '/run/vhost', pciID: '0000:00:1f.6' }],
      ips: [{ address: 'fd00::2/64', gateway: 'fd00::1', interface: 0 }],
      routes: [{ dst: '10.0.0.0/8', gw: '10.1.0.1', mtu: 1400, advmss: 1360, priority: 50, table: 100, scope: 253 }],
      dns: { nameservers: ['10.96.0.10'], domain: 'x', search: ['y'], options: ['ndots:5'] },
    };
    assert.deepEqual(JSON.parse(formatResult(parseResult(earlier), '1.1.0')), earlier);
    assert.deepEqual(JSON.parse(formatResult(parseResult(earlier), '1.0.0')), {
      ...earlier,
      cniVersion: '1.0.0',
      interfaces: [{ name: 'net1', mac: '02:00:00:00:00:09', sandbox: '/x' }],
      routes: [{ dst: '10.0.0.0/8', gw: '10.1.0.1' }],
    });
  });

  test('leaves out of an earlier one what has the wrong shape', () => {
    assert.deepEqual(
      parseResult({ interfaces: [{ name: 'a', mac: 1, mtu: '9', own: true }, null, 'x'], ips: {}, routes: [{}], dns: 'x' }),
      {
        interfaces: [{ name: 'a' }],
        ips: [],
        routes: [{ dst: '' }],
        dns: {},
      },
    );
  });

  test('keeps what earlier plugins made, and moves its own indexes', () => {
    const merged = appendResult(parseResult(JSON.parse(formatResult(result, '0.4.0')) as Record<string, unknown>), result);
    assert.equal(merged.ips[1]?.interface, 1);
    assert.equal(merged.interfaces.length, 2);
    assert.deepEqual(merged.routes, [...result.routes, ...result.routes]);
  });
});
