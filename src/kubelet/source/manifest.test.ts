import assert from 'node:assert/strict';
import test from 'node:test';
import { testNow } from '../testing/pod-samples.ts';
import { staticPod } from './manifest.ts';

const manifest = 'apiVersion: v1\nkind: Pod\nmetadata: {name: s}\nspec: {containers: [{name: a, image: x}]}\n';
test('staticPod() belongs to its node, and is another pod when its manifest changes', () => {
  const pod = staticPod(manifest, 'n1', testNow);
  assert.equal(pod.metadata.name, 's-n1');
  assert.equal(pod.metadata.namespace, 'default');
  assert.equal(pod.metadata.annotations?.['kubernetes.io/config.source'], 'file');
  assert.equal(staticPod(manifest, 'n1', testNow + 1).metadata.uid, pod.metadata.uid);
  assert.notEqual(staticPod(manifest.replace('x', 'y'), 'n1', testNow).metadata.uid, pod.metadata.uid);
});

for (const [what, text, why] of [
  ['another kind', manifest.replace('Pod', 'Service'), /it holds no Pod of v1/],
  ['another version', manifest.replace('v1', 'v2'), /it holds no Pod of v1/],
  ['nothing in it', '', /it holds no Pod of v1/],
  ['no name', manifest.replace('{name: s}', '{}'), /metadata\.name is missing/],
  ['no containers', manifest.replace(/spec.*/, ''), /spec\.containers: Required value/],
  ['no image', manifest.replace(', image: x', ''), /spec\.containers\[0\]\.image: Required value/],
  [
    'a name that leads out of its directory',
    manifest.replace('name: s', 'name: ../../s'),
    /metadata\.name: Invalid value: "\.\.\/\.\.\/s-n1"/,
  ],
  ['a namespace that does', manifest.replace('name: s', 'name: s, namespace: ../x'), /metadata\.namespace: Invalid value: "\.\.\/x"/],
  ['a container whose name does', manifest.replace('name: a', 'name: ../../a'), /spec\.containers\[0\]\.name: Invalid value/],
  ['a volume whose name does', manifest.replace('spec: {', 'spec: {volumes: [{name: ../v, emptyDir: {}}], '), /spec\.volumes\[0\]\.name/],
] as const)
  test(`staticPod() refuses a manifest with ${what}`, () => assert.throws(() => staticPod(text, 'n1', testNow), why));

test('staticPod() takes what the manifest says before what it adds, and adds no more than the kubelet needs', () => {
  const text = manifest.replace('spec: {', 'spec: {restartPolicy: Never, tolerations: [{key: a, operator: Exists}], ');
  const { spec, metadata } = staticPod(text.replace('name: s', 'name: s, namespace: own'), 'n1', testNow);
  assert.equal(metadata.namespace, 'own');
  assert.deepEqual(spec, {
    containers: [{ name: 'a', image: 'x' }],
    restartPolicy: 'Never',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    enableServiceLinks: true,
    tolerations: [
      { key: 'a', operator: 'Exists' },
      { operator: 'Exists', effect: 'NoExecute' },
    ],
    nodeName: 'n1',
  });
});
