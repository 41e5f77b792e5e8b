/** Definitions of kinds and objects of them, good and bad. */
import type { Json } from './kube-apiserver.ts';

const root = { type: 'object', properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } } };

export function definitionOf(change: (definition: Json) => unknown = () => {}): Json {
  const definition: Json = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'gadgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'gadgets', kind: 'Gadget' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: structuredClone(root) } }],
    },
  };
  change(definition);
  return definition;
}

/** A definition whose `spec` has another schema. */
function ofSpec(schema: Json): Json {
  return definitionOf(({ spec }) => Object.assign(spec.versions[0].schema.openAPIV3Schema.properties, { spec: schema }));
}

/** A definition whose version says more. */
function ofVersion(more: Json): Json {
  return definitionOf(({ spec }) => Object.assign(spec.versions[0], more));
}

const pair = [{ type: 'integer' }, { type: 'string' }];
const list = (more: Json, items: Json = { type: 'object', properties: { n: { type: 'string' } } }): Json =>
  ofSpec({ type: 'array', items, ...more });

export const definitions: Readonly<Record<string, Json>> = {
  plain: definitionOf(),
  'another name': definitionOf((d) => Object.assign(d.metadata, { name: 'gizmos.example.com' })),
  'no group': definitionOf(({ spec }) => delete spec.group),
  'a group without a dot': definitionOf((d) => {
    Object.assign(d.spec, { group: 'example' });
    Object.assign(d.metadata, { name: 'gadgets.example' });
  }),
  'a group of Kubernetes': definitionOf((d) => {
    Object.assign(d.spec, { group: 'x.k8s.io' });
    Object.assign(d.metadata, { name: 'gadgets.x.k8s.io' });
  }),
  'no scope': definitionOf(({ spec }) => delete spec.scope),
  'another scope': definitionOf(({ spec }) => Object.assign(spec, { scope: 'Nowhere' })),
  'no kind': definitionOf(({ spec }) => delete spec.names.kind),
  'names that are none': definitionOf(({ spec }) =>
    Object.assign(spec.names, { kind: 'A b', singular: 'X', listKind: 'a_b', shortNames: ['G'], categories: ['All'] }),
  ),
  'a kind that is its list': definitionOf(({ spec }) => Object.assign(spec.names, { listKind: 'Gadget' })),
  'no versions': definitionOf(({ spec }) => delete spec.versions),
  'no storage version': ofVersion({ storage: false }),
  'two storage versions': definitionOf(({ spec }) => spec.versions.push({ ...spec.versions[0], name: 'v2' })),
  'a version twice': definitionOf(({ spec }) => spec.versions.push({ ...spec.versions[0], storage: false })),
  'a version that is no label': ofVersion({ name: 'V1' }),
  'no schema': definitionOf(({ spec }) => delete spec.versions[0].schema),
  preserveUnknownFields: definitionOf(({ spec }) => Object.assign(spec, { preserveUnknownFields: true })),
  'unknown fields': ofVersion({ nonsense: 1 }),
  'a wrong type': definitionOf(({ spec }) => Object.assign(spec, { versions: {} })),
  'a warning of what is not deprecated': ofVersion({ deprecationWarning: 'x' }),
  'no webhook': definitionOf(({ spec }) => Object.assign(spec, { conversion: { strategy: 'Webhook' } })),
  'another conversion': definitionOf(({ spec }) => Object.assign(spec, { conversion: { strategy: 'Magic' } })),
  'a webhook without a strategy': definitionOf(({ spec }) =>
    Object.assign(spec, {
      conversion: { strategy: 'None', webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://x' } } },
    }),
  ),
  'columns that are none': ofVersion({
    additionalPrinterColumns: [
      { name: '', type: 'text', jsonPath: 'x', format: 'y' },
      { name: 'A', type: '', jsonPath: '' },
    ],
  }),
  'a scale elsewhere': ofVersion({
    subresources: { scale: { specReplicasPath: '.status.a', statusReplicasPath: 'x', labelSelectorPath: '.a' } },
  }),
  'a scale of nothing': ofVersion({ subresources: { scale: { specReplicasPath: '', statusReplicasPath: '' } } }),
  'selectable objects': ofVersion({
    selectableFields: [{ jsonPath: '.spec' }, { jsonPath: '.spec.size' }, { jsonPath: '.spec.size' }, { jsonPath: '' }],
  }),
  'no type': ofSpec({}),
  'a type that is none': ofSpec({ type: 'text' }),
  'a list of nothing': ofSpec({ type: 'array' }),
  'a list without a type': ofSpec({ type: 'array', items: {} }),
  'properties and others': ofSpec({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } }),
  'a pattern that is none': ofSpec({ type: 'string', pattern: '(' }),
  'a pattern of another kind': ofSpec({ type: 'string', pattern: '(?=x)y' }),
  'unique items': list({ uniqueItems: true }),
  'a format that nobody knows': ofSpec({ type: 'string', format: 'made-up' }),
  'a type in anyOf': ofSpec({ type: 'object', anyOf: [{ type: 'object', description: 'x', default: {} }] }),
  'what is not there in allOf': definitionOf(({ spec }) =>
    Object.assign(spec.versions[0].schema.openAPIV3Schema, { allOf: [{ properties: { other: { minimum: 1 } } }] }),
  ),
  'an int-or-string': ofSpec({ 'x-kubernetes-int-or-string': true, anyOf: pair }),
  'an int-or-string with a pattern': ofSpec({ 'x-kubernetes-int-or-string': true, anyOf: pair, pattern: '^x$' }),
  'an int-or-string that is an object': ofSpec({
    'x-kubernetes-int-or-string': true,
    'x-kubernetes-embedded-resource': true,
    type: 'object',
  }),
  'an object in an object': ofSpec({
    type: 'object',
    'x-kubernetes-embedded-resource': true,
    'x-kubernetes-preserve-unknown-fields': true,
  }),
  'an empty object in an object': ofSpec({ type: 'object', 'x-kubernetes-embedded-resource': true }),
  'fields that are not kept': ofSpec({ type: 'object', 'x-kubernetes-preserve-unknown-fields': false }),
  'a default': ofSpec({ type: 'object', properties: { a: { type: 'integer', default: 3 } } }),
  'a default of another type': ofSpec({ type: 'object', properties: { a: { type: 'integer', default: 'x' } } }),
  'a default with more': ofSpec({ type: 'object', properties: { a: { type: 'object', default: { b: 1 } } } }),
  'a default of metadata': definitionOf(({ spec }) =>
    Object.assign(spec.versions[0].schema.openAPIV3Schema.properties, { metadata: { type: 'object', default: {} } }),
  ),
  'labels of metadata': definitionOf(({ spec }) =>
    Object.assign(spec.versions[0].schema.openAPIV3Schema.properties, {
      metadata: { type: 'object', properties: { labels: { type: 'object' } } },
    }),
  ),
  'names of metadata': definitionOf(({ spec }) =>
    Object.assign(spec.versions[0].schema.openAPIV3Schema.properties, {
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } },
    }),
  ),
  'a root that is a list': definitionOf(({ spec }) =>
    Object.assign(spec.versions[0].schema, { openAPIV3Schema: { type: 'array', items: root } }),
  ),
  'a root that may be null': definitionOf(({ spec }) => Object.assign(spec.versions[0].schema.openAPIV3Schema, { nullable: true })),
  'anyOf beside a status': definitionOf(({ spec }) => {
    Object.assign(spec.versions[0], { subresources: { status: {} } });
    Object.assign(spec.versions[0].schema.openAPIV3Schema, { anyOf: [{ required: ['spec'] }] });
  }),
  'a list with keys': list(
    { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['n'] },
    { type: 'object', required: ['n'], properties: { n: { type: 'string' } } },
  ),
  'a list with keys that may be missing': list({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['n', 'm', 'n'] }),
  'a list without keys': list({ 'x-kubernetes-list-type': 'map' }),
  'keys of no list': list({ 'x-kubernetes-list-map-keys': ['n'] }),
  'keys of a set': list({ 'x-kubernetes-list-type': 'set', 'x-kubernetes-list-map-keys': ['n'] }),
  'a list type that is none': list({ 'x-kubernetes-list-type': 'bag' }),
  'a list type of an object': ofSpec({ type: 'object', 'x-kubernetes-list-type': 'set', 'x-kubernetes-map-type': 'bag' }),
  'a $ref': ofSpec({ type: 'object', $ref: '#/definitions/x', definitions: { x: { type: 'string' } } }),
  'a rule without a rule': ofSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: ' ' }] }),
};

/** The kind that the objects are of. */
export const widgets: Json = definitionOf((d) => {
  d.metadata.name = 'widgets.example.com';
  d.spec.names = { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['things'] };
  const spec: Json = {
    type: 'object',
    required: ['size'],
    properties: {
      size: { type: 'integer', minimum: 1, maximum: 10, multipleOf: 2 },
      ratio: { type: 'number', minimum: 0, exclusiveMinimum: true },
      int32: { type: 'integer', format: 'int32' },
      colour: { type: 'string', enum: ['red', 'green'], default: 'red' },
      name: { type: 'string', minLength: 2, maxLength: 5, pattern: '^[a-z]+$' },
      when: { type: 'string', format: 'date-time' },
      ip: { type: 'string', format: 'ipv4' },
      port: { 'x-kubernetes-int-or-string': true },
      maybe: { type: 'string', nullable: true },
      flag: { type: 'boolean' },
      labels: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 2 },
      any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set', maxItems: 3 },
      parts: {
        type: 'array',
        minItems: 1,
        items: { type: 'object', required: ['n'], properties: { n: { type: 'string' }, w: { type: 'integer', default: 1 } } },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['n'],
      },
      either: {
        type: 'object',
        properties: { a: { type: 'string' }, b: { type: 'string' } },
        oneOf: [{ required: ['a'] }, { required: ['b'] }],
      },
      some: { type: 'integer', anyOf: [{ minimum: 5 }, { maximum: 1 }] },
      never: { type: 'integer', not: { enum: [3] } },
    },
  };
  Object.assign(d.spec.versions[0], {
    schema: {
      openAPIV3Schema: {
        type: 'object',
        required: ['spec'],
        properties: { spec, status: { type: 'object', properties: { ready: { type: 'integer' } } } },
      },
    },
    subresources: { status: {}, scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.ready' } },
    additionalPrinterColumns: [
      { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
      { name: 'Colour', type: 'string', jsonPath: '.spec.colour', priority: 1 },
      { name: 'Parts', type: 'string', jsonPath: '.spec.parts' },
      { name: 'Weight', type: 'integer', jsonPath: '.spec.parts[?(@.n=="a")].w' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    selectableFields: [{ jsonPath: '.spec.colour' }],
  });
});

/** What is wrong with the spec of a Widget, or right. */
export const specs: Readonly<Record<string, Json>> = {
  plain: { size: 2 },
  'no size': {},
  'a large size': { size: 12 },
  'an odd size': { size: 3 },
  'a small size': { size: 0 },
  'a size as text': { size: '2' },
  'half a size': { size: 2.5 },
  'no ratio at all': { size: 2, ratio: 0 },
  'a ratio as text': { size: 2, ratio: 'x' },
  'a large int32': { size: 2, int32: 4_294_967_296 },
  'another colour': { size: 2, colour: 'blue' },
  'a number as colour': { size: 2, colour: 5 },
  'a short name': { size: 2, name: 'a' },
  'a long name': { size: 2, name: 'abcdef' },
  'a loud name': { size: 2, name: 'ABC' },
  'another time': { size: 2, when: 'now' },
  'a number as time': { size: 2, when: 5 },
  'another address': { size: 2, ip: 'fd00::1' },
  'a port as text': { size: 2, port: 'http' },
  'a port that is a list': { size: 2, port: [] },
  nulls: { size: 2, maybe: null, colour: null, name: null },
  'null as size': { size: null },
  'a flag as text': { size: 2, flag: 'yes' },
  'a number as label': { size: 2, labels: { a: 1 } },
  'many labels': { size: 2, labels: { a: '1', b: '2', c: '3' } },
  'a list of labels': { size: 2, labels: ['a'] },
  'anything in any': { size: 2, any: { b: [{ c: 1 }] } },
  'text as any': { size: 2, any: 'x' },
  'an object within': { size: 2, template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', labels: { a: 'b' } }, spec: { x: 1 } } },
  'entries twice': { size: 2, set: ['a', 'b', 'a'] },
  'many entries': { size: 2, set: ['a', 'b', 'c', 'd'] },
  'no parts': { size: 2, parts: [] },
  'a part twice': { size: 2, parts: [{ n: 'a' }, { n: 'a', w: 2 }] },
  'a part without its key': { size: 2, parts: [{ w: 2 }] },
  'parts with more': { size: 2, parts: [{ n: 'a', x: { y: 1 } }], more: { a: 1 } },
  'neither of either': { size: 2, either: {} },
  'both of either': { size: 2, either: { a: 'x', b: 'y' } },
  'one of either': { size: 2, either: { a: 'x' } },
  'none of some': { size: 2, some: 3 },
  never: { size: 2, never: 3 },
};
