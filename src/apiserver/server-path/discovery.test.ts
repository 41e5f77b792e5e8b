import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readYaml } from '../../api/codec/yaml.ts';
import { Registry } from '../../api/registry/registry.ts';
import type { RequestContext } from '../http/request-context.ts';
import { Discovery } from './discovery.ts';

interface Answer {
  code: number;
  headers: Record<string, unknown>;
  bytes: number;
  text: string;
}

const discovery = new Discovery({
  registry: new Registry(),
  remotes: { versions: [], generation: 0 },
  serverAddress: '192.0.2.1:6443',
  version: 'v1.0.0',
});

function get(path: string, headers: Record<string, string>): Answer {
  const answer: Answer = { code: 0, headers: {}, bytes: 0, text: '' };
  const res = {
    req: { method: 'GET', headers },
    setHeader: () => {},
    writeHead: (code: number, sent: Record<string, unknown>) => Object.assign(answer, { code, headers: sent }),
    end: (body: Buffer) => Object.assign(answer, { bytes: body.length, text: String(body) }),
  };
  const ctx = { req: { headers }, res, info: { path }, query: new URLSearchParams() } as unknown as RequestContext;
  assert.equal(discovery.serve(ctx), true);
  return answer;
}

for (const [path, accept, type] of [
  ['/openapi/v2', 'application/json', 'application/json'],
  [
    '/openapi/v2',
    'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
    'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  ],
  ['/openapi/v3/api/v1', 'application/json', 'application/json'],
] as const)
  test(`${path} as ${accept} has a tag, and is not sent again to a client that has it`, () => {
    const first = get(path, { accept });
    const etag = String(first.headers.etag);
    assert.deepEqual([first.code, first.headers['content-type'], first.headers.vary], [200, type, 'Accept']);
    assert.match(etag, /^"[0-9A-F]{64}"$/);
    assert.ok(first.bytes > 10_000);
    assert.deepEqual(get(path, { accept, 'if-none-match': etag }), {
      code: 304,
      headers: { etag, 'content-length': 0 },
      bytes: 0,
      text: '',
    });
    assert.deepEqual(get(path, { accept, 'if-none-match': '"other"' }), first);
  });

const aggregated = ';g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

for (const [path, accept, type] of [
  ['/api', 'application/yaml', 'application/yaml'],
  ['/apis', 'application/yaml, application/json', 'application/yaml'],
  ['/apis', `application/yaml${aggregated}`, `application/yaml${aggregated}`],
  ['/api/v1', `application/yaml${aggregated},application/yaml`, 'application/yaml'],
  ['/apis/apps', 'application/yaml', 'application/yaml'],
  ['/apis/apps/v1', 'application/yaml', 'application/yaml'],
] as const)
  test(`${path} as ${accept} says what it says in JSON`, () => {
    const answer = get(path, { accept });
    assert.deepEqual([answer.code, answer.headers['content-type']], [200, type]);
    assert.match(answer.text, /^[a-zA-Z]+: /);
    const asJson = get(path, { accept: accept.replaceAll('yaml', 'json') });
    assert.deepEqual(readYaml(answer.text).value, JSON.parse(asJson.text));
  });

test('JSON before YAML is JSON', () => assert.match(get('/api', { accept: 'application/json,application/yaml' }).text, /^\{/));

test('what is aggregated comes first, wherever it is asked for', () => {
  const answer = get('/apis', { accept: `application/yaml,application/json${aggregated}` });
  assert.equal(answer.headers['content-type'], `application/json${aggregated}`);
});
