import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { controllerRevisions, daemonSets } from '../../api/resource-types.ts';
import type { ControllerRevision, DaemonSet } from '../../api/schema/types.ts';
import { webSelector } from '../testing/samples.ts';
import { TestBed } from '../testing/test-bed.ts';
import { Revisions } from './revisions.ts';
import { templateHash } from './template-hash.ts';

function daemonSet(image: string, more: Partial<NonNullable<DaemonSet['spec']>> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', namespace: 'default', uid: 'u' },
    spec: {
      selector: webSelector,
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image, args: ['1 < 2 && 3 > 2'] }] } },
      ...more,
    },
  };
}

async function start(owner: DaemonSet): Promise<{ bed: TestBed; revisions: Revisions<DaemonSet> }> {
  const bed = new TestBed();
  bed.put(daemonSets, owner);
  const revisions = new Revisions(bed.context, daemonSets, 'hash');
  await bed.deliver();
  return { bed, revisions };
}

const numbers = (all: readonly ControllerRevision[]): number[] => all.map((r) => r.revision);

describe('Revisions', () => {
  test('sends the data byte by byte as Go writes it, for a server that keeps it so, and knows it again', async () => {
    const owner = daemonSet('x');
    const { bed, revisions } = await start(owner);
    await using _ = bed;
    const made = await revisions.upTo(owner);
    const sent =
      '"data":{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"args":["1 \\u003c 2 \\u0026\\u0026 3 \\u003e 2"],"image":"x","name":"c"}]}}}}';
    assert.ok(bed.client.writes[0]?.json.includes(sent), bed.client.writes[0]?.json);
    assert.deepEqual(await revisions.upTo(owner), made);
    assert.equal(bed.client.writes.length, 1);
  });

  test('puts a new template at the end, and moves one that comes back there', async () => {
    const { bed, revisions } = await start(daemonSet('a'));
    await using _ = bed;
    const [a] = await revisions.upTo(daemonSet('a'));
    assert.deepEqual(numbers(await revisions.upTo(daemonSet('b'))), [1, 2]);
    const back = await revisions.upTo(daemonSet('a'));
    assert.deepEqual([numbers(back), back.at(-1)?.metadata.name], [[2, 3], a?.metadata.name]);
    assert.deepEqual(
      bed.client.took().map((line) => line.split(' ')[0]),
      ['create', 'create', 'patch'],
    );
  });

  test('takes the one that was made before a restart, and counts a collision when the name is another one’s', async () => {
    const owner = daemonSet('a');
    const { bed, revisions } = await start(owner);
    await using _ = bed;
    const [made] = await revisions.upTo(owner);
    const afterRestart = new Revisions(bed.context, daemonSets, 'hash');
    assert.equal((await afterRestart.upTo(owner)).at(-1)?.metadata.uid, made?.metadata.uid);
    const other = daemonSet('b');
    const name = `d-${templateHash(other.spec?.template)}`;
    bed.put(controllerRevisions, {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: { name, namespace: 'default' },
      revision: 1,
    });
    await assert.rejects(revisions.upTo(other), /already exists/);
    assert.equal(bed.client.find(daemonSets, 'default/d')?.status?.collisionCount, 1);
  });

  test('trims the oldest that nothing is made from, beyond the limit', async () => {
    const owner = daemonSet('d', { revisionHistoryLimit: 1 });
    const { bed, revisions } = await start(owner);
    await using _ = bed;
    for (const image of ['a', 'b', 'c']) await revisions.upTo(daemonSet(image));
    const all = await revisions.upTo(owner);
    const [first, second] = all;
    bed.client.took();
    bed.client.forget(controllerRevisions, `default/${second?.metadata.name}`);
    await revisions.trim(owner, all, (r) => r === all.at(-1));
    assert.deepEqual(
      bed.client.took(),
      [first, second].map((r) => `delete controllerrevisions default/${r?.metadata.name}`),
    );
  });
});
