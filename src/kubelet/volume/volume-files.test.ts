import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConfigMap, Secret, Volume } from '../../api/schema/types.ts';
import { samplePod } from '../testing/pod-samples.ts';
import { type FileSources, volumeFiles } from './volume-files.ts';

const facts = { nodeName: 'n1', hostIps: [], podIps: [], allocatable: { cpu: '4' } };
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const configMap: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c' },
  data: { a: '1', b: '2' },
  binaryData: { z: base64('3') },
};
const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { key: base64('k') } };
const sources: FileSources = {
  config: {
    configMap: async (namespace, name) => (namespace === 'default' && name === 'c' ? configMap : undefined),
    secret: async (namespace, name) => (namespace === 'default' && name === 's' ? secret : undefined),
  },
  token: async (_pod, { audience }) => `token for ${audience}`,
};

async function filesOf(volume: Omit<Volume, 'name'>, securityContext = {}): Promise<string[] | undefined> {
  const pod = samplePod({ securityContext }, { labels: { app: 'web' } });
  const files = await volumeFiles(pod, { name: 'v', ...volume }, facts, sources);
  return files && [...files].map(([path, { bytes, mode }]) => `${path} ${mode.toString(8)} ${Buffer.from(bytes)}`);
}

const label = { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } };
const serviceAccountToken = { path: 'token', audience: 'api' };

const volumes: readonly [name: string, volume: Omit<Volume, 'name'>, wanted: string[] | undefined][] = [
  ['a volume of another kind', { emptyDir: {} }, undefined],
  ['a ConfigMap', { configMap: { name: 'c' } }, ['a 644 1', 'b 644 2', 'z 644 3']],
  ['a ConfigMap with a mode', { configMap: { name: 'c', defaultMode: 0o400 } }, ['a 400 1', 'b 400 2', 'z 400 3']],
  [
    'keys of a ConfigMap',
    {
      configMap: {
        name: 'c',
        items: [
          { key: 'b', path: 'x/b' },
          { key: 'a', path: 'a', mode: 0o600 },
        ],
      },
    },
    ['x/b 644 2', 'a 600 1'],
  ],
  [
    'keys that may be missing',
    {
      configMap: {
        name: 'c',
        optional: true,
        items: [
          { key: 'b', path: 'b' },
          { key: 'x', path: 'x' },
        ],
      },
    },
    ['b 644 2'],
  ],
  ['a ConfigMap that may be missing', { configMap: { name: 'x', optional: true } }, []],
  ['a Secret', { secret: { secretName: 's' } }, ['key 644 k']],
  ['a Secret with a mode', { secret: { secretName: 's', defaultMode: 0o400 } }, ['key 400 k']],
  ['a Secret that may be missing', { secret: { secretName: 'x', optional: true } }, []],
  [
    'fields of the pod',
    { downwardAPI: { items: [label, { ...label, path: 'l', mode: 0o400 }] } },
    ['labels 644 app="web"', 'l 400 app="web"'],
  ],
  [
    'resources of a container',
    { downwardAPI: { items: [{ path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } }] } },
    ['cpu 644 4'],
  ],
  [
    'all of these together; of two files with one name the later one counts',
    {
      projected: {
        defaultMode: 0o440,
        sources: [
          {
            configMap: {
              name: 'c',
              items: [
                { key: 'a', path: 'key' },
                { key: 'b', path: 'b' },
              ],
            },
          },
          { secret: { name: 's' } },
          { downwardAPI: { items: [label] } },
          { serviceAccountToken },
        ],
      },
    },
    ['key 440 k', 'b 440 2', 'labels 440 app="web"', 'token 440 token for api'],
  ],
  ['a projection of nothing', { projected: {} }, []],
];

describe('volumeFiles()', () => {
  for (const [name, volume, wanted] of volumes) test(`gives ${name}`, async () => assert.deepEqual(await filesOf(volume), wanted));

  test('lets the group of the pod read a token', async () =>
    assert.deepEqual(await filesOf({ projected: { sources: [{ serviceAccountToken }] } }, { fsGroup: 7 }), ['token 640 token for api']));

  for (const [name, volume, message] of [
    ['a ConfigMap that is missing', { configMap: { name: 'x' } }, 'configmap "x" not found'],
    ['a Secret that is missing', { secret: { secretName: 'x' } }, 'secret "x" not found'],
    [
      'a key that is missing',
      { configMap: { name: 'c', items: [{ key: 'x', path: 'x' }] } },
      'configmap references non-existent config key: x',
    ],
    [
      'a key of a Secret that is missing',
      { secret: { secretName: 's', items: [{ key: 'x', path: 'x' }] } },
      'references non-existent secret key: x',
    ],
    [
      'a field that is none',
      { downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'spec.x' } }] } },
      'unsupported field of the downward API for "p"',
    ],
    ['an item that asks for nothing', { downwardAPI: { items: [{ path: 'p' }] } }, 'unsupported field of the downward API for "p"'],
  ] as const)
    test(`refuses ${name}`, () => assert.rejects(filesOf(volume as unknown as Omit<Volume, 'name'>), { message }));
});
