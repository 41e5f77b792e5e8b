/** The default roles for people: cluster-admin, admin, edit, view, and what everybody may. Names and rules are upstream's. */
import type { ClusterRole } from '../../api/schema/types.ts';
import { aggregatedRole, clusterRole, paths, rule } from './policy-builder.ts';

const READ = 'get list watch';
const WRITE = 'create update patch delete deletecollection';
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

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

  aggregatedRole('admin', `${AGGREGATE}admin`),
  aggregatedRole('edit', `${AGGREGATE}edit`, { [`${AGGREGATE}admin`]: 'true' }),
  aggregatedRole('view', `${AGGREGATE}view`, { [`${AGGREGATE}edit`]: 'true' }),

  clusterRole(
    'system:aggregate-to-admin',
    [
      rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
      rule(`${READ} ${WRITE}`, 'rbac.authorization.k8s.io', 'roles rolebindings'),
    ],
    { [`${AGGREGATE}admin`]: 'true' },
  ),
  clusterRole(
    'system:aggregate-to-edit',
    [
      // Reading these gives more than reading: a secret, a shell.
      rule(READ, 'core', 'pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy'),
      rule('impersonate', 'core', 'serviceaccounts'),
      rule(WRITE, 'core', 'pods pods/attach pods/proxy pods/exec pods/portforward'),
      rule('create', 'core', 'pods/eviction'),
      rule(
        WRITE,
        'core',
        'replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets events',
      ),
      rule('create', 'core', 'serviceaccounts/token'),
      rule(
        WRITE,
        'apps',
        'statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets replicasets/scale',
      ),
      rule(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
      rule(WRITE, 'batch', 'jobs cronjobs'),
      rule(
        WRITE,
        'extensions',
        'daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale replicationcontrollers/scale networkpolicies',
      ),
      rule(WRITE, 'policy', 'poddisruptionbudgets'),
      rule(WRITE, 'events.k8s.io', 'events'),
      rule(WRITE, 'resource.k8s.io', 'resourceclaims resourceclaimtemplates'),
      rule(WRITE, 'networking.k8s.io', 'networkpolicies ingresses'),
      rule(`${READ} ${WRITE}`, 'coordination.k8s.io', 'leases'),
    ],
    { [`${AGGREGATE}edit`]: 'true' },
  ),
  clusterRole(
    'system:aggregate-to-view',
    [
      rule(
        READ,
        'core',
        'pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps',
      ),
      rule(
        READ,
        'core',
        'limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log',
      ),
      // Within a namespace this is reading that one namespace.
      rule(READ, 'core', 'namespaces'),
      rule(READ, 'discovery.k8s.io', 'endpointslices'),
      rule(
        READ,
        'apps',
        'controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale',
      ),
      rule(READ, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
      rule(READ, 'batch', 'jobs cronjobs cronjobs/status jobs/status'),
      rule(
        READ,
        'extensions',
        'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies',
      ),
      rule(READ, 'events.k8s.io', 'events'),
      rule(READ, 'resource.k8s.io', 'resourceclaims resourceclaims/status resourceclaimtemplates'),
      rule(READ, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
      rule(READ, 'networking.k8s.io', 'networkpolicies ingresses ingresses/status'),
    ],
    { [`${AGGREGATE}view`]: 'true' },
  ),
];
