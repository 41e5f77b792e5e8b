/** Boxes: a kind whose versions a webhook converts. `v1` says `size: "2x3"`, `v2` `width: 2, height: 3`, and is deeper in its `scale`. */
import type { FakeWebhook, Reply } from './fake-webhook.ts';
import type { Json } from './test-server.ts';

export const group = 'boxes.example.com';
export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

const anyFields = { type: 'object', additionalProperties: { type: 'string' } };
const specs: Readonly<Record<string, object>> = {
  v1: {
    size: { type: 'string', pattern: '^[0-9]+x[0-9]+$' },
    colour: { type: 'string', default: 'grey' },
    replicas: { type: 'integer' },
    notes: anyFields,
  },
  v2: {
    width: { type: 'integer', minimum: 1 },
    height: { type: 'integer' },
    colour: { type: 'string', default: 'blue' },
    pool: { type: 'object', properties: { replicas: { type: 'integer' } } },
    notes: anyFields,
  },
};

function version(name: string, isStored: boolean): object {
  const status = { type: 'object', properties: { phase: { type: 'string' }, replicas: { type: 'integer' } } };
  const openAPIV3Schema = { type: 'object', properties: { spec: { type: 'object', properties: specs[name] }, status } };
  const specReplicasPath = name === 'v1' ? '.spec.replicas' : '.spec.pool.replicas';
  return {
    ...{ name, served: true, storage: isStored, schema: { openAPIV3Schema } },
    subresources: { status: {}, scale: { specReplicasPath, statusReplicasPath: '.status.replicas' } },
    selectableFields: [{ jsonPath: name === 'v1' ? '.spec.size' : '.spec.width' }],
    additionalPrinterColumns: [{ name: 'Size', type: 'string', jsonPath: name === 'v1' ? '.spec.size' : '.spec.width' }],
  };
}

/** With `stored` as its storage version. */
export function boxDefinition(hook: FakeWebhook, plural = 'boxes', stored = 'v1', reviews: readonly string[] = ['v1']): Json {
  const kind = plural[0]?.toUpperCase() + plural.slice(1, -2);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      ...{ group, scope: 'Namespaced', names: { plural, kind } },
      versions: ['v1', 'v2'].map((name) => version(name, name === stored)),
      conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: reviews, clientConfig: hook.client(`/${plural}`) } },
    },
  };
}

/** As it is in the other version. */
export function convertedBox(box: Json, apiVersion: string): Json {
  const { size = '', width, height, replicas, pool, ...rest } = box.spec ?? {};
  if (apiVersion.endsWith('/v2')) {
    const [w, h] = size.split('x').map(Number);
    const inPool = replicas === undefined ? {} : { pool: { replicas } };
    return { ...box, apiVersion, spec: { ...rest, ...(w === undefined || size === '' ? {} : { width: w, height: h }), ...inPool } };
  }
  const one = pool?.replicas === undefined ? {} : { replicas: pool.replicas };
  return { ...box, apiVersion, spec: { ...rest, ...(width === undefined ? {} : { size: `${width}x${height ?? 0}` }), ...one } };
}

/** What the webhook answers; `change` may make something else of each object. */
export function converting(change: (converted: Json, asked: Json) => unknown = (converted) => converted): (review: Json) => Reply {
  return ({ request }) => ({
    result: { status: 'Success' },
    convertedObjects: request.objects.map((box: Json) => change(convertedBox(box, request.desiredAPIVersion), box)),
  });
}
