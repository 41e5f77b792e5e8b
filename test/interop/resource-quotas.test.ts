/** LimitRanges and ResourceQuotas at kube-apiserver and at ours: the same pods, claims and Services get the same answers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type Answer, type Json, KubeApiServer } from './testing/kube-apiserver.ts';
import { lacksProgram } from './testing/programs.ts';
import { claims, limitRangeCases, pods, quotaCases, tooLarge } from './testing/quota-samples.ts';

const skip = lacksProgram('etcd', 'kube-apiserver');
const merge = 'application/merge-patch+json';

type Call = (method: string, path: string, body?: object, options?: { readonly type?: string }) => Promise<Answer>;

/** Lists whose order is that of a map in Go are sorted. */
function sorted(message: string | undefined): string | undefined {
  const [, head = '', list] = /^(.* is forbidden: )\[(.*)\]$/.exec(message ?? '') ?? [];
  if (list === undefined) return message?.replace(/(resources: )(\S+)$/, (_, text, names) => text + names.split(',').toSorted().join(','));
  // What stands between two violations may stand within one: each begins with one of these words.
  return (
    head +
    list
      .split(/, (?=minimum |maximum |\S+ max limit)/)
      .toSorted()
      .join(', ')
  );
}

function shown({ status, body }: Answer): Json {
  if (status >= 300) return { status, reason: body?.reason, message: sorted(body?.message) };
  const { containers, initContainers, resources } = body.spec ?? {};
  const asked = [...(containers ?? []), ...(initContainers ?? [])].map((c: Json) => c.resources);
  return { status, annotations: body.metadata?.annotations, asked, resources };
}

describe('LimitRanges and ResourceQuotas beside kube-apiserver', { skip }, () => {
  let ours: TestServer;
  let theirs: KubeApiServer;
  let calls: readonly Call[];

  before(async () => {
    theirs = await KubeApiServer.start();
    // As theirs is started: there are no controllers, which would make the accounts.
    ours = await TestServer.start(undefined, { admission: { enabled: [], disabled: ['ServiceAccount'] } });
    calls = [(...args) => theirs.call(...args), (...args) => ours.call(...args)];
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
  });

  const both = async (...args: Parameters<Call>): Promise<readonly [Json, Json]> => {
    const [a, b] = await Promise.all(calls.map((call) => call(...args)));
    return [shown(b!), shown(a!)];
  };
  const all = async (expected: number, ...args: Parameters<Call>): Promise<void> => {
    for (const call of calls) {
      const { status, body } = await call(...args);
      assert.equal(status, expected, JSON.stringify(body));
    }
  };

  for (const [index, [what, limits]] of Object.entries(limitRangeCases).entries())
    test(`a LimitRange: ${what}`, async () => {
      const namespace = `limits-${index}`;
      await all(201, 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
      await all(201, 'POST', `/api/v1/namespaces/${namespace}/limitranges`, { metadata: { name: 'l' }, spec: { limits } });
      // Theirs hears of it by a watch, and of what comes after it later.
      const probe = { metadata: { name: 'probe' }, spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '1Ti' } }] } };
      await all(201, 'POST', `/api/v1/namespaces/${namespace}/limitranges`, probe);
      await eventually('it to be applied', async () => {
        const claim = { metadata: { name: 'p' }, spec: tooLarge };
        for (const call of calls) {
          const { status } = await call('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims?dryRun=All`, claim);
          assert.equal(status, 403);
        }
      });
      for (const [name, spec] of Object.entries(pods))
        assert.deepEqual(...(await both('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, { metadata: { name }, spec })), name);
      for (const [name, spec] of Object.entries(claims))
        assert.deepEqual(
          ...(await both('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims?dryRun=All`, { metadata: { name }, spec })),
          name,
        );
    });

  for (const [index, { what, spec, used, writes }] of quotaCases.entries())
    test(`a ResourceQuota: ${what}`, async () => {
      const namespace = `quota-${index}`;
      const path = `/api/v1/namespaces/${namespace}`;
      await all(201, 'POST', '/api/v1/namespaces', { metadata: { name: namespace } });
      await all(201, 'POST', `${path}/resourcequotas`, { metadata: { name: 'q' }, spec });
      // Nobody counts here: the test says what is used.
      await all(
        200,
        'PATCH',
        `${path}/resourcequotas/q/status`,
        { status: { hard: spec.hard, ...(used ? { used } : {}) } },
        { type: merge },
      );
      const marker = { 'count/configmaps': '0' };
      await all(201, 'POST', `${path}/resourcequotas`, { metadata: { name: 'marker' }, spec: { hard: marker } });
      await all(200, 'PATCH', `${path}/resourcequotas/marker/status`, { status: { hard: marker, used: marker } }, { type: merge });
      await eventually('theirs to have heard of both', async () => {
        const { status } = await calls[0]!('POST', `${path}/configmaps?dryRun=All`, { metadata: { name: 'm' } });
        assert.equal(status, 403);
      });
      for (const [method, resource, body, dryRun] of writes) {
        const query = dryRun ? '?dryRun=All' : '';
        const options = method === 'PATCH' ? { type: merge } : {};
        assert.deepEqual(
          ...(await both(method, `${path}/${resource}${query}`, body, options)),
          `${method} ${resource} ${JSON.stringify(body)}`,
        );
        const status = async (call: Call): Promise<Json> => (await call('GET', `${path}/resourcequotas/q`)).body.status;
        assert.deepEqual(await status(calls[1]!), await status(calls[0]!), `${method} ${resource}`);
      }
    });
});
