/** The default roles for people: cluster-admin, admin, edit, view, and what everybody may. Names and rules are upstream's. */
import type { ClusterRole } from '../../api/schema/types.ts';
import { aggregatedRole, clusterRole, paths, rule, rules } from './policy-builder.ts';

const read = 'get list watch';
const write = 'create update patch delete deletecollection';
const replicated = 'replicationcontrollers replicationcontrollers/scale';
const aggregate = 'rbac.authorization.k8s.io/aggregate-to-';

export const userRoles: readonly ClusterRole[] = [
  clusterRole('cluster-admin', [rule('*', '*', '*'), paths('*', '*')]),
  clusterRole('system:discovery', [
    paths('get', '/livez', '/readyz', '/healthz', '/version', '/version/', '/openapi', '/openapi/*', '/api', '/api/*', '/apis', '/apis/*'),
  ]),
  clusterRole('system:basic-user', [
    rule('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
    rule('create', 'authentication.k8s.io', 'selfsubjectreviews'),
  ]),
  clusterRole('system:public-info-viewer', [paths('get', '/livez', '/readyz', '/healthz', '/version', '/version/')]),
  clusterRole('system:monitoring', [
    paths('get', '/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/metrics/slis', '/readyz', '/readyz/*'),
    rule('get', 'core', 'nodes/metrics'),
  ]),
  clusterRole('system:service-account-issuer-discovery', [
    paths('get', '/.well-known/openid-configuration', '/.well-known/openid-configuration/', '/openid/v1/jwks', '/openid/v1/jwks/'),
  ]),

  aggregatedRole('admin', `${aggregate}admin`),
  aggregatedRole('edit', `${aggregate}edit`, { [`${aggregate}admin`]: 'true' }),
  aggregatedRole('view', `${aggregate}view`, { [`${aggregate}edit`]: 'true' }),

  clusterRole(
    'system:aggregate-to-admin',
    [
      rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
      rule(`${read} ${write}`, 'rbac.authorization.k8s.io', 'roles rolebindings'),
    ],
    { [`${aggregate}admin`]: 'true' },
  ),
  clusterRole(
    'system:aggregate-to-edit',
    [
      // Reading these gives more than reading: a secret, a shell.
      rule(read, 'core', 'pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy'),
      rule('impersonate', 'core', 'serviceaccounts'),
      rule(write, 'core', 'pods pods/attach pods/proxy pods/exec pods/portforward'),
      rule('create', 'core', 'pods/eviction'),
      rule(write, 'core', `${replicated} serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets events`),
      rule('create', 'core', 'serviceaccounts/token'),
      ...rules(write, {
        apps: 'statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets replicasets/scale',
        autoscaling: 'horizontalpodautoscalers',
        batch: 'jobs cronjobs',
        extensions:
          'daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale replicationcontrollers/scale networkpolicies',
        policy: 'poddisruptionbudgets',
        'events.k8s.io': 'events',
        'resource.k8s.io': 'resourceclaims resourceclaimtemplates',
        'networking.k8s.io': 'networkpolicies ingresses',
      }),
      rule(`${read} ${write}`, 'coordination.k8s.io', 'leases'),
    ],
    { [`${aggregate}edit`]: 'true' },
  ),
  clusterRole(
    'system:aggregate-to-view',
    [
      ...rules(read, {
        core: `pods ${replicated} serviceaccounts services services/status endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps`,
      }),
      ...rules(read, {
        core: 'limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log',
      }),
      // Within a namespace this is reading that one namespace.
      rule(read, 'core', 'namespaces'),
      ...rules(read, {
        'discovery.k8s.io': 'endpointslices',
        apps: 'controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale',
        autoscaling: 'horizontalpodautoscalers horizontalpodautoscalers/status',
        batch: 'jobs cronjobs cronjobs/status jobs/status',
        extensions:
          'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies',
        'events.k8s.io': 'events',
        'resource.k8s.io': 'resourceclaims resourceclaims/status resourceclaimtemplates',
        policy: 'poddisruptionbudgets poddisruptionbudgets/status',
        'networking.k8s.io': 'networkpolicies ingresses ingresses/status',
      }),
    ],
    { [`${aggregate}view`]: 'true' },
  ),
];
