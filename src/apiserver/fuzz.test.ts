/** Objects with wrong values in random places: whatever comes, the answer is the client's fault (4xx), never ours (5xx). */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { encodeProtobuf } from '../api/codec/protobuf.ts';
import { seededRandom } from '../clock/testing/seeded-random.ts';
import { type Json, TestServer } from './testing/test-server.ts';

const wrong: readonly unknown[] = [
  null,
  0,
  -1,
  1e20,
  '',
  'x',
  [],
  {},
  true,
  [null],
  [{}],
  { a: null },
  '\u0000',
  '__proto__',
  [[]],
  '10.96.0.300',
];
const containers = [
  {
    name: 'c',
    image: 'i',
    ports: [{ containerPort: 80 }],
    env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    resources: { limits: { cpu: '1' } },
    volumeMounts: [{ name: 'v', mountPath: '/x' }],
  },
];
const template = { metadata: { labels: { a: 'b' } }, spec: { containers } };

const seeds: readonly (readonly [path: string, apiVersion: string, kind: string, object: object])[] = [
  [
    '/api/v1/namespaces/default/pods',
    'v1',
    'Pod',
    { metadata: { name: 'p' }, spec: { containers, volumes: [{ name: 'v', emptyDir: {} }], tolerations: [{}] } },
  ],
  [
    '/api/v1/namespaces/default/services',
    'v1',
    'Service',
    { metadata: { name: 's' }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30_000 }], selector: { a: 'b' } } },
  ],
  [
    '/apis/apps/v1/namespaces/default/deployments',
    'apps/v1',
    'Deployment',
    { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } },
  ],
  [
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    'rbac.authorization.k8s.io/v1',
    'ClusterRole',
    { metadata: { name: 'r' }, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] },
  ],
];

function mutated(object: object, random: (below: number) => number): object {
  const copy = structuredClone(object);
  const spots: [Json, string][] = [];
  const walk = (value: Json): void => {
    for (const key of Object.keys(value)) {
      spots.push([value, key]);
      if (typeof value[key] === 'object' && value[key] !== null) walk(value[key]);
    }
  };
  walk(copy);
  for (let i = 0; i <= random(2); i++) {
    const [at, key] = spots[random(spots.length)]!;
    at[key] = wrong[random(wrong.length)];
  }
  return copy;
}

describe('random damage', () => {
  let s: TestServer;
  before(async () => {
    s = await TestServer.start();
    await s.call('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'default' } });
  });
  after(() => s.stop());

  for (const [path, apiVersion, kind, object] of seeds) {
    test(`to a ${kind} is never an error of the server`, async () => {
      const random = seededRandom(7);
      const name = `fuzzed-${kind.toLowerCase()}`;
      await s.call('POST', path, { ...object, metadata: { name } });
      for (let i = 0; i < 150; i++) {
        const body = mutated(object, random);
        const created = await s.call('POST', `${path}?dryRun=All`, body);
        assert.ok(created.status < 500, `${created.text} for ${JSON.stringify(body)}`);
        const { metadata: _metadata, ...patch } = mutated(object, random) as Json;
        for (const type of ['application/merge-patch+json', 'application/strategic-merge-patch+json']) {
          const patched = await s.call('PATCH', `${path}/${name}?dryRun=All`, patch, { type });
          assert.ok(patched.status < 500, `${patched.text} for ${JSON.stringify(patch)}`);
        }
        const bytes = Buffer.from(encodeProtobuf({ apiVersion, kind, ...object }));
        for (let j = 0; j <= random(4); j++) bytes[4 + random(bytes.length - 4)] = random(256);
        const decoded = await s.call('POST', `${path}?dryRun=All`, bytes, { type: 'application/vnd.kubernetes.protobuf' });
        assert.ok(decoded.status < 500, `${decoded.text} for ${bytes.toString('hex')}`);
      }
    });
  }
});
