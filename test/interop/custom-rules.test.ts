/** Rules of CustomResourceDefinitions at kube-apiserver and at ours: which are taken, and what they say of objects. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sample, sampleSchema, truths } from '../../src/api/cel/testing/expressions.ts';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type Answer, type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';
import { changes, refusedRules, ruled } from './testing/rule-samples.ts';

const skip = lacksProgram('etcd', 'kube-apiserver');
const all = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

type Call = (method: string, path: string, body?: object, options?: { readonly type?: string }) => Promise<Answer>;

function definition(kind: string, spec: object, more: object = {}): { metadata: { name: string } } & Json {
  const plural = `${kind.toLowerCase()}s`;
  const schema = {
    openAPIV3Schema: { type: 'object', properties: { spec, status: { type: 'object', properties: { n: { type: 'integer' } } } }, ...more },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: 'example.com',
      names: { kind, plural },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}

/** Where the compiler speaks it has words of its own; which rule it is about, and why it is refused, is the same. */
function shown({ status, body }: Answer): Json {
  const told = ({ reason, field, message }: Json): string =>
    `${reason} ${field}: ${message
      .replace(/(Invalid value: )[[{]"?.*[\]}](: )/s, '$1…$2')
      .replace(/(compilation failed: ).*/s, '$1…')
      .replace(/within [^ ]+$/, 'within …')}`;
  const causes = (body?.details?.causes ?? []).map(told).toSorted();
  return status < 300 ? { status } : { status, reason: body?.reason, causes, message: causes.length > 0 ? undefined : body?.message };
}

describe('rules of custom resources beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;
  let calls: readonly Call[];

  before(async () => {
    theirs = await KubeApiServer.start({ authorization: 'RBAC' });
    ours = await TestServer.start();
    calls = [
      (...args) => theirs.call(...args),
      async (...args) => {
        const { status, body } = await ours.call(...args);
        return { status, body, warning: undefined };
      },
    ];
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  const both = async (...args: Parameters<Call>): Promise<readonly [Json, Json]> => {
    const [a, b] = await Promise.all(calls.map((call) => call(...args)));
    return [shown(b!), shown(a!)];
  };

  async function serve(one: ReturnType<typeof definition>): Promise<string> {
    const path = `/apis/example.com/v1/namespaces/default/${one.metadata.name.split('.')[0]}`;
    for (const call of calls) {
      const { status, body } = await call('POST', all, one);
      assert.equal(status, 201, JSON.stringify(body));
      await eventually('the kind to be served', async () => assert.equal((await call('GET', path)).status, 200), { timeoutMs: 60_000 });
    }
    return path;
  }

  /** Theirs refuses what may cost much, where it cannot tell how large a value is; ours stops when it has cost much. */
  async function isCheap(rule: string): Promise<boolean> {
    const spec = { ...sampleSchema, 'x-kubernetes-validations': [{ rule, message: 'm' }] };
    const { status, body } = await theirs.call('POST', `${all}?dryRun=All`, definition('Cheap', spec));
    if (status === 201) return true;
    const causes: readonly Json[] = body?.details?.causes ?? [];
    const others = causes.filter(({ message }) => !/exceed(s|ing) (budget|cost limit)/.test(message));
    assert.deepEqual(others, [], rule);
    return false;
  }

  for (const [what, expressions] of Object.entries(truths))
    test(`expressions are true: ${what}`, async () => {
      const kind = `A${what}`;
      const cheap = await Promise.all(expressions.map(isCheap));
      const rules = expressions.filter((_, i) => cheap[i]).map((rule) => ({ rule, message: rule.replaceAll('\n', ' ') }));
      const path = await serve(definition(kind, { ...sampleSchema, 'x-kubernetes-validations': rules }));
      const object = { apiVersion: 'example.com/v1', kind, metadata: { name: 'a' }, spec: sample };
      const [our, their] = await both('POST', `${path}?dryRun=All`, object);
      assert.deepEqual(our, their);
      assert.deepEqual(their, { status: 201 });
    });

  for (const [what, [spec, more]] of Object.entries(refusedRules))
    test(`a definition: ${what}`, async () =>
      assert.deepEqual(...(await both('POST', `${all}?dryRun=All`, definition('Refused', spec, more)))));

  test('what rules say of objects', async () => {
    const path = await serve(definition('Ruled', ruled));
    for (const [what, requests] of Object.entries(changes))
      for (const { method, spec, status, sub = '' } of requests) {
        const object = {
          apiVersion: 'example.com/v1',
          kind: 'Ruled',
          metadata: { name: 'a' },
          ...(spec && { spec }),
          ...(status && { status }),
        };
        const at = method === 'POST' ? path : `${path}/a${sub}`;
        const type = method === 'PATCH' ? { type: 'application/merge-patch+json' } : {};
        const [our, their] = await both(method, at, method === 'DELETE' ? undefined : object, type);
        assert.deepEqual(our, their, `${what}: ${method} ${JSON.stringify({ spec, status })}`);
      }
  });
});
