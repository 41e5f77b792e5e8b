import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rows } from '../registry/registry.ts';
import { apiVersionOf } from '../resource-types.ts';
import {
  decodeProtobuf,
  encodeMessage,
  encodeProtobuf,
  hasProtobuf,
  listOfMessages,
  metadataOf,
  watchFrame,
  wrapMessage,
} from './protobuf.ts';
import { ProtobufError } from './wire-reader.ts';

/** What kubectl 1.32 sends for `create deployment x --image=y --replicas=0 --port 80`. */
const deployment = Buffer.from(
  'azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EqcBChsKAXgSABoAIgAqADIAOABCAFoICgNhcHASAXgSeggAEgoKCAoDYXBwEgF4GmIKGgoAEgAaACIAKgAyADgAQgBaCAoDYXBwEgF4EkQSJgoBeRIBeSoAMgoKABAAGFAiACoAQgBqAHIAgAEAiAEAkAEAogEAGgAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA',
  'base64',
);

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'größe', labels: { b: '2', a: '1' }, creationTimestamp: '2024-02-29T12:00:00Z', generation: 5_000_000_000 },
  spec: {
    ports: [
      { port: 80, targetPort: 'http' },
      { port: 81, targetPort: 8081 },
    ],
    clusterIPs: ['10.96.0.7'],
    publishNotReadyAddresses: true,
  },
};

test('a body of kubectl decodes to what kubectl prints as JSON', () => {
  assert.deepEqual(decodeProtobuf(deployment), {
    kind: 'Deployment',
    apiVersion: 'apps/v1',
    metadata: { name: 'x', labels: { app: 'x' } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: 'x' } },
      template: {
        metadata: { labels: { app: 'x' } },
        spec: { containers: [{ name: 'y', image: 'y', ports: [{ containerPort: 80 }], resources: {} }] },
      },
      strategy: {},
    },
    status: {},
  });
});

test('a small object has the bytes that Go writes', () => {
  const bytes = encodeProtobuf({ apiVersion: 'v1', kind: 'ConfigMap', data: { b: '2', a: '1' }, immutable: false } as never);
  //                magic    type: "v1", "ConfigMap"            body: map entries by key       immutable  encoding, type
  const expected = '6b387300 0a0f 0a027631 1209436f6e6669674d6170 1212 1206 0a0161 120131 1206 0a0162 120132 2000 1a00 2200';
  assert.equal(bytes.toString('hex'), expected.replaceAll(' ', ''));
});

test('objects come back as they went', () => {
  assert.deepEqual(decodeProtobuf(encodeProtobuf(service)), service);
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'l' },
    spec: { renewTime: '2024-01-01T00:00:00.123456Z', leaseTransitions: 0 },
  };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(lease)), lease);
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    metadata: {},
    spec: { extra: { a: ['x', 'y'] } },
    status: { allowed: false },
  };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(review)), review);
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: { volumes: [{ name: 'v', emptyDir: { medium: 'Memory' } }], nodeName: 'n' },
  };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(pod)), pod);
  const negative = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { priority: -2_000_000_000, containers: [] } };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(negative)), { ...negative, spec: { priority: -2_000_000_000 } });
});

test('what is null in a map is the zero of its kind', () => {
  const attributes = { a: null, b: { bool: true } };
  const slice = { apiVersion: 'resource.k8s.io/v1', kind: 'ResourceSlice', spec: { devices: [{ name: 'd', attributes }] } };
  const back = decodeProtobuf(encodeProtobuf(slice)) as unknown as typeof slice;
  assert.deepEqual(back.spec.devices[0]?.attributes, { a: {}, b: { bool: true } });
});

test('an int-or-string has all its three fields, as Go writes them', () => {
  const message = encodeMessage({ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80, targetPort: 'http' }] } } as never);
  assert.equal(message.toString('hex'), '12100a0e1850220a080110001a0468747470');
});

test('fields that are not known are passed over, whatever their wire type', () => {
  const unknown = { varint: '7801', fixed64: '790102030405060708', bytes: '7a0101', fixed32: '7d01020304' };
  for (const [name, hex] of Object.entries(unknown)) {
    const body = wrapMessage('v1', 'ConfigMap', Buffer.from(`${hex}2001`, 'hex'));
    assert.deepEqual(decodeProtobuf(body), { apiVersion: 'v1', kind: 'ConfigMap', immutable: true }, name);
  }
});

test('a long object does not fit the first buffer and is still whole', () => {
  const data = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key-${i}`, 'ä'.repeat(i)]));
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, data };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(map)), map);
});

test('a label named __proto__ is a label', () => {
  const labels = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
  const back = decodeProtobuf(encodeProtobuf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', labels } } as never));
  assert.deepEqual(Object.keys(back.metadata.labels ?? {}), ['__proto__']);
});

test('a list put together from messages is the list encoded at once', () => {
  const { apiVersion: _, kind: __, ...bare } = service;
  for (const count of [0, 1, 3]) {
    const messages = Array.from({ length: count }, () => encodeMessage(service));
    const list = Buffer.concat([...listOfMessages('v1', 'ServiceList', { resourceVersion: '7' }, messages)]);
    const whole = { apiVersion: 'v1', kind: 'ServiceList', metadata: { resourceVersion: '7' }, items: messages.map(() => bare) };
    assert.deepEqual(list, encodeProtobuf(whole), `${count} items`);
  }
});

test('the metadata of a message is the front of it, for every kind', () => {
  const metadata = { name: 'a', labels: { long: 'x'.repeat(300) } };
  for (const row of rows.filter((one) => one.verbs.includes('list') && hasProtobuf(apiVersionOf(one.type), one.type.kind))) {
    const apiVersion = apiVersionOf(row.type);
    const message = encodeMessage({ apiVersion, kind: row.type.kind, metadata } as never);
    const partial = wrapMessage('meta.k8s.io/v1', 'PartialObjectMetadata', metadataOf(message));
    assert.deepEqual(decodeProtobuf(partial), { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata }, row.type.kind);
  }
  assert.equal(metadataOf(Buffer.of()).length, 0);
});

test('a watch event is a frame with the enveloped object inside', () => {
  const frame = watchFrame('ADDED', encodeProtobuf(service));
  assert.equal(frame.readUInt32BE(0), frame.length - 4);
  const event = wrapMessage('', '', frame.subarray(4));
  assert.deepEqual(decodeProtobuf(event, { apiVersion: 'v1', kind: 'WatchEvent' }), { type: 'ADDED', object: { ...service } });
});

test('JSON inside the envelope is taken too', () => {
  const raw = Buffer.from('{"apiVersion":"v1","kind":"X"}');
  const body = Buffer.concat([Buffer.from('6b387300', 'hex'), Buffer.from([0x12, raw.length]), raw]);
  assert.deepEqual(decodeProtobuf(body), { apiVersion: 'v1', kind: 'X' });
});

test('what is not protobuf is refused', () => {
  const body = (hex: string): Buffer => Buffer.from(`6b387300${hex}`, 'hex');
  assert.throws(() => decodeProtobuf(Buffer.from('{}')), { name: 'ProtobufError', message: /expected prefix/ });
  assert.throws(() => decodeProtobuf(body('0a060a0276311200')), {
    name: 'ProtobufError',
    message: 'no kind "" is registered for version "v1"',
  });
  assert.throws(() => decodeProtobuf(body('12ff')), ProtobufError);
  assert.throws(() => decodeProtobuf(body('12ffffffff0f')), ProtobufError);
  assert.throws(() => encodeProtobuf({ apiVersion: 'example.com/v1', kind: 'Toy' }), ProtobufError);
  assert.equal(hasProtobuf('example.com/v1', 'Toy'), false);
  assert.equal(hasProtobuf('v1', 'PodList'), true);
});

test('broken bytes end in a ProtobufError and nothing else', () => {
  let seed = 1;
  const random = (n: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % n;
  };
  for (let i = 0; i < 5000; i++) {
    const bytes = Buffer.from(deployment.subarray(0, i % 2 ? deployment.length : random(deployment.length)));
    for (let k = 0; k < 3 && bytes.length > 0; k++) bytes[random(bytes.length)] = random(256);
    try {
      decodeProtobuf(bytes);
    } catch (err) {
      assert.ok(err instanceof ProtobufError, String(err));
    }
  }
});

const golden = process.env.FAIRLEAD_FACTS && join(process.env.FAIRLEAD_FACTS, 'golden-1.35');

test('golden objects decode to their JSON and encode to their bytes', { skip: !golden || !existsSync(golden) }, () => {
  for (const file of readdirSync(golden as string).filter((f) => f.endsWith('.pb'))) {
    const bytes = readFileSync(join(golden as string, file));
    const json = JSON.parse(readFileSync(join(golden as string, file.replace(/\.pb$/, '.json')), 'utf8'));
    // Options and watch events name no kind.
    const kind = json.kind ?? file.split('.').at(-2);
    assert.deepEqual(decodeProtobuf(bytes, { apiVersion: json.apiVersion ?? 'v1', kind }), json, file);
    if (json.kind) assert.deepEqual(encodeProtobuf(json), bytes, file);
  }
});
