import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Node } from '../../api/schema/types.ts';
import { agentFlags, nodeProblem } from './agent.ts';

const runtime = {
  answers: true,
  criDisabled: false,
  cgroupDriver: undefined,
  cniBinDir: undefined,
  cniConfDir: undefined,
  otherNetworks: [],
} as const;
const wish = { nodeName: 'one', addresses: ['192.0.2.1'], runtimeEndpoint: 'unix:///x.sock', runtime, taints: undefined };

test('agentFlags() say of the node what the cluster cannot know, and nothing that it can', () => {
  assert.deepEqual(agentFlags(wish, false), {
    'node-name': 'one',
    'node-ip': '192.0.2.1',
    kubeconfig: '/etc/kubernetes/kubelet.conf',
    'cert-dir': '/var/lib/kubelet/pki',
    'rotate-server-certificates': 'true',
    'cluster-settings': 'true',
    'runtime-endpoint': 'unix:///x.sock',
  });
});

test('agentFlags() keep that somebody wanted no taint', () => {
  assert.equal(agentFlags({ ...wish, taints: [] }, false)['register-with-taints'], '');
});

test('agentFlags() name an address of each family', () => {
  assert.equal(agentFlags({ ...wish, addresses: ['192.0.2.1', 'fd00::1'] }, false)['node-ip'], '192.0.2.1,fd00::1');
});

test('agentFlags() follow the runtime to its plugins, and resolved to its servers', () => {
  const taints = [
    { key: 'a', effect: 'NoSchedule' },
    { key: 'b', value: 'c', effect: 'NoExecute' },
  ];
  const flags = agentFlags({ ...wish, taints, runtime: { ...runtime, cniBinDir: '/usr/lib/cni', cniConfDir: '/etc/cni' } }, true);
  assert.deepEqual(
    [flags['cni-bin-dir'], flags['cni-conf-dir'], flags['resolv-conf'], flags['register-with-taints']],
    ['/usr/lib/cni', '/etc/cni', '/run/systemd/resolve/resolv.conf', 'a=:NoSchedule,b=c:NoExecute'],
  );
});

describe('nodeProblem() says of a Node that', () => {
  const since = Date.UTC(2030, 0, 1, 12, 0, 0, 900);
  const node = (machineID: string, status: string, lastHeartbeatTime: string, address = '192.0.2.1'): Node => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'one' },
    status: {
      nodeInfo: { machineID } as never,
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status, lastHeartbeatTime, message: 'no network' }],
    },
  });
  for (const [what, given, wanted] of [
    ['is not there', undefined, /has not registered/],
    ['is of another machine', node('other', 'True', '2030-01-01T12:00:00Z'), /is that of another machine/],
    ['is of its clone', node('own', 'True', '2030-01-01T12:00:00Z', '192.0.2.2'), /is that of another machine/],
    ['is Ready by what it said in a former life', node('own', 'True', '2030-01-01T11:59:59Z'), /has not reported since/],
    ['has said so in the second of its start', node('own', 'True', '2030-01-01T12:00:00Z'), undefined],
    ['is not ready', node('own', 'False', '2030-01-01T12:00:01Z'), /is not ready: no network/],
  ] as const)
    test(what, () => {
      const problem = nodeProblem(given, 'one', { machineId: 'own', ownAddresses: ['127.0.0.1', '192.0.2.1'] }, since);
      if (wanted === undefined) assert.equal(problem, undefined);
      else assert.match(problem ?? '', wanted);
    });
});
