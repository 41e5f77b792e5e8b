/** Plugins by themselves: what one makes of a request, or why it refuses. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Registry } from '../../api/registry/registry.ts';
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { Clock } from '../../clock/clock.ts';
import { pem } from '../../x509/keys.ts';
import { newRequest } from '../../x509/new-request.ts';
import type { RbacObject } from '../auth/rbac-index.ts';
import { authorizerWith, FakeObjects, person } from '../auth/testing/fake-objects.ts';
import type { UserInfo } from '../auth/user-info.ts';
import type { Lookup } from '../cache/lookup.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { certificateRequests } from './certificate-requests.ts';
import { defaultStorageClass } from './default-storage-class.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { priorityAdmission } from './priority.ts';
import { privilegeEscalation } from './privilege-escalation.ts';
import { runtimeClassAdmission } from './runtime-class.ts';
import { serviceAccountAdmission } from './service-account.ts';
import { storageInUse } from './storage-in-use.ts';
import { taintNewNode } from './taint-new-node.ts';

const registry = new Registry();
type Request = Partial<Omit<AdmissionRequest, 'object' | 'old'>> & { readonly object?: object | undefined; readonly old?: object };

/** Of `jane`, who has the roles that nobody gave her: none. */
function request(resource: string, given: Request = {}): AdmissionRequest {
  const [name = '', ...group] = resource.split('.');
  return {
    ...{ operation: 'CREATE', row: registry.rowOf(group.join('.'), 'v1', name)!, subresource: '', namespace: 'default', name: 'a' },
    ...{ user: person('jane'), dryRun: false, warnings: [], object: undefined, old: undefined },
    ...(given as Partial<AdmissionRequest>),
  };
}

/** A cluster that has these and nothing else. */
function lookupOf(...objects: object[]): Lookup {
  const all = objects as KubeObject[];
  return {
    find: async (type: ResourceType, name: string) => all.find((o) => o.kind === type.kind && o.metadata.name === name),
    list: (type: ResourceType) => all.filter((o) => o.kind === type.kind),
  } as unknown as Lookup;
}

async function admit(plugin: AdmissionPlugin, of: AdmissionRequest): Promise<KubeObject | undefined> {
  await plugin.mutate?.(of, false);
  await plugin.validate?.(of);
  return of.object;
}

const pod = (spec: object = {}, metadata: object = {}): object => ({
  metadata: { name: 'a', ...metadata },
  spec: { containers: [{ name: 'c' }], ...spec },
});
const specOf = (object: KubeObject | undefined): Record<string, unknown> => (object as unknown as { spec: Record<string, unknown> }).spec;

describe('NamespaceLifecycle', () => {
  const namespace = (name: string, rest: object = {}): object => ({ kind: 'Namespace', metadata: { name }, ...rest });
  const at = (...objects: object[]): AdmissionPlugin => namespaceLifecycle(lookupOf(...objects));
  const refusals: Readonly<Record<string, readonly [AdmissionPlugin, AdmissionRequest, RegExp]>> = {
    'what is made in no namespace': [at(), request('pods', { object: pod() }), /^StatusError: namespaces "default" not found$/],
    'what is made in one that is being deleted': [
      at({ kind: 'Namespace', metadata: { name: 'default', deletionTimestamp: 'x' } }),
      request('pods', { object: pod() }),
      /^StatusError: pods "a" is forbidden: unable to create new content in namespace default because it is being terminated$/,
    ],
    'what is made in one that says so itself': [
      at(namespace('default', { status: { phase: 'Terminating' } })),
      request('pods', { object: pod() }),
      /being terminated/,
    ],
    'the end of a namespace of the system': [
      at(namespace('kube-system')),
      request('namespaces', { operation: 'DELETE', namespace: '', name: 'kube-system' }),
      /^StatusError: namespaces "kube-system" is forbidden: this namespace may not be deleted$/,
    ],
  };
  for (const [what, [plugin, of, why]] of Object.entries(refusals)) test(`refuses ${what}`, () => assert.rejects(admit(plugin, of), why));

  const passes: Readonly<Record<string, readonly [AdmissionPlugin, AdmissionRequest]>> = {
    'what is made in one that is there': [at(namespace('default')), request('pods', { object: pod() })],
    'what has no namespace': [at(), request('nodes', { namespace: '', object: {} })],
    'what is changed in one that is ending': [at(), request('pods', { operation: 'UPDATE', object: pod() })],
    'the end of another namespace': [at(), request('namespaces', { operation: 'DELETE', namespace: '', name: 'shop' })],
    'a change of a namespace of the system': [at(), request('namespaces', { operation: 'UPDATE', namespace: '', name: 'default' })],
    'the end of a pod that has such a name': [at(), request('pods', { operation: 'DELETE', name: 'default' })],
  };
  for (const [what, [plugin, of]] of Object.entries(passes)) test(`lets pass ${what}`, async () => void (await admit(plugin, of)));
});

describe('ServiceAccount', () => {
  const account = (name: string, rest: object = {}): object => ({ kind: 'ServiceAccount', metadata: { name }, ...rest });
  const made = async (object: object, ...accounts: object[]): Promise<Record<string, unknown>> => {
    const slept = { sleep: async () => {} } as unknown as Clock;
    return specOf(await admit(serviceAccountAdmission(lookupOf(...accounts), slept), request('pods', { object })));
  };
  const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
  type Mounted = { volumeMounts?: { name: string }[] };

  test('mounts the token of the default account in every container', async () => {
    const spec = await made(pod({ initContainers: [{ name: 'i' }] }), account('default'));
    const [volume] = spec.volumes as { name: string; projected: { defaultMode: number; sources: object[] } }[];
    assert.match(volume!.name, /^kube-api-access-.{5}$/);
    const mount = { name: volume!.name, readOnly: true, mountPath };
    assert.deepEqual([spec.serviceAccountName, spec.serviceAccount], ['default', 'default']);
    assert.deepEqual(
      [...(spec.containers as Mounted[]), ...(spec.initContainers as Mounted[])].map((c) => c.volumeMounts),
      [[mount], [mount]],
    );
    assert.deepEqual(volume!.projected, {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
      defaultMode: 0o644,
    });
  });

  test('uses the volume that is there, and adds none where no container needs it', async () => {
    const existing = await made(pod({ volumes: [{ name: 'kube-api-access-x' }] }), account('default'));
    assert.deepEqual(existing.volumes, [{ name: 'kube-api-access-x' }]);
    assert.equal((existing.containers as Mounted[])[0]!.volumeMounts![0]!.name, 'kube-api-access-x');
    const own = { name: 'c', volumeMounts: [{ name: 'own', mountPath }] };
    const kept = await made(pod({ containers: [own] }), account('default'));
    assert.deepEqual([kept.containers, kept.volumes], [[own], undefined]);
  });

  for (const [what, spec, rest, mounted] of [
    ['unless the pod does not want it', { automountServiceAccountToken: false }, { automountServiceAccountToken: true }, false],
    ['unless the account does not want it', {}, { automountServiceAccountToken: false }, false],
    [
      'where the pod wants it and the account does not',
      { automountServiceAccountToken: true },
      { automountServiceAccountToken: false },
      true,
    ],
  ] as const)
    test(`mounts ${what}`, async () => {
      assert.equal((await made(pod(spec), account('default', rest))).volumes !== undefined, mounted);
    });

  test('gives the secrets of the account to a pod that has none', async () => {
    const robot = account('robot', { imagePullSecrets: [{ name: 's' }] });
    const spec = { serviceAccount: 'robot' };
    assert.deepEqual((await made(pod(spec), robot)).imagePullSecrets, [{ name: 's' }]);
    assert.deepEqual((await made(pod({ ...spec, imagePullSecrets: [{ name: 'own' }] }), robot)).imagePullSecrets, [{ name: 'own' }]);
  });

  test('refuses an account that is not there, and waits for one that comes', async () => {
    await assert.rejects(
      made(pod({ serviceAccountName: 'no' })),
      /pods "a" is forbidden: error looking up service account default\/no: serviceaccount "no" not found$/,
    );
    let asked = 0;
    const late = { find: async () => (++asked < 10 ? undefined : account('default')) } as unknown as Lookup;
    const slept: number[] = [];
    const clock = { sleep: async (ms: number) => void slept.push(ms) } as unknown as Clock;
    await admit(serviceAccountAdmission(late, clock), request('pods', { object: pod() }));
    assert.deepEqual([asked, slept], [10, Array(9).fill(100)]);
  });

  test('leaves a mirror pod alone, and what is no new pod', async () => {
    const mirror = pod({}, { annotations: { 'kubernetes.io/config.mirror': 'x' } });
    assert.deepEqual(await made(structuredClone(mirror)), specOf(mirror as KubeObject));
    const clock = {} as Clock;
    for (const each of [
      request('pods', { operation: 'UPDATE', object: pod() }),
      request('pods', { subresource: 'eviction', object: pod() }),
    ])
      assert.deepEqual(await admit(serviceAccountAdmission(lookupOf(), clock), each), pod());
  });
});

describe('Priority', () => {
  const classOf = (name: string, value: number, rest: object = {}): object => ({
    kind: 'PriorityClass',
    metadata: { name },
    value,
    ...rest,
  });
  const made = async (spec: object, ...classes: object[]): Promise<unknown[]> => {
    const { priority, preemptionPolicy, priorityClassName } = specOf(
      await admit(priorityAdmission(lookupOf(...classes)), request('pods', { object: pod(spec) })),
    );
    return [priority, preemptionPolicy, priorityClassName];
  };

  test('comes from the class, from the lowest default, or is 0', async () => {
    const high = classOf('high', 7, { preemptionPolicy: 'Never' });
    const defaults = [classOf('b', 5, { globalDefault: true }), classOf('c', 3, { globalDefault: true })];
    assert.deepEqual(await made({ priorityClassName: 'high' }, high, ...defaults), [7, 'Never', 'high']);
    assert.deepEqual(await made({}, high, ...defaults), [3, 'PreemptLowerPriority', 'c']);
    assert.deepEqual(await made({}, high), [0, 'PreemptLowerPriority', undefined]);
    assert.deepEqual(await made({ priorityClassName: 'high', priority: 7, preemptionPolicy: 'X' }, high), [7, 'X', 'high']);
  });

  test('is refused where the class is not there, or the number is another', async () => {
    await assert.rejects(made({ priorityClassName: 'no' }), /no PriorityClass with name no was found/);
    await assert.rejects(made({ priority: 9 }), /priority \(9\) must not be provided in pod spec; .* computed 0 from/);
  });

  test('stays in an update that does not name it', async () => {
    const old = pod({ priority: 7, preemptionPolicy: 'Never' });
    for (const [given, kept] of [
      [{}, [7, 'Never']],
      [{ priority: 8, preemptionPolicy: 'X' }, [8, 'X']],
    ] as const) {
      const { priority, preemptionPolicy } = specOf(
        await admit(priorityAdmission(lookupOf()), request('pods', { operation: 'UPDATE', object: pod(given), old })),
      );
      assert.deepEqual([priority, preemptionPolicy], kept);
    }
    const without = await admit(priorityAdmission(lookupOf()), request('pods', { operation: 'UPDATE', object: pod(), old: pod() }));
    assert.deepEqual(without, pod());
  });
});

describe('DefaultTolerationSeconds', () => {
  const usual = (key: string): object => ({
    key: `node.kubernetes.io/${key}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 300,
  });
  for (const [what, given, added] of [
    ['both to a pod that says nothing', undefined, ['not-ready', 'unreachable']],
    ['both to one that tolerates something else', [{ key: 'x' }], ['not-ready', 'unreachable']],
    ['both to one that tolerates them when it is placed', [{ operator: 'Exists', effect: 'NoSchedule' }], ['not-ready', 'unreachable']],
    ['the other to one that says how long', [{ key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' }], ['unreachable']],
    ['none to one that tolerates everything', [{ operator: 'Exists' }], []],
  ] as const)
    test(`adds ${what}`, async () => {
      const spec = given ? { tolerations: given } : {};
      const expected = [...(given ?? []), ...added.map(usual)];
      for (const operation of ['CREATE', 'UPDATE'] as const)
        assert.deepEqual(
          specOf(await admit(defaultTolerationSeconds, request('pods', { operation, object: pod(spec) }))).tolerations,
          expected,
        );
    });

  test('looks at nothing but pods', async () => {
    for (const each of [request('pods', { subresource: 'status', object: pod() }), request('services', { object: pod() })])
      assert.deepEqual(await admit(defaultTolerationSeconds, each), pod());
  });
});

describe('TaintNodesByCondition', () => {
  const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  const made = (object: object, given: Request = {}): Promise<object | undefined> =>
    admit(taintNewNode, request('nodes', { object, ...given }));
  test('taints a new node, once, beside its other taints', async () => {
    assert.deepEqual(await made({}), { spec: { taints: [taint] } });
    assert.deepEqual(await made({ spec: { taints: [taint] } }), { spec: { taints: [taint] } });
    const other = { ...taint, effect: 'NoExecute' };
    assert.deepEqual(await made({ spec: { taints: [other] } }), { spec: { taints: [other, taint] } });
  });
  test('leaves a node alone that is there already, or is only reporting', async () => {
    assert.deepEqual(await made({}, { operation: 'UPDATE' }), {});
    assert.deepEqual(await made({}, { subresource: 'status' }), {});
  });
});

describe('DefaultStorageClass', () => {
  const marked = (name: string, value: string): object => ({
    kind: 'StorageClass',
    metadata: { name, annotations: { 'storageclass.kubernetes.io/is-default-class': value } },
  });
  const classOf = async (spec: object, more: Request = {}, annotations: object = {}): Promise<unknown> => {
    const object = { metadata: { name: 'a', annotations }, spec };
    const plugin = defaultStorageClass(lookupOf(marked('slow', 'false'), marked('usual', 'true')));
    return specOf(await admit(plugin, request('persistentvolumeclaims', { object, ...more }))).storageClassName;
  };
  test('gives a claim that says nothing the default class', async () => assert.equal(await classOf({}), 'usual'));
  test('leaves others as they are', async () => {
    assert.equal(await classOf({ storageClassName: '' }), '');
    assert.equal(await classOf({ storageClassName: 'slow' }), 'slow');
    assert.equal(await classOf({}, {}, { 'volume.beta.kubernetes.io/storage-class': 'slow' }), undefined);
    assert.equal(await classOf({}, { operation: 'UPDATE' }), undefined);
    const pod = { metadata: { name: 'a' }, spec: {} };
    const plugin = defaultStorageClass(lookupOf(marked('usual', 'true')));
    assert.deepEqual(specOf(await admit(plugin, request('pods', { object: pod }))), {});
  });
});

describe('StorageObjectInUseProtection', () => {
  const finalizers = async (resource: string, given: string[] | undefined, more: Request = {}): Promise<unknown> => {
    const object = { metadata: { name: 'a', ...(given ? { finalizers: given } : {}) } };
    return (await admit(storageInUse, request(resource, { object, ...more })))?.metadata.finalizers;
  };
  for (const [resource, own] of [
    ['persistentvolumeclaims', 'kubernetes.io/pvc-protection'],
    ['persistentvolumes', 'kubernetes.io/pv-protection'],
    ['volumeattributesclasses.storage.k8s.io', 'kubernetes.io/vac-protection'],
  ] as const)
    test(`protects new ${resource}`, async () => {
      assert.deepEqual(await finalizers(resource, undefined), [own]);
      assert.deepEqual(await finalizers(resource, ['x/y']), ['x/y', own]);
      assert.deepEqual(await finalizers(resource, [own]), [own]);
      assert.equal(await finalizers(resource, undefined, { operation: 'UPDATE' }), undefined);
      assert.equal(await finalizers(resource, undefined, { subresource: 'status' }), undefined);
    });
  test('protects nothing else', async () => assert.equal(await finalizers('pods', undefined), undefined));
});

describe('RuntimeClass', () => {
  const gvisor = {
    kind: 'RuntimeClass',
    metadata: { name: 'gvisor' },
    overhead: { podFixed: { cpu: '1' } },
    scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 't' }] },
  };
  const made = (spec: object, given: Request = {}): Promise<KubeObject | undefined> =>
    admit(runtimeClassAdmission(lookupOf(gvisor)), request('pods', { object: pod(spec), ...given }));
  test('writes into a new pod what its class says, once', async () => {
    const { overhead, nodeSelector, tolerations } = specOf(
      await made({ runtimeClassName: 'gvisor', tolerations: [{ key: 't' }, { key: 'u' }] }),
    );
    assert.deepEqual([overhead, nodeSelector, tolerations], [{ cpu: '1' }, { a: 'b' }, [{ key: 't' }, { key: 'u' }]]);
    assert.deepEqual(specOf(await made({ runtimeClassName: 'gvisor' })).tolerations, [{ key: 't' }]);
  });
  test('refuses a class that is not there, and an overhead without one', async () => {
    await assert.rejects(made({ runtimeClassName: 'no' }), /RuntimeClass "no" not found/);
    await assert.rejects(made({ overhead: { cpu: '1' } }), /Pod Overhead set without corresponding RuntimeClass defined Overhead/);
  });
  test('looks at new pods alone', async () => {
    for (const given of [{ operation: 'UPDATE' }, { subresource: 'status' }] as const)
      assert.deepEqual(await made({ runtimeClassName: 'no' }, given), pod({ runtimeClassName: 'no' }));
  });
});

describe('PrivilegeEscalation', () => {
  const plugin = privilegeEscalation(authorizerWith([]));
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }];
  const roleRef = (name: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name });
  const rbac = (resource: string, object: object | undefined, given: Request = {}): Promise<unknown> =>
    admit(plugin, request(`${resource}.rbac.authorization.k8s.io`, { object, ...given }));
  for (const [resource, kind] of [
    ['roles', 'Role'],
    ['clusterroles', 'ClusterRole'],
  ] as const)
    test(`refuses a ${kind} with more than its writer has`, async () => {
      const object = { kind, metadata: { name: 'a', namespace: 'default' }, rules };
      await assert.rejects(
        rbac(resource, object),
        new RegExp(`${resource}.rbac.authorization.k8s.io "a" is forbidden: user "jane" .* is attempting to grant`),
      );
      await rbac(resource, { ...object, rules: [] });
      await rbac(resource, undefined, { operation: 'DELETE', old: object });
    });
  test('refuses a binding of more than its writer has, with 404 where the role is not there', async () => {
    const binding = (name: string): object => ({
      kind: 'RoleBinding',
      metadata: { name: 'a', namespace: 'default' },
      roleRef: roleRef(name),
      subjects: [],
    });
    await assert.rejects(rbac('rolebindings', binding('cluster-admin')), /"a" is forbidden: .* is attempting to grant/);
    await assert.rejects(rbac('rolebindings', binding('no')), (err: { code?: number }) => err.code === 404);
  });
});

describe('PrivilegeEscalation', () => {
  const plugin = privilegeEscalation(authorizerWith([]));
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }];
  test('does not look at deletions, nor at other kinds that look like roles', async () => {
    const role = { kind: 'Role', metadata: { name: 'a', namespace: 'default' }, rules };
    await admit(plugin, request('roles.rbac.authorization.k8s.io', { operation: 'DELETE', object: role, old: role }));
    await admit(plugin, request('configmaps', { object: role }));
  });
});

describe('CertificateRequests', () => {
  const csrs = 'certificatesigningrequests.certificates.k8s.io';
  const signed = (status?: object, signerName = 'example.com/web'): object => ({ metadata: { name: 'a' }, spec: { signerName }, status });
  const may = (verb: string, name: string): RbacObject[] => {
    const rules = [{ verbs: [verb], apiGroups: ['certificates.k8s.io'], resources: ['signers'], resourceNames: [name] }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'signer' };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }];
    return [
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'signer' }, rules },
      { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'signer' }, roleRef, subjects },
    ] as unknown as RbacObject[];
  };
  const update = (subresource: string, given: readonly RbacObject[], object = signed({ certificate: 'x' })): Promise<unknown> =>
    admit(certificateRequests(authorizerWith(given)), request(csrs, { operation: 'UPDATE', subresource, object, old: signed({}) }));

  test('writes who asks, whatever the request says', async () => {
    const plugin = certificateRequests(authorizerWith([]));
    const asked = Buffer.from(newRequest({ commonName: 'jane', organizations: [] }).requestPem).toString('base64');
    const spec = { username: 'root', uid: 'x', groups: ['system:masters'], extra: { a: ['b'] }, request: asked };
    const made = await admit(plugin, request(csrs, { object: { metadata: {}, spec } }));
    assert.deepEqual(specOf(made), { username: 'jane', groups: ['system:authenticated'], request: asked });
    const user = { name: 'jane', uid: 'u', groups: [], extra: { k: ['v'] } };
    const other = await admit(plugin, request(csrs, { user, object: { metadata: {}, spec: { request: asked } } }));
    assert.deepEqual(specOf(other), { username: 'jane', uid: 'u', groups: [], extra: { k: ['v'] }, request: asked });
    const kept = { ...spec };
    assert.deepEqual(specOf(await admit(plugin, request(csrs, { operation: 'UPDATE', object: { metadata: {}, spec }, old: {} }))), kept);
  });

  for (const [subresource, verb] of [
    ['approval', 'approve'],
    ['status', 'sign'],
  ] as const)
    test(`lets those ${verb} that may, for the signer or for its domain`, async () => {
      for (const name of ['example.com/web', 'example.com/*']) await update(subresource, may(verb, name));
      for (const given of [
        [],
        may('watch', 'example.com/web'),
        may(verb, 'example.com/db'),
        may(verb, 'example.org/*'),
        may(verb, 'example.com'),
      ])
        await assert.rejects(update(subresource, given), new RegExp(`not permitted to ${verb} requests with signerName "example.com/web"`));
    });

  test('takes a status that stays as it is for no signature, and other updates for no decision', async () => {
    await update('status', [], signed({}));
    await update('status', [], signed());
    await update('', []);
  });

  const names = { commonName: 'system:node:n1', organizations: ['system:nodes'] };
  /** The bytes of a request after something was done to them, as the field has them. */
  function altered(change: (der: Buffer) => void): string {
    const der = Buffer.from(newRequest(names).requestPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    change(der);
    return Buffer.from(pem('CERTIFICATE REQUEST', der)).toString('base64');
  }
  for (const [what, text, words] of [
    ['is none', 'x', /spec.request: Invalid value: "x": PEM block type must be CERTIFICATE REQUEST/],
    ['cannot be read', altered((der) => der.fill(0xff, 4)), /spec.request: Invalid value: /],
    ['is not signed with its own key', altered((der) => der.write('n2', der.indexOf('n1'))), /x509: signature verification failure/],
  ] as const)
    test(`refuses a request that ${what}, whoever is to sign it`, async () => {
      const object = { metadata: {}, spec: { signerName: 'example.com/web', request: text } };
      await assert.rejects(
        admit(certificateRequests(authorizerWith([])), request(csrs, { object })),
        (err: { code: number; message: string }) => {
          assert.equal(err.code, 422);
          assert.match(err.message, words);
          return true;
        },
      );
    });

  test('lets a node ask for itself alone, and everybody else for any node', async () => {
    const asked = Buffer.from(newRequest(names).requestPem).toString('base64');
    const ask = (signer: string, user: UserInfo): Promise<unknown> =>
      admit(
        certificateRequests(authorizerWith([])),
        request(csrs, { user, object: { metadata: {}, spec: { signerName: `kubernetes.io/${signer}`, request: asked } } }),
      );
    const [own, other] = [person('system:node:n1', 'system:nodes'), person('system:node:n2', 'system:nodes')];
    for (const signer of ['kubelet-serving', 'kube-apiserver-client-kubelet']) {
      await ask(signer, own);
      await ask(signer, person('jane'));
      await assert.rejects(ask(signer, other), /can only create a node CSR with CN=system:node:n2/);
    }
    await ask('kube-apiserver-client', other);
  });
});

test('NodeRestriction says nothing of a connection, and refuses a foreign node to a kubelet', async () => {
  const plugin = nodeRestriction(new FakeObjects());
  const user = person('system:node:n1', 'system:nodes');
  const node = (name: string): object => ({ kind: 'Node', metadata: { name } });
  await assert.rejects(
    admit(plugin, request('nodes', { user, name: 'n2', object: node('n2') })),
    /nodes "n2" is forbidden: node "n1" is not allowed/,
  );
  await admit(plugin, request('nodes', { user, name: 'n1', object: node('n1') }));
  await admit(plugin, request('nodes', { user, operation: 'CONNECT', subresource: 'proxy', name: 'n2' }));
});
