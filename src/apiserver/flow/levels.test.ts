import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { UserInfo } from '../auth/user-info.ts';
import { requestInfo } from '../http/request-info.ts';
import { flowOf, isLongRunning } from './levels.ts';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups: [...groups, 'system:authenticated'] });
const account = (namespace: string, name: string): UserInfo => user(`system:serviceaccount:${namespace}:${name}`, 'system:serviceaccounts');
const node = user('system:node:n1', 'system:nodes');
const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x';

const infoOf = (text: string): ReturnType<typeof requestInfo> => {
  const [method = '', url = ''] = text.split(' ');
  const [path = '', search = ''] = url.split('?');
  return requestInfo(method, path, new URLSearchParams(search));
};

describe('flowOf()', () => {
  const cases: readonly (readonly [who: UserInfo, request: string, expected: string])[] = [
    [user('admin', 'system:masters'), 'DELETE /api/v1/nodes', 'exempt exempt'],
    [{ name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'GET /readyz', 'probes exempt'],
    [account('weak', 'a'), 'GET /livez', 'probes exempt'],
    [account('weak', 'a'), 'POST /livez', 'service-accounts workload-low system:serviceaccount:weak:a'],
    [user('system:kube-scheduler'), `PUT ${lease}`, 'system-leader-election leader-election system:kube-scheduler'],
    [user('system:kube-controller-manager'), `PUT ${lease}`, 'system-leader-election leader-election system:kube-controller-manager'],
    [
      account('kube-system', 'autoscaler'),
      `PUT ${lease}`,
      'system-leader-election leader-election system:serviceaccount:kube-system:autoscaler',
    ],
    [account('weak', 'a'), `PUT ${lease}`, 'service-accounts workload-low system:serviceaccount:weak:a'],
    [node, 'PUT /apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1', 'system-node-high node-high system:node:n1'],
    [node, 'PATCH /api/v1/nodes/n1/status', 'system-node-high node-high system:node:n1'],
    [node, 'GET /api/v1/pods?watch=true', 'system-nodes system system:node:n1'],
    [user('system:fairlead:proxy:n1', 'system:fairlead:proxy'), 'GET /api/v1/services', 'system-nodes system system:fairlead:proxy:n1'],
    [user('system:kube-controller-manager'), 'POST /api/v1/namespaces/x/pods', 'kube-controller-manager workload-high x'],
    [user('system:kube-scheduler'), 'POST /api/v1/namespaces/x/pods/p/binding', 'kube-scheduler workload-high x'],
    [account('kube-system', 'coredns'), 'GET /api/v1/services', 'kube-system-service-accounts workload-high'],
    [account('kube-system-2', 'a'), 'GET /api/v1/services', 'service-accounts workload-low system:serviceaccount:kube-system-2:a'],
    [user('jane'), 'GET /api/v1/pods', 'global-default global-default jane'],
    [{ name: 'ghost', groups: [] }, 'GET /api/v1/pods', 'catch-all catch-all ghost'],
  ];
  for (const [who, request, expected] of cases) {
    test(`puts ${request} of ${who.name} into ${expected.split(' ')[1]}`, () => {
      const { schema, level, key } = flowOf(who, infoOf(request));
      const flow = key.slice(schema.length).trim();
      assert.equal(level === 'exempt' ? `${schema} ${level}` : `${schema} ${level} ${flow}`.trim(), expected);
    });
  }
});

describe('isLongRunning()', () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ['GET /api/v1/pods?watch=true', true],
    ['GET /api/v1/pods', false],
    ['POST /api/v1/namespaces/x/pods/p/exec', true],
    ['GET /api/v1/namespaces/x/pods/p/log?follow=true', true],
    ['POST /api/v1/namespaces/x/pods/p/portforward', true],
    ['GET /api/v1/nodes/n/proxy/metrics', true],
    ['POST /api/v1/namespaces/x/pods/p/eviction', false],
  ];
  for (const [request, expected] of cases)
    test(`of ${request} is ${expected}`, () => assert.equal(isLongRunning(infoOf(request)), expected));
});
