import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStatusError } from '../status/status-error.ts';
import { json, protobuf as message, yaml } from './encoding.ts';
import { answerForm, streamTypeOf } from './negotiate.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';
const table = 'as=Table;v=v1;g=meta.k8s.io';
const metadata = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';

function formOf(accept: string | undefined, offer: { protobuf?: boolean; shapes?: boolean } = {}): string {
  try {
    const { encoding, shape } = answerForm(accept, { protobuf: true, shapes: true, ...offer });
    return `${encoding.name} ${shape}`;
  } catch (err) {
    assert.ok(isStatusError(err, 'NotAcceptable'), String(err));
    return err.message.replace('only the following media types are accepted: ', '406 ');
  }
}

/** What clients send, and what upstream's NegotiateOutputMediaType makes of it. */
const asked: readonly [string, string | undefined, string][] = [
  ['nothing', undefined, 'json object'],
  ['an empty header', '', 'json object'],
  ['a browser', 'text/html,application/xhtml+xml,*/*;q=0.8', 'json object'],
  ['kubectl get', `application/json;${table},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`, 'json table'],
  ['kubectl get -o yaml', 'application/json', 'json object'],
  ['client-go', `${protobuf},application/json`, 'protobuf object'],
  ['client-go of old', `${protobuf}, */*`, 'protobuf object'],
  ['a watch of protobuf', `${protobuf};stream=watch,application/json;stream=watch`, 'protobuf object'],
  ['a stream of something else', `${protobuf};stream=logs,application/json`, 'json object'],
  ['an informer of metadata', `${protobuf};${metadata},application/json;${metadata},application/json`, 'protobuf metadata'],
  ['metadata as JSON', `application/json;${metadata}`, 'json metadata'],
  ['a Table as protobuf, which there is not', `${protobuf};${table},application/json;${table}`, 'json table'],
  ['quality before order', `application/json;q=0.5,${protobuf};q=0.9`, 'protobuf object'],
  ['order among equals', `application/json,${protobuf}`, 'json object'],
  ['preciseness before order', `*/*,${protobuf}`, 'protobuf object'],
  ['another case and spaces', ' Application/JSON ; q=1 ', 'json object'],
  ['YAML', 'application/yaml', 'yaml object'],
  ['YAML before JSON', 'application/yaml,application/json', 'yaml object'],
  ['a Table as YAML', `application/yaml;${table}`, 'yaml table'],
  ['a stream of YAML, which there is not', 'application/yaml;stream=watch,application/json', 'json object'],
  ['nothing that is served', 'text/plain', `406 application/json, application/yaml, ${protobuf}`],
  ['a shape that there is not', 'application/json;as=Chair;v=v1;g=meta.k8s.io', `406 application/json, application/yaml, ${protobuf}`],
  ['a shape of another group', 'application/json;as=Table;v=v1;g=example.com', `406 application/json, application/yaml, ${protobuf}`],
];

for (const [who, accept, form] of asked) test(`${who} gets ${form}`, () => assert.equal(formOf(accept), form));

test('what many clients make up changes nothing for the others', () => {
  for (let i = 0; i < 1000; i++) formOf(`application/json;q=0.${i}`);
  for (const [who, accept, form] of asked) assert.equal(formOf(accept), form, who);
});

test('what has no protobuf is JSON for who takes that, and refused to who takes nothing else', () => {
  assert.equal(formOf(`${protobuf},application/json`, { protobuf: false }), 'json object');
  assert.equal(formOf(protobuf, { protobuf: false }), '406 application/json, application/yaml');
});

test('a watch is JSON or protobuf; YAML is refused, with the streams that there are', () => {
  assert.equal(streamTypeOf(json, { protobuf: true }), 'application/json');
  assert.equal(streamTypeOf(message, { protobuf: true }), `${protobuf};stream=watch`);
  const refused = (types: string) => (err: unknown) => isStatusError(err, 'NotAcceptable') && err.message.endsWith(`accepted: ${types}`);
  assert.throws(() => streamTypeOf(yaml, { protobuf: true }), refused(`application/json;stream=watch, ${protobuf};stream=watch`));
  assert.throws(() => streamTypeOf(yaml, { protobuf: false }), refused('application/json;stream=watch'));
});

test('where there is no object there is no Table of it', () => {
  assert.equal(formOf(`application/json;${table},application/json`, { shapes: false }), 'json object');
  assert.match(formOf(`application/json;${table}`, { shapes: false }), /^406/);
});
