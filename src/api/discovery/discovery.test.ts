import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions, groupsOf } from './discovery.ts';
import { OpenApi } from './openapi.ts';
import type { OpenApiRow } from './openapi-paths.ts';

const all = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

function row(group: string, version: string, kind: string, more: Partial<OpenApiRow> = {}): OpenApiRow {
  const resource = `${kind.toLowerCase()}s`;
  return {
    type: { group, version, kind, resource, namespaced: true },
    schema: kind,
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: all,
    subresources: [],
    returnsDeleted: false,
    ...more,
  };
}

const rows: readonly OpenApiRow[] = [
  row('apps', 'v1', 'Deployment', {
    shortNames: ['deploy'],
    categories: ['all'],
    subresources: [
      {
        kind: 'part',
        name: 'status',
        verbs: ['get', 'patch', 'update'],
        changesMeta: false,
        prepareUpdate: () => {},
        validateUpdate: () => [],
      },
      {
        kind: 'scale',
        name: 'scale',
        verbs: ['get', 'patch', 'update'],
        read: () => ({ replicas: 0, statusReplicas: 0, selector: '' }),
        setReplicas: () => {},
      },
    ],
  }),
  row('', 'v1', 'Pod', {
    subresources: [{ kind: 'special', name: 'eviction', verbs: ['create'], body: { group: 'policy', version: 'v1', kind: 'Eviction' } }],
  }),
  row('', 'v1', 'Node', { type: { group: '', version: 'v1', kind: 'Node', resource: 'nodes', namespaced: false } }),
  row('events.k8s.io', 'v1', 'Event'),
  row('autoscaling', 'v1', 'HorizontalPodAutoscaler'),
  row('autoscaling', 'v2', 'HorizontalPodAutoscaler'),
];

test('groups stand in the order of upstream, newer versions first', () => {
  assert.deepEqual(
    groupsOf(rows).map((g) => `${g.group}:${g.versions.join('+')}`),
    [':v1', 'apps:v1', 'events.k8s.io:v1', 'autoscaling:v2+v1'],
  );
});

test('the legacy documents name versions, groups and resources', () => {
  assert.deepEqual(apiVersions(rows, '10.0.0.1:6443').versions, ['v1']);
  assert.deepEqual(
    apiGroupList(rows).groups.map((g) => g.name),
    ['apps', 'events.k8s.io', 'autoscaling'],
  );
  assert.equal(apiGroup(rows, 'autoscaling')?.preferredVersion?.groupVersion, 'autoscaling/v2');
  assert.equal(apiGroup(rows, 'nothing'), undefined);
  assert.equal(apiGroup(rows, ''), undefined);
  assert.equal(apiResourceList(rows, 'apps', 'v9'), undefined);
});

test('a resource list has subresources, with their kind and the group when it is another one', () => {
  assert.deepEqual(apiResourceList(rows, 'apps', 'v1'), {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'apps/v1',
    resources: [
      {
        name: 'deployments',
        singularName: 'deployment',
        namespaced: true,
        kind: 'Deployment',
        verbs: [...all],
        shortNames: ['deploy'],
        categories: ['all'],
      },
      { name: 'deployments/status', singularName: '', namespaced: true, kind: 'Deployment', verbs: ['get', 'patch', 'update'] },
      {
        name: 'deployments/scale',
        singularName: '',
        namespaced: true,
        group: 'autoscaling',
        version: 'v1',
        kind: 'Scale',
        verbs: ['get', 'patch', 'update'],
      },
    ],
  });
});

test('the aggregated documents split core and groups, in both versions', () => {
  const core = aggregatedDiscovery(rows, 'core') as {
    apiVersion: string;
    items: { metadata: object; versions: { resources: object[] }[] }[];
  };
  assert.equal(core.apiVersion, 'apidiscovery.k8s.io/v2');
  assert.equal(core.items.length, 1);
  assert.deepEqual(core.items[0]?.versions[0]?.resources[1], {
    resource: 'pods',
    responseKind: { group: '', version: 'v1', kind: 'Pod' },
    scope: 'Namespaced',
    singularResource: 'pod',
    verbs: [...all],
    subresources: [{ subresource: 'eviction', responseKind: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] }],
  });
  const groups = aggregatedDiscovery(rows, 'groups', 'v2beta1') as { apiVersion: string; items: object[] };
  assert.equal(groups.apiVersion, 'apidiscovery.k8s.io/v2beta1');
  assert.equal(groups.items.length, 3);
});

interface Document {
  readonly paths: Record<string, Record<string, Record<string, unknown>>>;
  readonly components: {
    readonly schemas: Record<string, { properties?: Record<string, Record<string, unknown>> } & Record<string, unknown>>;
  };
}

const api = new OpenApi(rows, 'v1.35.0');
const parse = (path: string): Document => JSON.parse(api.document(path) ?? 'null') as Document;

test('the OpenAPI index has a URL with a hash for every group version', () => {
  const { paths } = api.index();
  assert.deepEqual(Object.keys(paths), ['api/v1', 'apis/apps/v1', 'apis/events.k8s.io/v1', 'apis/autoscaling/v2', 'apis/autoscaling/v1']);
  assert.equal(paths['apis/apps/v1']?.serverRelativeURL, `/openapi/v3/apis/apps/v1?hash=${api.hashOf('apis/apps/v1')}`);
  assert.match(api.hashOf('api/v1') ?? '', /^[0-9A-F]{64}$/);
  assert.equal(api.document('apis/none/v1'), undefined);
});

test('a PATCH says its kind and takes fieldValidation, which kubectl looks for', () => {
  const patch = parse('apis/apps/v1').paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.patch;
  assert.deepEqual(patch?.['x-kubernetes-group-version-kind'], { group: 'apps', kind: 'Deployment', version: 'v1' });
  assert.equal(patch?.['x-kubernetes-action'], 'patch');
  const parameters = (patch?.parameters ?? []) as { name: string }[];
  assert.ok(parameters.some((p) => p.name === 'fieldValidation'));
});

test('paths stand with and without namespace, and for subresources', () => {
  const core = parse('api/v1').paths;
  assert.deepEqual(Object.keys(core).sort(), [
    '/api/v1/namespaces/{namespace}/pods',
    '/api/v1/namespaces/{namespace}/pods/{name}',
    '/api/v1/namespaces/{namespace}/pods/{name}/eviction',
    '/api/v1/nodes',
    '/api/v1/nodes/{name}',
    '/api/v1/pods',
  ]);
});

test('schemas carry kinds, required fields and the marks that patches need', () => {
  const { schemas } = parse('apis/apps/v1').components;
  assert.deepEqual(schemas['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind'], [
    { group: 'apps', kind: 'Deployment', version: 'v1' },
  ]);
  const containers = schemas['io.k8s.api.core.v1.PodSpec']?.properties?.containers;
  assert.equal(containers?.['x-kubernetes-patch-merge-key'], 'name');
  assert.equal(containers?.['x-kubernetes-list-type'], 'map');
  assert.deepEqual(containers?.['x-kubernetes-list-map-keys'], ['name']);
  assert.equal(containers?.['x-kubernetes-patch-strategy'], 'merge');
  assert.deepEqual(schemas['io.k8s.api.core.v1.PodSpec']?.required, ['containers']);
  assert.deepEqual(schemas['io.k8s.api.core.v1.Probe']?.properties?.failureThreshold, {
    description: 'How many failures in a row turn success into failure. Default 3.',
    type: 'integer',
    format: 'int32',
  });
});

test('every reference leads to a schema that is there', () => {
  for (const path of Object.keys(api.index().paths)) {
    const text = api.document(path) ?? '';
    const { schemas } = parse(path).components;
    for (const [, name] of text.matchAll(/#\/components\/schemas\/([^"]+)/g)) assert.ok(schemas[name as string], `${path}: ${name}`);
  }
});
