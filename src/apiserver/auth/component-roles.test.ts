import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resourceAttributes } from './attributes.ts';
import { authorizerWith, person } from './testing/fake-objects.ts';

/** What each part of a cluster asks for while it works: `verbs group:resource namespace`. */
const needs: Readonly<Record<string, readonly string[]>> = {
  'system:kube-controller-manager': [
    'list,watch apps:deployments -',
    'update,patch apps:deployments/status default',
    'patch apps:deployments default',
    'create,patch,delete,get apps:replicasets default',
    'update apps:replicasets/status default',
    'update apps:daemonsets/status default',
    'create,patch,delete apps:controllerrevisions default',
    'update core:replicationcontrollers/status default',
    'create,patch,delete core:pods default',
    'patch core:pods/status default',
    'create,update,delete discovery.k8s.io:endpointslices default',
    'create,update,delete core:endpoints default',
    'create,update core:serviceaccounts default',
    'create,update core:configmaps default',
    'get,list,watch,patch,delete example.com:widgets default',
    'deletecollection core:secrets default',
    'update core:namespaces/finalize default',
    'patch core:namespaces/status default',
    'patch,delete core:nodes -',
    'patch core:nodes/status -',
    'list,watch coordination.k8s.io:leases kube-node-lease',
    'create coordination.k8s.io:leases kube-system',
    'create,patch core:events default',
    'create,patch events.k8s.io:events default',
  ],
  'system:kube-scheduler': [
    'list,watch core:pods -',
    'list,watch core:nodes -',
    'list,watch core:namespaces -',
    'create core:pods/binding default',
    'patch core:pods/status default',
    'delete core:pods default',
    'list,watch policy:poddisruptionbudgets -',
    'create,patch core:events default',
    'create coordination.k8s.io:leases kube-system',
    'list,watch resource.k8s.io:deviceclasses -',
    'list,watch resource.k8s.io:resourceslices -',
    'list,watch,patch resource.k8s.io:resourceclaims -',
    'update resource.k8s.io:resourceclaims/status default',
    'list,watch storage.k8s.io:volumeattachments -',
    'update core:persistentvolumes -',
    'update core:persistentvolumeclaims default',
    'update core:pods/finalizers default',
  ],
  'system:serviceaccount:kube-system:resource-claim-controller': [
    'create,delete resource.k8s.io:resourceclaims default',
    'list,watch resource.k8s.io:resourceclaimtemplates -',
  ],
  'system:serviceaccount:kube-system:service-cidrs-controller': ['list,watch,patch networking.k8s.io:servicecidrs -'],
  'system:serviceaccount:kube-system:persistent-volume-binder': [
    'get,list,watch,update,delete core:persistentvolumes -',
    'update core:persistentvolumes/status -',
    'get,list,watch,update core:persistentvolumeclaims default',
    'update core:persistentvolumeclaims/status default',
    'list,watch storage.k8s.io:storageclasses -',
    'create,patch core:events default',
  ],
  'system:serviceaccount:kube-system:statefulset-controller': ['list,watch core:persistentvolumeclaims -'],
  'system:serviceaccount:kube-system:endpointslicemirroring-controller': ['list,watch discovery.k8s.io:endpointslices -'],
  'kube-apiserver-kubelet-client': ['get,create core:nodes/proxy -', 'get core:nodes/metrics -'],
  'system:kube-proxy': [
    'list,watch core:services -',
    'list,watch discovery.k8s.io:endpointslices -',
    'get,list,watch core:nodes -',
    'create events.k8s.io:events default',
  ],
  'system:fairlead:proxy:n1': [
    'list,watch core:services -',
    'list,watch discovery.k8s.io:endpointslices -',
    'get,list,watch core:nodes -',
    'create events.k8s.io:events default',
  ],
  'system:fairlead:net-agent:n1': [
    'get,list,watch core:nodes -',
    'patch core:nodes/status -',
    'list,watch networking.k8s.io:networkpolicies -',
  ],
  'system:fairlead:dns:n1': [
    'list,watch core:services -',
    'list,watch core:namespaces -',
    'list,watch core:pods -',
    'list,watch discovery.k8s.io:endpointslices -',
    'get core:nodes -',
    'create,update,delete discovery.k8s.io:endpointslices kube-system',
  ],
};

/** What none of them may, however it came about. */
const never: readonly string[] = [
  'create rbac.authorization.k8s.io:clusterrolebindings -',
  'escalate rbac.authorization.k8s.io:roles default',
  'create core:pods/exec default',
];

/** The group in which a part of a node has its rights. */
const groupsOf = (user: string): string[] => (user.startsWith('system:fairlead:') ? [user.slice(0, user.lastIndexOf(':'))] : []);

function* questions(user: string, line: string) {
  const [verbs = '', what = '', where = ''] = line.split(' ');
  const [group = '', full = ''] = what.split(':');
  const [resource = '', subresource = ''] = full.split('/');
  const at = { group: group === 'core' ? '' : group, resource, subresource, namespace: where === '-' ? '' : where };
  for (const verb of verbs.split(',')) yield resourceAttributes(person(user, ...groupsOf(user)), verb, at);
}

describe('the default roles', () => {
  const authorizer = authorizerWith([]);
  for (const [user, lines] of Object.entries(needs)) {
    test(`let ${user} do its work`, () => {
      for (const line of lines) {
        for (const question of questions(user, line)) assert.ok(authorizer.authorize(question).allowed, `${question.verb} ${line}`);
      }
    });

    test(`keep ${user} from taking over`, () => {
      for (const line of never) {
        for (const question of questions(user, line)) assert.ok(!authorizer.authorize(question).allowed, line);
      }
    });
  }
});
