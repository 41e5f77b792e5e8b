import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cloneJson } from '../codec/json-clone.ts';
import { textOf } from '../validation/field-error.ts';
import type { CustomResourceDefinition } from './definition.ts';
import { definitionErrors, definitionUpdateErrors } from './definition-errors.ts';
import { definitionWarnings } from './definition-warnings.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a test breaks has no type
type Loose = any;

function widgets(): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } } },
        },
      ],
    },
    status: { storedVersions: ['v1'] },
  };
}

/** As of what all versions say alike. */
const schemaAt = 'spec.validation.openAPIV3Schema';

/** A schema in place of that of `spec`. */
function ofSpec(schema: Loose): (d: Loose) => void {
  return (d) => {
    d.spec.versions[0].schema.openAPIV3Schema.properties.spec = schema;
  };
}

describe('definitionErrors()', () => {
  test('a plain one is taken', () => assert.deepEqual(definitionErrors(widgets()), []));

  const specAt = `${schemaAt}.properties[spec]`;
  const cases: readonly (readonly [change: (d: Loose) => void, ...errors: string[]])[] = [
    [
      (d) => Object.assign(d.metadata, { name: 'x.example.com' }),
      'metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group',
    ],
    [
      (d) => Object.assign(d.spec, { scope: 'Nowhere' }),
      'spec.scope: Unsupported value: "Nowhere": supported values: "Cluster", "Namespaced"',
    ],
    [(d) => Object.assign(d.spec.versions[0], { storage: false }), 'must have exactly one version marked as storage version'],
    [(d) => d.spec.versions.push({ ...d.spec.versions[0], storage: false }), 'must contain unique version names'],
    [
      (d) => Object.assign(d.spec.versions[0], { name: 'V1' }),
      'spec.versions[0].name: Invalid value: "V1": a DNS-1035 label',
      'spec.version: Invalid value: "V1": a DNS-1035 label',
      'must have the storage version V1',
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions',
    ],
    [(d) => void delete d.spec.versions[0].schema, 'spec.versions[0].schema.openAPIV3Schema: Required value'],
    [
      (d) => Object.assign(d.spec.names, { listKind: 'Widget' }),
      'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same',
    ],
    [(d) => Object.assign(d.spec.names, { shortNames: ['W'] }), 'spec.names.shortNames[0]: Invalid value: "W": a DNS-1035 label'],
    [(d) => Object.assign(d.spec, { preserveUnknownFields: true }), 'spec.preserveUnknownFields: Invalid value: true: cannot set to true'],
    [
      (d) => Object.assign(d.spec, { conversion: { strategy: 'Webhook' } }),
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
      'spec.conversion.conversionReviewVersions: Required value',
    ],
    [
      (d) => Object.assign(d.spec.versions[0], { additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: 'x' }] }),
      'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string',
      'additionalPrinterColumns[0].JSONPath: Invalid value: "x": must be a simple json path starting with .',
    ],
    [
      (d) => Object.assign(d.spec.versions[0], { subresources: { scale: { specReplicasPath: '.status.a', statusReplicasPath: '' } } }),
      'subresources.scale.specReplicasPath: Invalid value: ".status.a": should be a json path under .spec',
      'subresources.scale.statusReplicasPath: Required value',
    ],
    [
      (d) => Object.assign(d.spec.versions[0], { selectableFields: [{ jsonPath: '.spec' }] }),
      'selectableFields[0].jsonPath: Invalid value: ".spec": must point to a field of type string, boolean or integer',
    ],
    [ofSpec({}), `${specAt}.type: Required value: must not be empty for specified object fields`],
    [ofSpec({ type: 'text' }), `${specAt}.type: Unsupported value: "text"`],
    [ofSpec({ type: 'array' }), `${specAt}.items: Required value: must be specified`],
    [ofSpec({ type: 'array', items: {} }), `${specAt}.items.type: Required value: must not be empty for specified array items`],
    [
      ofSpec({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false }),
      `${specAt}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
    ],
    [
      ofSpec({ type: 'object', additionalProperties: { type: 5 } }),
      `${specAt}.additionalProperties: Invalid value: "": json: cannot unmarshal number`,
    ],
    [
      ofSpec({ type: 'string', pattern: '(' }),
      `${specAt}.pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
    ],
    [ofSpec({ type: 'string', uniqueItems: true }), `${specAt}.uniqueItems: Forbidden`],
    [
      (d) => Object.assign(d.spec.versions[0].schema.openAPIV3Schema, { allOf: [{ properties: { a: { minimum: 1 } } }] }),
      `${schemaAt}.properties[a]: Required value: because it is defined in ${schemaAt}.allOf[0].properties[a]`,
    ],
    [ofSpec({ type: 'object', anyOf: [{ type: 'object' }] }), `${specAt}.anyOf[0].type: Forbidden: must be empty to be structural`],
    [ofSpec({ type: 'integer', default: 'x' }), `${specAt}.default: Invalid value: "string"`],
    [ofSpec({ type: 'object', default: { a: 1 } }), `${specAt}.default: Invalid value: {"a":1}: must not have unknown fields`],
    [
      ofSpec({ type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' }),
      `${specAt}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
    ],
    [
      ofSpec({ type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' }),
      `${specAt}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set`,
    ],
    [
      ofSpec({ type: 'string', 'x-kubernetes-embedded-resource': true }),
      `${specAt}.type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true`,
      `${specAt}.properties: Required value`,
    ],
    [
      (d) => Object.assign(d.spec.versions[0].schema.openAPIV3Schema, { type: 'string' }),
      `${schemaAt}.type: Invalid value: "string": must be object at the root`,
    ],
    [
      (d) =>
        Object.assign(d.spec.versions[0].schema.openAPIV3Schema.properties, {
          metadata: {
            type: 'object',
            properties: { labels: { type: 'object' } },
          },
        }),
      `${schemaAt}.properties[metadata]: Forbidden: must not specify anything other than name and generateName`,
    ],
  ];
  for (const [change, ...errors] of cases)
    test(errors[0] ?? '', () => {
      const definition = widgets();
      change(definition);
      const told = definitionErrors(definition).map(textOf);
      assert.equal(told.length, errors.length, told.join('\n'));
      for (const error of errors)
        assert.ok(
          told.some((one) => one.includes(error)),
          `${error}\nnot in\n${told.join('\n')}`,
        );
    });

  test('patterns that take too long to compile are refused', () => {
    const definition = widgets();
    const patterns = Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { type: 'string', pattern: `(a|b|${i}){1,999}` }]);
    ofSpec({ type: 'object', properties: Object.fromEntries(patterns) })(definition);
    assert.match(textOf(definitionErrors(definition)[0] as never), /the patterns of the schema are too large together/);
  });

  test('a group of Kubernetes needs an approval', () => {
    const definition: Loose = widgets();
    definition.spec.group = 'gateway.networking.k8s.io';
    definition.metadata.name = 'widgets.gateway.networking.k8s.io';
    assert.match(
      textOf(definitionErrors(definition)[0] as never),
      /^metadata.annotations\[api-approved.kubernetes.io\]: Required value: protected groups/,
    );
    definition.metadata.annotations = { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/pull/1' };
    assert.deepEqual(definitionErrors(definition), []);
    definition.metadata.annotations = { 'api-approved.kubernetes.io': 'yes' };
    assert.equal(definitionErrors(definition).length, 1);
  });

  test('an int-or-string is one in both ways that are written', () => {
    const pair = [{ type: 'integer' }, { type: 'string' }];
    for (const schema of [{ anyOf: pair }, { allOf: [{ anyOf: pair }, { pattern: 'x' }] }]) {
      const definition = widgets();
      ofSpec({ 'x-kubernetes-int-or-string': true, ...schema })(definition);
      assert.deepEqual(definitionErrors(definition), []);
    }
  });

  test('the scope and kind of an established one stay', () => {
    const old: Loose = widgets();
    const next: Loose = cloneJson(old);
    next.spec.scope = 'Cluster';
    assert.deepEqual(definitionUpdateErrors(next, old), []);
    old.status.conditions = [{ type: 'Established', status: 'True' }];
    assert.deepEqual(definitionUpdateErrors(next, old).map(textOf), ['spec.scope: Invalid value: "Cluster": field is immutable']);
  });
});

test('formats that nobody looks at are told of', () => {
  const definition: Loose = widgets();
  ofSpec({ type: 'string', format: 'made-up' })(definition);
  assert.deepEqual(definitionWarnings(definition), ['unrecognized format "made-up"']);
  assert.deepEqual(definitionWarnings(widgets()), []);
});

test('a webhook needs fields that are pruned', () => {
  const definition: Loose = widgets();
  definition.spec.preserveUnknownFields = true;
  definition.spec.conversion = {
    strategy: 'Webhook',
    webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://hooks.example.com' } },
  };
  assert.ok(
    definitionErrors(definition)
      .map(textOf)
      .includes('spec.conversion.strategy: Invalid value: "Webhook": must be None if spec.preserveUnknownFields is true'),
  );
});
