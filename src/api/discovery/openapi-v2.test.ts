import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rows } from '../registry/registry.ts';
import { OpenApi } from './openapi.ts';
import type { Json } from './openapi-schema.ts';
import { swaggerBytes } from './openapi-v2-protobuf.ts';

const document = new OpenApi(rows, 'v1').swagger();
const definitions = document.definitions as Record<string, Json>;
const paths = document.paths as Record<string, Record<string, Json>>;
const pod = definitions['io.k8s.api.core.v1.Pod']!;

/** Every value of a key, however deep. */
function* valuesOf(value: unknown, key: string): Generator<unknown> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === key) yield inner;
    yield* valuesOf(inner, key);
  }
}

/** One protobuf message: the content of each field, by its number. */
function fieldsOf(bytes: Buffer): Map<number, Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const size = varint();
    const isMessage = (tag & 7) === 2;
    const content = isMessage ? bytes.subarray(at, at + size) : Buffer.from([size]);
    if (isMessage) at += size;
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), content]);
  }
  return fields;
}

const text = (fields: Map<number, Buffer[]>, field: number): string | undefined => fields.get(field)?.[0]?.toString();
/** A list of names (1) and values (2), as a map. */
const named = (message: Buffer, field: number): Map<string, Map<number, Buffer[]>> =>
  new Map((fieldsOf(message).get(field) ?? []).map(fieldsOf).map((entry) => [text(entry, 1)!, fieldsOf(entry.get(2)![0]!)]));

describe('OpenAPI v2', () => {
  test('says which kind a type is, and what its fields are', () => {
    assert.deepEqual(pod['x-kubernetes-group-version-kind'], [{ group: '', kind: 'Pod', version: 'v1' }]);
    assert.deepEqual((pod.properties as Json).spec, {
      description: (pod.properties as Record<string, Json>).spec?.description,
      $ref: '#/definitions/io.k8s.api.core.v1.PodSpec',
    });
    const { policyTypes } = definitions['io.k8s.api.networking.v1.NetworkPolicySpec']!.properties as Record<string, Json>;
    assert.deepEqual(policyTypes!.items, { type: 'string', enum: ['Egress', 'Ingress'] });
    const amount = definitions['io.k8s.apimachinery.pkg.api.resource.Quantity'];
    assert.deepEqual([amount?.type, definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString']?.format], ['string', 'int-or-string']);
  });

  test('has no words of version 3, and every reference leads somewhere', () => {
    for (const word of ['allOf', 'oneOf', 'requestBody', 'components', 'content']) {
      // A field of some type may bear the name.
      const found = [...valuesOf(document, word)].filter((value) => !(typeof value === 'object' && value !== null && 'type' in value));
      assert.deepEqual(found, [], word);
    }
    for (const ref of valuesOf(document, '$ref')) {
      if (typeof ref !== 'string') continue;
      assert.ok(definitions[ref.replace('#/definitions/', '')], ref);
    }
  });

  test('says that a PATCH takes dryRun and fieldValidation, which kubectl before 1.27 looks for', () => {
    const patch = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']!.patch!;
    assert.deepEqual(patch['x-kubernetes-group-version-kind'], { group: 'apps', kind: 'Deployment', version: 'v1' });
    const parameters = patch.parameters as { name: string; in: string; type?: string }[];
    assert.deepEqual(
      parameters.map((p) => `${p.in} ${p.name} ${p.type ?? ''}`.trim()),
      ['body body', 'query dryRun string', 'query fieldManager string', 'query fieldValidation string', 'query force boolean'],
    );
    assert.ok((patch.consumes as string[]).includes('application/strategic-merge-patch+json'));
  });

  test('is the same in protobuf', () => {
    const message = fieldsOf(swaggerBytes(document));
    assert.deepEqual([text(message, 1), text(fieldsOf(message.get(2)![0]!), 1)], ['2.0', 'Kubernetes']);
    const types = named(message.get(9)![0]!, 1);
    assert.deepEqual([...types.keys()], Object.keys(definitions));
    const found = types.get('io.k8s.api.core.v1.Pod')!;
    assert.equal(text(found, 4), pod.description);
    const properties = named(found.get(25)![0]!, 1);
    assert.deepEqual([...properties.keys()], Object.keys(pod.properties as Json));
    assert.equal(text(properties.get('spec')!, 1), '#/definitions/io.k8s.api.core.v1.PodSpec');
    const type = named(types.get('io.k8s.api.core.v1.ServiceSpec')!.get(25)![0]!, 1).get('type')!;
    assert.deepEqual(
      type.get(20)!.map((any) => JSON.parse(text(fieldsOf(any), 2)!)),
      ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'],
    );
    const kinds = fieldsOf(found.get(31)![0]!);
    assert.equal(text(kinds, 1), 'x-kubernetes-group-version-kind');
    assert.deepEqual(JSON.parse(text(fieldsOf(kinds.get(2)![0]!), 2)!), pod['x-kubernetes-group-version-kind']);
    assert.deepEqual([...named(message.get(8)![0]!, 2).keys()], Object.keys(paths));
  });
});
