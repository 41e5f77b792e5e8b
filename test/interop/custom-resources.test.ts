/** CustomResourceDefinitions and objects of them at kube-apiserver and at ours: the same answers, and what kubectl shows. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { definitions, specs, widgets } from './testing/custom-samples.ts';
import { type Answer, type Json, KubeApiServer, writeKubeconfig } from './testing/kube-apiserver.ts';
import { findProgram, lacksProgram } from './testing/programs.ts';

const skip = lacksProgram('etcd', 'kube-apiserver', 'kubectl');
const all = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const path = '/apis/example.com/v1/namespaces/default/widgets';

type Call = (method: string, path: string, body?: object, options?: { readonly type?: string }) => Promise<Answer>;

/** What is compared of an answer; what was wrong in any order, as Go walks maps in none. */
function shown({ status, body, warning }: Answer): Json {
  const { reason, details, spec } = body ?? {};
  // A configuration that does not fit is the client's fault, as ours says; theirs says 500.
  if (String(body?.message).startsWith('failed to create typed')) return { message: body.message };
  // Where they print a struct of Go, with names of its own, ours prints the JSON.
  const told = ({ reason: why, field, message }: Json): string =>
    `${why} ${field}: ${message.replace(/(Invalid value: )[[{]"?.*[\]}](: )/, '$1…$2')}`;
  const causes = (details?.causes ?? []).map(told).toSorted();
  const warnings = [...String(warning ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text).toSorted();
  return status < 300 ? { status, spec, warnings } : { status, reason, causes, message: causes.length > 0 ? undefined : body?.message };
}

describe('custom resources beside kube-apiserver', { skip }, () => {
  let dir: string;
  let ours: TestServer;
  let theirs: KubeApiServer;
  let calls: readonly Call[];
  let configs: readonly string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-custom-'));
    theirs = await KubeApiServer.start({ authorization: 'RBAC' });
    ours = await TestServer.start();
    const our: Call = async (...args) => {
      const { status, body, headers } = await ours.call(...args);
      return { status, body, warning: headers.warning as string | undefined };
    };
    calls = [(...args) => theirs.call(...args), our];
    const config = join(dir, 'ours.conf');
    await writeKubeconfig(config, ours.url, ours.pki.ca, await ours.pki.client('admin', 'system:masters'));
    configs = [await theirs.kubeconfig('admin', 'system:masters'), config];
    for (const call of calls) {
      await call('POST', all, widgets);
      await eventually('the kind to be served', async () => assert.equal((await call('GET', path)).status, 200), { timeoutMs: 60_000 });
    }
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  const both = async (...args: Parameters<Call>): Promise<readonly [Json, Json]> => {
    const [a, b] = await Promise.all(calls.map((call) => call(...args)));
    return [shown(b!), shown(a!)];
  };

  for (const [what, definition] of Object.entries(definitions))
    test(`a definition: ${what}`, async () => assert.deepEqual(...(await both('POST', `${all}?dryRun=All`, definition))));

  for (const [what, spec] of Object.entries(specs))
    for (const validation of ['Warn', 'Strict'])
      test(`an object, ${validation}: ${what}`, async () => {
        const object = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec, other: 1 };
        assert.deepEqual(...(await both('POST', `${path}?dryRun=All&fieldValidation=${validation}`, object)));
      });

  test('objects are changed, scaled, listed and deleted with the same answers', async () => {
    const object = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { size: 2, parts: [{ n: 'a' }] } };
    const merge = { type: 'application/merge-patch+json' };
    const requests: readonly Parameters<Call>[] = [
      ['POST', path, object],
      ['POST', path, object],
      ['PUT', `${path}/a`, object],
      ['PUT', `${path}/none`, { ...object, metadata: { name: 'none' } }],
      ['PATCH', `${path}/a`, { spec: { size: 4 }, status: { ready: 1 } }, merge],
      ['PATCH', `${path}/a`, { spec: { size: 'x' } }, merge],
      ['PATCH', `${path}/a`, { spec: {} }, { type: 'application/strategic-merge-patch+json' }],
      ['PATCH', `${path}/a`, [{ op: 'add', path: '/spec/parts/-', value: { n: 'b' } }], { type: 'application/json-patch+json' }],
      ['PATCH', `${path}/a/status`, { spec: { size: 8 }, status: { ready: 3 } }, merge],
      ['PATCH', `${path}/a/status`, { status: { ready: 'x' } }, merge],
      ['GET', `${path}/a/scale`],
      ['PATCH', `${path}/a/scale`, { spec: { replicas: 6 } }, merge],
      ['PATCH', `${path}/a/scale`, { spec: { replicas: 100 } }, merge],
      ['PATCH', `${path}/a?fieldManager=x`, { ...object, spec: { size: 6 } }, { type: 'application/apply-patch+yaml' }],
      [
        'PATCH',
        `${path}/a?fieldManager=x`,
        { ...object, spec: { size: 6, parts: [{ n: 'c' }] } },
        { type: 'application/apply-patch+yaml' },
      ],
      ['PATCH', `${path}/a?fieldManager=x`, { ...object, spec: { size: 6, odd: 1 } }, { type: 'application/apply-patch+yaml' }],
      ['GET', `${path}/a`],
      ['GET', `${path}?fieldSelector=spec.colour%3Dred`],
      ['GET', `${path}?fieldSelector=spec.size%3D2`],
      ['DELETE', `${path}/a`],
      ['DELETE', `${path}/a`],
    ];
    for (const request of requests)
      assert.deepEqual(
        ...(await both(...request)),
        request
          .slice(0, 3)
          .map((one) => JSON.stringify(one))
          .join(' '),
      );
  });

  const masked = (text: string): string =>
    text
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/(resourceVersion"?: )"\d+"/g, '$1RV')
      // The object that a patch has made stands in the message; here it is the patch.
      .replace(/(patch: Invalid value: )"(?:[^"\\]|\\.)*"/g, '$1…')
      // Of what is not there theirs says nothing, and kubectl makes words of its own.
      .replace(' (get widgets.example.com)', '')
      .replace(/\b(\d+m)?\d+s\b/g, 'AGE')
      .replace(/(?<=\S) +/g, ' ');

  test('kubectl shows the same', async () => {
    const kubectl = findProgram('kubectl') ?? 'kubectl';
    const good = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'good' }, spec: { size: 2, parts: [{ n: 'a' }] } };
    await writeFile(join(dir, 'good.json'), JSON.stringify(good));
    await writeFile(join(dir, 'more.json'), JSON.stringify({ ...good, spec: { ...good.spec, size: 4, nonsense: 1 } }));
    await writeFile(join(dir, 'bad.json'), JSON.stringify({ ...good, metadata: { name: 'bad' }, spec: { size: 11 } }));
    for (const command of [
      'api-resources --api-group=example.com',
      'explain widgets.spec.parts',
      'explain widgets.spec.colour',
      'apply -f good.json',
      'apply -f more.json',
      'apply -f bad.json',
      'apply --server-side -f good.json --field-manager=me',
      'get widgets',
      'get wd -o wide',
      'get things',
      'get wd/good -o jsonpath={.spec}',
      'get wd --field-selector=spec.colour=green',
      'scale wd/good --replicas=6',
      'patch wd/good --type=merge -p {"spec":{"colour":"green"}}',
      'patch wd/good -p {"spec":{"colour":"red"}}',
      'label wd/good a=b',
      'get crd widgets.example.com',
      'wait --for=condition=Established crd/widgets.example.com --timeout=5s',
      'delete wd good',
      'delete crd widgets.example.com --timeout=30s',
      'get widgets',
    ]) {
      const run = async (config: string): Promise<string> => {
        const { code, stdout, stderr } = await systemExec.run(kubectl, [
          '--kubeconfig',
          config,
          '--cache-dir',
          `${config}.cache`,
          ...command.split(' ').map((word) => word.replace(/^(\w+\.json)$/, `${dir}/$1`)),
        ]);
        return masked(`${code}\n${stdout}${stderr}`);
      };
      const [a, b] = await Promise.all(configs.map(run));
      assert.equal(b, a, command);
    }
  });
});
