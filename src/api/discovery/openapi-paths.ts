/**
 * The paths of an OpenAPI document. kubectl looks here for two things: `explain` for the kind at a resource's path, and `apply` and
 * `create --validate` for the parameter `fieldValidation` of the PATCH operation of a kind.
 */
import { patchTypesOf } from '../patch/patch-types.ts';
import type { ResourceRow, Verb } from '../registry/resource-row.ts';
import { pathOf, type ResourceType } from '../resource-types.ts';
import { type Schema, typeNameOf } from '../schema/schema.ts';
import { type DiscoveryRow, kindOf } from './discovery.ts';
import type { Json, SchemaSet } from './openapi-schema.ts';

export type OpenApiRow = DiscoveryRow & Pick<ResourceRow, 'listKind' | 'schema'>;

interface Gvk {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const query = (name: string, type = 'string'): Json => ({ name, in: 'query', schema: { type, uniqueItems: true } });
const inPath = (name: string): Json => ({ name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } });

const writeVerb: readonly Json[] = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
const listVerb: readonly Json[] = [
  ...[
    query('allowWatchBookmarks', 'boolean'),
    query('continue'),
    query('fieldSelector'),
    query('labelSelector'),
    query('limit', 'integer'),
  ],
  ...[query('resourceVersion'), query('resourceVersionMatch'), query('sendInitialEvents', 'boolean'), query('timeoutSeconds', 'integer')],
  query('watch', 'boolean'),
];
const deleteVerb: readonly Json[] = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
];

interface Operation {
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  readonly action: string;
  readonly parameters: readonly Json[];
  readonly takes?: Json;
  /** The media types of what it takes. */
  readonly as?: readonly string[];
}

/** The operations of one path that the verbs allow. */
function operationsOf(
  verbs: readonly Verb[],
  place: 'collection' | 'item' | 'subresource',
  body: Json,
  schemas: SchemaSet,
  patchTypes: readonly string[],
): Operation[] {
  const options = schemas.add('meta.v1.DeleteOptions');
  const all: readonly (readonly [Verb, 'collection' | 'item' | 'subresource' | 'any', Operation])[] = [
    ['list', 'collection', { method: 'get', action: 'list', parameters: listVerb }],
    ['create', 'collection', { method: 'post', action: 'post', parameters: writeVerb, takes: body }],
    [
      'deletecollection',
      'collection',
      { method: 'delete', action: 'deletecollection', parameters: [...listVerb, ...deleteVerb], takes: options },
    ],
    ['get', 'item', { method: 'get', action: 'get', parameters: [] }],
    ['delete', 'item', { method: 'delete', action: 'delete', parameters: deleteVerb, takes: options }],
    ['update', 'item', { method: 'put', action: 'put', parameters: writeVerb, takes: body }],
    [
      'patch',
      'item',
      {
        method: 'patch',
        action: 'patch',
        parameters: [...writeVerb, query('force', 'boolean')],
        takes: schemas.add('meta.v1.Patch'),
        as: patchTypes,
      },
    ],
  ];
  const here = (p: string): boolean => p === place || (place === 'subresource' && p === 'item');
  const found = all.filter(([verb, p]) => verbs.includes(verb) && here(p)).map(([, , op]) => op);
  // `pods/binding`, `pods/eviction`, `serviceaccounts/token`: a POST to one object.
  if (place === 'subresource' && verbs.includes('create'))
    found.push({ method: 'post', action: 'post', parameters: writeVerb, takes: body });
  return found;
}

function content(types: readonly string[], schema: Json): Json {
  return Object.fromEntries(types.map((t) => [t, { schema }]));
}

function pathItem(
  operations: readonly Operation[],
  gvk: Gvk,
  name: string,
  answers: (action: string) => Json,
  inPaths: readonly Json[],
): Json {
  const item: Json = {};
  for (const { method, action, parameters, takes, as = ['*/*'] } of operations) {
    item[method] = {
      tags: [name.split(' ')[0]],
      operationId: `${action}${name.replace(' ', '')}`,
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(takes ? { requestBody: { content: content(as, takes), required: method !== 'delete' } } : {}),
      responses: { 200: { description: 'OK', content: content(['application/json'], answers(action)) } },
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group: gvk.group, kind: gvk.kind, version: gvk.version },
    };
  }
  if (inPaths.length > 0) item.parameters = inPaths;
  return item;
}

/** `/apis/apps/v1/namespaces/{namespace}/deployments`, with the braces of OpenAPI. */
function template(type: ResourceType, namespaced: boolean, name?: string, sub?: string): string {
  return decodeURIComponent(pathOf({ ...type, namespaced: true }, namespaced ? '{namespace}' : undefined, name, sub));
}

function listSchemaOf({ schema, type, listKind }: OpenApiRow): Schema | undefined {
  if (typeof schema === 'string') return typeNameOf(type.group, type.version, listKind);
  return { ...schema, type: `${schema.type}List` };
}

/** The paths of one resource. Adds the schemas they speak of. */
export function pathsOf(row: OpenApiRow, schemas: SchemaSet): Json {
  const { type } = row;
  const tag = `${type.group === '' ? 'core' : type.group.split('.')[0]}_${type.version}`;
  const name = `${tag} ${type.namespaced ? 'Namespaced' : ''}${type.kind}`;
  const own = schemas.addKind(row.schema, type);
  const listType = listSchemaOf(row);
  const list = listType ? schemas.addKind(listType, { ...type, kind: row.listKind }) : own;
  const status = schemas.addKind('meta.v1.Status', { group: '', version: 'v1', kind: 'Status' });
  const answers = (action: string): Json => (action === 'list' ? list : action.startsWith('delete') ? status : own);
  const scope = type.namespaced ? [inPath('namespace')] : [];
  const patchTypes = patchTypesOf(row.schema).toSorted();
  const out: Json = {};
  const put = (path: string, item: Json): void => {
    if (Object.keys(item).some((k) => k !== 'parameters')) out[path] = item;
  };
  put(
    template(type, type.namespaced),
    pathItem(operationsOf(row.verbs, 'collection', own, schemas, patchTypes), type, name, answers, scope),
  );
  if (type.namespaced) {
    const everywhere = operationsOf(
      row.verbs.filter((v) => v === 'list'),
      'collection',
      own,
      schemas,
      patchTypes,
    );
    put(template(type, false), pathItem(everywhere, type, `${tag} ${type.kind}ForAllNamespaces`, answers, []));
  }
  const item = [inPath('name'), ...scope];
  put(
    template(type, type.namespaced, '{name}'),
    pathItem(operationsOf(row.verbs, 'item', own, schemas, patchTypes), type, name, answers, item),
  );
  for (const sub of row.subresources) {
    const gvk = kindOf(row, sub);
    const body = schemas.add(sub.kind === 'part' ? row.schema : (typeNameOf(gvk.group, gvk.version, gvk.kind) ?? gvk.kind));
    const operations = operationsOf(sub.verbs, 'subresource', body, schemas, patchTypes);
    const title = `${name}${sub.name[0]?.toUpperCase()}${sub.name.slice(1)}`;
    put(
      template(type, type.namespaced, '{name}', sub.name),
      pathItem(operations, gvk, title, () => body, item),
    );
  }
  return out;
}
