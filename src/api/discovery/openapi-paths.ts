/**
 * The paths of an OpenAPI document. kubectl reads two things here: `explain` the kind at a resource's path; `apply` and `create` with
 * `--validate` whether the PATCH of a kind has the parameter `fieldValidation`.
 */
import { patchTypesOf } from '../patch/patch-types.ts';
import type { ResourceRow, Verb } from '../registry/resource-row.ts';
import { pathOf, type ResourceType } from '../resource-types.ts';
import { type Schema, typeNameOf } from '../schema/schema.ts';
import { type DiscoveryRow, kindOf } from './discovery.ts';
import type { Json, SchemaSet } from './openapi-schema.ts';

export type OpenApiRow = DiscoveryRow & Pick<ResourceRow, 'listKind' | 'schema' | 'returnsDeleted'>;

interface Gvk {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const inPath = (name: string): Json => ({ name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } });

/** Parameters of the query, with their types. */
function queries(types: Readonly<Record<string, string>>): Json[] {
  return Object.entries(types).map(([name, type]) => ({ name, in: 'query', schema: { type, uniqueItems: true } }));
}

const writeVerb = queries({ dryRun: 'string', fieldManager: 'string', fieldValidation: 'string' });
const patchVerb = [...writeVerb, ...queries({ force: 'boolean' })];
const listVerb = [
  ...queries({ allowWatchBookmarks: 'boolean', continue: 'string', fieldSelector: 'string', labelSelector: 'string', limit: 'integer' }),
  ...queries({ resourceVersion: 'string', resourceVersionMatch: 'string', sendInitialEvents: 'boolean', timeoutSeconds: 'integer' }),
  ...queries({ watch: 'boolean' }),
];
const deleteVerb = queries({ dryRun: 'string', gracePeriodSeconds: 'integer', orphanDependents: 'boolean', propagationPolicy: 'string' });

type PathKind = 'collection' | 'item' | 'subresource';

interface Operation {
  readonly verb: Verb;
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'patch';
  readonly parameters: readonly Json[];
  /** The schema of the request's body. */
  readonly takes?: Json | undefined;
}

/** The operations of one path that the verbs allow. `body` is the schema of the object. */
function operationsOf(verbs: readonly Verb[], place: PathKind, body: Json, schemas: SchemaSet): Operation[] {
  const create: Operation = { verb: 'create', method: 'post', parameters: writeVerb, takes: body };
  const options = schemas.add('meta.v1.DeleteOptions');
  const patch = schemas.add('meta.v1.Patch');
  const ofCollection: readonly Operation[] = [
    { verb: 'list', method: 'get', parameters: listVerb },
    create,
    { verb: 'deletecollection', method: 'delete', parameters: [...listVerb, ...deleteVerb], takes: options },
  ];
  const ofItem: readonly Operation[] = [
    { verb: 'get', method: 'get', parameters: [] },
    { verb: 'delete', method: 'delete', parameters: deleteVerb, takes: options },
    { verb: 'update', method: 'put', parameters: writeVerb, takes: body },
    { verb: 'patch', method: 'patch', parameters: patchVerb, takes: patch },
  ];
  // `pods/binding`, `pods/eviction` and `serviceaccounts/token` are made by a POST to one object.
  const all = place === 'collection' ? ofCollection : place === 'item' ? ofItem : [...ofItem, create];
  return all.filter(({ verb }) => verbs.includes(verb));
}

/** What `x-kubernetes-action` calls an operation: mostly its method. */
function actionOf({ verb, method }: Operation): string {
  return verb === 'list' || verb === 'deletecollection' ? verb : method;
}

function content(types: readonly string[], schema: Json): Json {
  return Object.fromEntries(types.map((t) => [t, { schema }]));
}

/** What all operations of one path have in common. */
interface PathInfo {
  readonly gvk: Gvk;
  readonly name: string;
  readonly parameters: readonly Json[];
  readonly patchTypes: readonly string[];
  answerTo(action: string): Json;
}

function pathItem(operations: readonly Operation[], { gvk, name, parameters: inPaths, patchTypes, answerTo }: PathInfo): Json {
  const item: Json = {};
  for (const operation of operations) {
    const { method, parameters, takes } = operation;
    const action = actionOf(operation);
    const types = method === 'patch' ? patchTypes : ['*/*'];
    item[method] = {
      tags: [name.split(' ')[0]],
      operationId: `${action}${name.replace(' ', '')}`,
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(takes ? { requestBody: { content: content(types, takes), required: method !== 'delete' } } : {}),
      responses: { 200: { description: 'OK', content: content(['application/json'], answerTo(action)) } },
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

/** The paths of one resource. Adds the schemas that they refer to. */
export function pathsOf(row: OpenApiRow, schemas: SchemaSet): Json {
  const { type, verbs } = row;
  const tag = `${type.group === '' ? 'core' : type.group.split('.')[0]}_${type.version}`;
  const name = `${tag} ${type.namespaced ? 'Namespaced' : ''}${type.kind}`;
  const own = schemas.addKind(row.schema, type);
  const listType = listSchemaOf(row);
  const list = listType ? schemas.addKind(listType, { ...type, kind: row.listKind }) : own;
  const status = schemas.addKind('meta.v1.Status', { group: '', version: 'v1', kind: 'Status' });
  const answerTo = (action: string): Json => {
    if (action === 'list') return list;
    return action === 'deletecollection' || (action === 'delete' && !row.returnsDeleted) ? status : own;
  };
  const parameters = type.namespaced ? [inPath('namespace')] : [];
  const info: PathInfo = { gvk: type, name, parameters, patchTypes: patchTypesOf(row.schema).toSorted(), answerTo };
  const ofItem: PathInfo = { ...info, parameters: [inPath('name'), ...parameters] };
  const out: Json = {};
  const put = (path: string, operations: readonly Operation[], of: PathInfo): void => {
    if (operations.length > 0) out[path] = pathItem(operations, of);
  };
  put(template(type, type.namespaced), operationsOf(verbs, 'collection', own, schemas), info);
  if (type.namespaced) {
    const everywhere = operationsOf(verbs, 'collection', own, schemas).filter(({ verb }) => verb === 'list');
    put(template(type, false), everywhere, { ...info, name: `${tag} ${type.kind}ForAllNamespaces`, parameters: [] });
  }
  put(template(type, type.namespaced, '{name}'), operationsOf(verbs, 'item', own, schemas), ofItem);
  for (const sub of row.subresources) {
    const gvk = kindOf(row, sub);
    const body = schemas.add(sub.kind === 'part' ? row.schema : (typeNameOf(gvk.group, gvk.version, gvk.kind) ?? gvk.kind));
    const title = `${name}${sub.name[0]?.toUpperCase()}${sub.name.slice(1)}`;
    const ofSub: PathInfo = { ...ofItem, gvk, name: title, answerTo: () => body };
    put(template(type, type.namespaced, '{name}', sub.name), operationsOf(sub.verbs, 'subresource', body, schemas), ofSub);
  }
  return out;
}
