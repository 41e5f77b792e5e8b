import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fullReference, nameImages } from './archive-names.ts';

describe('fullReference()', () => {
  for (const [text, want] of [
    ['app', 'docker.io/library/app:latest'],
    ['app:1', 'docker.io/library/app:1'],
    ['me/app:1', 'docker.io/me/app:1'],
    ['localhost/app', 'localhost/app:latest'],
    ['registry.example:5000/a/b', 'registry.example:5000/a/b:latest'],
    ['fairlead.local/box:1', 'fairlead.local/box:1'],
    ['App', undefined],
    ['a b', undefined],
    ['', undefined],
  ] as const)
    test(`reads ${JSON.stringify(text)}`, () => assert.equal(fullReference(text), want));
});

describe('nameImages()', () => {
  const index = (...names: (Record<string, string> | undefined)[]): { index: string; manifest: undefined } => ({
    index: JSON.stringify({ schemaVersion: 2, manifests: names.map((annotations, i) => ({ digest: `sha256:${i}`, annotations })) }),
    manifest: undefined,
  });
  const docker = (...tags: (string[] | null)[]): { index: undefined; manifest: string } => ({
    index: undefined,
    manifest: JSON.stringify(tags.map((RepoTags) => ({ Config: 'c', RepoTags, Layers: [] }))),
  });

  const cases: [string, Parameters<typeof nameImages>, string, boolean][] = [
    ['what docker save wrote', [docker(['app:1', 'me/app:2']), undefined, 'x'], 'docker.io/library/app:1 docker.io/me/app:2', false],
    ['another name for it', [docker(['app:1']), 'other:2', 'x'], 'docker.io/library/other:2', true],
    ['a name for an archive without', [docker(null), 'other', 'x'], 'docker.io/library/other:latest', true],
    [
      'the name that containerd noted',
      [index({ 'io.containerd.image.name': 'docker.io/library/a:1', 'org.opencontainers.image.ref.name': '1' }), undefined, 'x'],
      'docker.io/library/a:1',
      false,
    ],
    [
      'a bare tag after its file',
      [index({ 'org.opencontainers.image.ref.name': '1.0' }), undefined, 'app'],
      'docker.io/library/app:1.0',
      true,
    ],
    [
      'a reference in an OCI layout',
      [index({ 'org.opencontainers.image.ref.name': 'q.example/a:1' }), undefined, 'app'],
      'q.example/a:1',
      true,
    ],
    ['an OCI layout without names', [index(undefined), 'app:3', 'x'], 'docker.io/library/app:3', true],
  ];
  for (const [name, args, want, rewritten] of cases)
    test(`takes ${name}`, () => {
      const { names, rewrite } = nameImages(...args);
      assert.deepEqual([names.join(' '), rewrite !== undefined], [want, rewritten]);
      // What is written is read as the same names, and asks for no more.
      if (rewrite?.file === 'index.json')
        assert.deepEqual(nameImages({ index: rewrite.text, manifest: undefined }, undefined, 'y'), { names });
      if (rewrite?.file === 'manifest.json')
        assert.deepEqual(nameImages({ index: undefined, manifest: rewrite.text }, undefined, 'y'), { names });
    });

  for (const [name, args, message] of [
    ['what has no name', [index(undefined), undefined, 'x'], /not all of them have a name/],
    ['an archive of docker without names', [docker(null), undefined, 'x'], /not all of them have a name/],
    ['an archive of docker with a name that is none', [docker(['a b']), undefined, 'x'], /not all of them have a name/],
    ['an OCI layout with one', [index({ 'io.containerd.image.name': 'a b:1' }), undefined, 'x'], /not all of them have a name/],
    ['one name for two images', [docker(['a:1'], ['b:1']), 'c', 'x'], /not all/],
    ['a bad name', [docker(['a:1']), 'A b', 'x'], /--as="A b": it is no image reference/],
    ['no images', [index(), undefined, 'x'], /lists none/],
    [
      'what is no archive of images',
      [{ index: undefined, manifest: undefined }, undefined, 'x'],
      /neither an index.json nor a manifest.json/,
    ],
    ['a torn one', [{ index: '{', manifest: undefined }, undefined, 'x'], /index.json is no JSON/],
  ] as const)
    test(`refuses ${name}`, () => assert.throws(() => nameImages(...(args as unknown as Parameters<typeof nameImages>)), { message }));
});
