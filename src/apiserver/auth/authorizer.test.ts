import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PersistentVolume } from '../../api/schema/types.ts';
import { type Attributes, forbiddenMessage, resourceAttributes } from './attributes.ts';
import type { RbacObject } from './rbac-index.ts';
import { authorizerWith, kubelet, person, podOn } from './testing/fake-objects.ts';
import { binding, clusterBinding, clusterRole, group, paths, role, rule, serviceAccount, user } from './testing/policy-builder.ts';
import type { UserInfo } from './user-info.ts';

/** `get secrets/token default/name` → attributes; a namespace of `-` is the cluster, a group stands before the resource as in `apps:deployments`. */
function ask(who: UserInfo, words: string, query = ''): Attributes {
  const [verb = '', what = '', where = '-'] = words.split(' ');
  if (what.startsWith('/')) return { ...resourceAttributes(who, verb, { path: what }), isResource: false };
  const [groupName, full = ''] = what.includes(':') ? what.split(':') : ['', what];
  const [resource = '', subresource = ''] = full.split('/');
  const [namespace = '', name = ''] = where.split('/');
  const at = { group: groupName!, resource, subresource, namespace: namespace === '-' ? '' : namespace, name };
  return resourceAttributes(who, verb, { ...at, ...(query ? { query: new URLSearchParams(query) } : {}) });
}

const jane = person('jane', 'dev');
const policy: RbacObject[] = [
  role('default', 'reader', [rule('get list', 'core', 'pods pods/log'), rule('get', 'core', 'secrets', 'one', 'two')]),
  binding('default', 'reader', [group('dev')]),
  clusterRole('scaler', [rule('*', '*', '*/scale'), paths('get', '/metrics', '/debug/*')]),
  clusterBinding('scaler', [user('jane')]),
  clusterRole('apps', [rule('*', 'apps', '*')]),
  {
    ...binding('team', 'apps', [serviceAccount('', 'robot')]),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'apps' },
  },
];

describe('Authorizer: RBAC', () => {
  const authorizer = authorizerWith(policy);
  const cases: [string, UserInfo, string, boolean][] = [
    ['a group gets the rules of its role in its namespace', jane, 'list pods default', true],
    ['…and nowhere else', jane, 'list pods other', false],
    ['…nor across all namespaces', jane, 'list pods -', false],
    ['a subresource needs its own mention', jane, 'get pods/log default/a', true],
    ['a resource does not include its subresources', jane, 'create pods/exec default/a', false],
    ['resource names limit a rule', jane, 'get secrets default/two', true],
    ['…to those names', jane, 'get secrets default/three', false],
    ['…and never match a collection', jane, 'get secrets default', false],
    ['a wildcard before a subresource matches it on every resource', jane, 'update apps:deployments/scale x/web', true],
    ['…but not the resource itself', jane, 'update apps:deployments x/web', false],
    ['a path is granted by a ClusterRoleBinding', jane, 'get /metrics', true],
    ['…by prefix', jane, 'get /debug/pprof/heap', true],
    ['…for the method that is named', jane, 'post /metrics', false],
    ['a path that only begins alike is not granted', jane, 'get /metricsx', false],
    [
      'a ServiceAccount without namespace in a RoleBinding is of that namespace',
      person('system:serviceaccount:team:robot'),
      'delete apps:deployments team/web',
      true,
    ],
    [
      'a wildcard resource includes subresources',
      person('system:serviceaccount:team:robot'),
      'update apps:deployments/status team/web',
      true,
    ],
    ['…of its group only', person('system:serviceaccount:team:robot'), 'get pods team/web', false],
    [
      'a ServiceAccount of another namespace gets nothing',
      person('system:serviceaccount:default:robot'),
      'delete apps:deployments team/web',
      false,
    ],
    ['everybody may ask what they may', person('nobody'), 'create authorization.k8s.io:selfsubjectaccessreviews -', true],
    ['everybody may discover', person('nobody'), 'get /openapi/v3', true],
    [
      'without authentication nothing but health and version',
      { name: 'system:anonymous', groups: ['system:unauthenticated'] },
      'get /api',
      false,
    ],
    ['…which are open', { name: 'system:anonymous', groups: ['system:unauthenticated'] }, 'get /readyz', true],
    [
      'kubeadm’s administrators may everything by their binding',
      person('admin', 'kubeadm:cluster-admins'),
      'delete x.y:anything -/all',
      true,
    ],
    ['the API server’s user for kubelets reaches them', person('kube-apiserver-kubelet-client'), 'get nodes/proxy -/n1', true],
    ['…and nothing else: whoever leads it astray gains nothing', person('kube-apiserver-kubelet-client'), 'get secrets default/a', false],
    ['system:masters may everything', person('root', 'system:masters'), 'delete x.y:anything -/all', true],
    ['the scheduler binds pods', person('system:kube-scheduler'), 'create pods/binding default/a', true],
    ['the controllers create what they manage', person('system:kube-controller-manager'), 'create apps:replicasets default', true],
    ['the controllers finish namespaces', person('system:kube-controller-manager'), 'update namespaces/finalize x/x', true],
    ['the proxy watches EndpointSlices', person('system:kube-proxy'), 'watch discovery.k8s.io:endpointslices -', true],
    ['the proxy reads no secrets', person('system:kube-proxy'), 'get secrets default/a', false],
    [
      'the network agent writes its lease into its Node',
      person('system:fairlead:net-agent:n1', 'system:fairlead:net-agent'),
      'patch nodes/status -/n1',
      true,
    ],
    ['…and without its group may not', person('system:fairlead:net-agent:n1'), 'patch nodes/status -/n1', false],
    [
      'DNS publishes itself in kube-system',
      person('system:fairlead:dns:n1', 'system:fairlead:dns'),
      'create discovery.k8s.io:endpointslices kube-system',
      true,
    ],
    ['…and nowhere else', person('system:fairlead:dns:n1', 'system:fairlead:dns'), 'create discovery.k8s.io:endpointslices default', false],
  ];
  for (const [name, who, words, allowed] of cases) {
    test(name, () => assert.equal(authorizer.authorize(ask(who, words)).allowed, allowed));
  }

  test('says which binding allows', () => {
    const { reason } = authorizer.authorize(ask(jane, 'list pods default'));
    assert.equal(reason, 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to Group "dev"');
  });

  test('words a refusal as upstream does', () => {
    const refusals = ['list pods default', 'get apps:deployments/scale a/web', 'get /secret'].map((words) =>
      forbiddenMessage(ask(jane, words)),
    );
    assert.deepEqual(refusals, [
      'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
      'deployments.apps "web" is forbidden: User "jane" cannot get resource "deployments/scale" in API group "apps" in the namespace "a"',
      'forbidden: User "jane" cannot get path "/secret"',
    ]);
  });

  test('lists the rules of a user', () => {
    const { resourceRules, nonResourceRules, incomplete } = authorizer.rulesOf(jane, 'default');
    assert.ok(resourceRules.some((one) => one.resources?.includes('pods/log')));
    assert.ok(nonResourceRules.some((one) => one.nonResourceURLs?.includes('/metrics')));
    assert.equal(incomplete, false);
    assert.ok(!authorizer.rulesOf(jane, 'other').resourceRules.some((one) => one.resources?.includes('pods/log')));
    const ofAll = authorizer.rulesOf(person('root', 'system:masters'), 'default').nonResourceRules;
    assert.equal(ofAll.filter((one) => one.nonResourceURLs?.includes('*')).length, 1);
  });
});

describe('RbacIndex', () => {
  const question = ask(jane, 'list pods default');

  test('follows every change of a binding and a role', () => {
    const authorizer = authorizerWith([]);
    const may = (): boolean => authorizer.authorize(question).allowed;
    assert.equal(may(), false);
    authorizer.rbac.put(policy[1]!);
    assert.equal(may(), false, 'a binding of a role that is not there grants nothing');
    authorizer.rbac.put(policy[0]!);
    assert.equal(may(), true, 'until the role comes');
    authorizer.rbac.put(role('default', 'reader', [rule('get', 'core', 'pods')]));
    assert.equal(may(), false, 'the role has lost a verb');
    authorizer.rbac.put(policy[0]!);
    authorizer.rbac.put(binding('default', 'reader', [group('ops')]));
    assert.equal(may(), false, 'the group is no longer bound');
    assert.equal(authorizer.authorize(ask(person('joe', 'ops'), 'list pods default')).allowed, true);
    authorizer.rbac.put(policy[1]!);
    assert.equal(may(), true);
    authorizer.rbac.delete(policy[0]!);
    assert.equal(may(), false, 'the role is gone');
    authorizer.rbac.put(policy[0]!);
    authorizer.rbac.delete(policy[1]!);
    assert.equal(may(), false, 'the binding is gone');
  });

  test('keeps a Role and a ClusterRole of one name apart, also in a namespace called cluster', () => {
    const authorizer = authorizerWith([
      clusterRole('reader', [rule('*', '*', '*')]),
      role('cluster', 'reader', []),
      binding('cluster', 'reader', [user('jane')]),
    ]);
    assert.equal(authorizer.authorize(ask(jane, 'list pods cluster')).allowed, false);
  });

  test('makes admin of edit and edit of view, and of what others label', () => {
    const admin = {
      ...binding('default', 'admin', [user('jane')]),
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
    };
    const authorizer = authorizerWith([admin]);
    for (const words of ['list pods default', 'create apps:deployments default', 'create rbac.authorization.k8s.io:roles default']) {
      assert.equal(authorizer.authorize(ask(jane, words)).allowed, true, words);
    }
    const widgets = ask(jane, 'get example.com:widgets default/a');
    assert.equal(authorizer.authorize(widgets).allowed, false);
    const extra = clusterRole('widgets', [rule('get', 'example.com', 'widgets')], {
      'rbac.authorization.k8s.io/aggregate-to-view': 'true',
    });
    authorizer.rbac.put(extra);
    assert.equal(authorizer.authorize(widgets).allowed, true);
    const stale = authorizer.rbac.staleAggregates().find((one) => one.metadata.name === 'admin')!;
    assert.ok(stale.rules?.some((one) => one.resources?.includes('widgets')));
    authorizer.rbac.put(stale);
    assert.ok(!authorizer.rbac.staleAggregates().some((one) => one.metadata.name === 'admin'), 'written, it is no longer stale');
    authorizer.rbac.delete(extra);
    assert.equal(authorizer.authorize(widgets).allowed, false);
  });

  test('answers as fast with thousands of bindings as with few', () => {
    const many: RbacObject[] = [];
    for (let i = 0; i < 5_000; i++)
      many.push(role(`ns-${i}`, 'own', [rule('*', 'core', '*')]), binding(`ns-${i}`, 'own', [user(`user-${i}`), group('all')]));
    const authorizer = authorizerWith(many);
    const who = person('user-4999', 'all');
    const question = ask(who, 'list pods ns-4999');
    assert.equal(authorizer.authorize(question).allowed, true);
    const before = process.cpuUsage();
    for (let i = 0; i < 10_000; i++) authorizer.authorize(question);
    const each = process.cpuUsage(before).user / 10_000;
    // Walking over the bindings takes more than a millisecond; the bound is far above what look-ups need on a busy machine.
    assert.ok(each < 200, `${each.toFixed(1)} µs of processor time per question`);
  });
});

describe('Authorizer: nodes', () => {
  const web = podOn('n1', 'web', {
    serviceAccountName: 'web',
    imagePullSecrets: [{ name: 'pull' }],
    containers: [
      {
        name: 'c',
        envFrom: [{ secretRef: { name: 'env' } }],
        env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'conf', key: 'a' } } }],
      },
    ],
    volumes: [
      { name: 'v', secret: { secretName: 'vol' } },
      { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'p', projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }] } },
    ],
  } as never);
  const mirror = podOn('n1', 'static', { volumes: [{ name: 'v', secret: { secretName: 'stolen' } }] } as never, {
    annotations: { 'kubernetes.io/config.mirror': 'x' },
  });
  const volumeFor = (claim: string, namespace = 'default'): PersistentVolume => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `for-${namespace}-${claim}` },
    spec: { claimRef: { namespace, name: claim } },
  });
  const authorizer = authorizerWith([], [web, mirror], [volumeFor('data'), volumeFor('other'), volumeFor('data', 'kube-system')]);
  const cases: [string, string, boolean, string?][] = [
    ['reads a secret that its pod mounts', 'get secrets default/vol', true],
    ['reads a secret of envFrom', 'get secrets default/env', true],
    ['reads a pull secret', 'get secrets default/pull', true],
    ['watches a single secret by field selector', 'watch secrets default', true, 'fieldSelector=metadata.name%3Dvol'],
    ['reads a ConfigMap of env', 'get configmaps default/conf', true],
    ['reads a projected ConfigMap', 'get configmaps default/kube-root-ca.crt', true],
    ['reads no other secret', 'get secrets default/other', false],
    ['reads no secret of that name elsewhere', 'get secrets kube-system/vol', false],
    ['gains no access by what a mirror pod mounts', 'get secrets default/stolen', false],
    ['lists no secrets', 'list secrets default', false],
    ['writes no secrets', 'update secrets default/vol', false],
    ['reads the claim of its pod', 'get persistentvolumeclaims default/data', true],
    ['reads no other claim', 'get persistentvolumeclaims default/other', false],
    ['reads the volume of the claim of its pod', 'get persistentvolumes -/for-default-data', true],
    ['…and writes it not', 'update persistentvolumes -/for-default-data', false],
    ['…nor watches it', 'watch persistentvolumes -', false, 'fieldSelector=metadata.name%3Dfor-default-data'],
    ['…nor its status', 'get persistentvolumes/status -/for-default-data', false],
    ['reads no volume of another claim', 'get persistentvolumes -/for-default-other', false],
    ['reads no volume of a claim of that name elsewhere', 'get persistentvolumes -/for-kube-system-data', false],
    ['lists no volumes', 'list persistentvolumes -', false],
    ['gets tokens for the ServiceAccount of its pod', 'create serviceaccounts/token default/web', true],
    ['gets no tokens for others', 'create serviceaccounts/token default/admin', false],
    ['reads its own Node', 'get nodes -/n1', true],
    ['watches its own Node', 'watch nodes -', true, 'fieldSelector=metadata.name%3Dn1'],
    ['reads no other Node', 'get nodes -/n2', false],
    ['lists no Nodes', 'list nodes -', false],
    ['registers itself', 'create nodes -', true],
    ['changes itself', 'update nodes -/n1', true],
    ['labels itself', 'patch nodes -/n1', true],
    ['deletes no Node', 'delete nodes -/n1', false],
    ['uses no other part of it', 'get nodes/proxy -/n1', false],
    ['writes its status', 'patch nodes/status -/n1', true],
    ['renews its Lease', 'update coordination.k8s.io:leases kube-node-lease/n1', true],
    ['makes its Lease', 'create coordination.k8s.io:leases kube-node-lease', true],
    ['lists no Leases', 'list coordination.k8s.io:leases kube-node-lease', false],
    ['tells of the drivers that it has', 'update storage.k8s.io:csinodes -/n1', true],
    ['…and not of those of others', 'update storage.k8s.io:csinodes -/n2', false],
    ['leaves other Leases alone', 'update coordination.k8s.io:leases kube-node-lease/n2', false],
    ['…and Leases elsewhere', 'get coordination.k8s.io:leases kube-system/n1', false],
    ['watches its own pods', 'watch pods -', true, 'fieldSelector=spec.nodeName%3Dn1'],
    ['watches no others', 'watch pods -', false, 'fieldSelector=spec.nodeName%3Dn2'],
    ['is not fooled by an escaped comma', 'list pods -', false, 'fieldSelector=metadata.namespace!%3Da%5C,spec.nodeName%3Dn1'],
    [
      'reads no secrets behind an escaped comma',
      'list secrets default',
      false,
      'fieldSelector=metadata.namespace!%3Da%5C,metadata.name%3Dvol',
    ],
    ['lists not all pods', 'list pods -', false],
    ['reads its own pod', 'get pods default/web', true],
    ['reads no other pod', 'get pods default/other', false],
    ['watches Services', 'watch services -', true],
    ['asks for reviews', 'create authorization.k8s.io:subjectaccessreviews -', true],
    ['sends events', 'create events default', true],
    ['runs nothing in other pods', 'create pods/exec default/web', false],
  ];
  for (const [name, words, allowed, query] of cases) {
    test(`a node ${name}`, () => assert.equal(authorizer.authorize(ask(kubelet('n1'), words, query)).allowed, allowed));
  }

  test('the name alone makes no node: the group is needed', () => {
    assert.equal(authorizer.authorize(ask(person('system:node:n1'), 'get secrets default/vol')).allowed, false);
  });
});
