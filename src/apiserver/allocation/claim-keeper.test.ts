import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { services } from '../../api/resource-types.ts';
import type { Service } from '../../api/schema/types.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { MemoryStore } from '../../storage/memory/memory-store.ts';
import { ClaimKeeper, keepClaims } from './claim-keeper.ts';
import { PortClaims } from './port-claims.ts';
import { ToldLookup } from './testing/told.ts';

const service = (name: string, ports: readonly number[], uid = name): Service =>
  ({ metadata: { namespace: 'default', name, uid }, spec: { ports: ports.map((nodePort) => ({ port: 80, nodePort })) } }) as Service;

class Scene {
  readonly clock = new FakeClock();
  readonly told = new ToldLookup();
  readonly claims = new PortClaims(new MemoryStore({ clock: this.clock }));
  readonly said: string[] = [];
  readonly stop = new AbortController();
  readonly kept = {
    claims: this.claims,
    idsOf: ({ spec }: Service): string[] => (spec?.ports ?? []).map(({ nodePort }) => String(nodePort)),
  };
  readonly context = {
    ...{ clock: this.clock, lookup: this.told.lookup, feed: { fresh: async (): Promise<void> => {} }, signal: this.stop.signal },
    log: { ...silentLog, warn: (text: string) => void this.said.push(text), info: (text: string) => void this.said.push(text) },
  };

  async owners(): Promise<Record<string, string | undefined>> {
    return Object.fromEntries((await this.claims.list()).map(({ id, owner }) => [id, owner]));
  }
}

describe('ClaimKeeper', () => {
  test('claims what a Service has that nobody claimed for it', async () => {
    const scene = new Scene();
    const keeper = new ClaimKeeper(scene.kept, scene.context);
    scene.told.put(services, service('old', [30_001, 30_002]));
    await keeper.sweep();
    assert.deepEqual(await scene.owners(), { 30001: 'default/old', 30002: 'default/old' });
  });

  test('takes a claim away after a minute without its Service, not before', async () => {
    const scene = new Scene();
    const keeper = new ClaimKeeper(scene.kept, scene.context);
    await scene.claims.take('30001', service('never', [30_001]));
    await keeper.sweep();
    await scene.clock.advance(59_999);
    await keeper.sweep();
    assert.deepEqual(await scene.owners(), { 30001: 'default/never' });
    await scene.clock.advance(1);
    await keeper.sweep();
    assert.deepEqual(await scene.owners(), {});
    assert.deepEqual(scene.said, ['node port 30001 is free again: there is no Service "default/never" that has it']);
  });

  test('counts the minute anew for a claim that was made anew, and forgets one whose Service came', async () => {
    const scene = new Scene();
    const keeper = new ClaimKeeper(scene.kept, scene.context);
    await scene.claims.take('30001', service('slow', [30_001]));
    await keeper.sweep();
    await scene.clock.advance(50_000);
    await scene.claims.drop((await scene.claims.get('30001'))!);
    await scene.claims.take('30001', service('slow', [30_001]));
    await keeper.sweep();
    await scene.clock.advance(59_000);
    scene.told.put(services, service('slow', [30_001]));
    await keeper.sweep();
    scene.told.delete(services, service('slow', [30_001]));
    await scene.clock.advance(10_000);
    await keeper.sweep();
    assert.deepEqual(await scene.owners(), { 30001: 'default/slow' });
  });

  test('gives the claim of a Service that is gone to the one that has the number', async () => {
    const scene = new Scene();
    const keeper = new ClaimKeeper(scene.kept, scene.context);
    await scene.claims.take('30001', service('gone', [30_001]));
    scene.told.put(services, service('here', [30_001]));
    await keeper.sweep();
    await scene.clock.advance(60_000);
    await keeper.sweep();
    assert.deepEqual(await scene.owners(), { 30001: 'default/here' });
  });

  test('says when two Services have one number, and leaves the claim where it is', async () => {
    const scene = new Scene();
    const keeper = new ClaimKeeper(scene.kept, scene.context);
    await scene.claims.take('30001', service('a', [30_001]));
    for (const name of ['a', 'b']) scene.told.put(services, service(name, [30_001]));
    await keeper.sweep();
    await scene.clock.advance(60_000);
    await keeper.sweep();
    assert.deepEqual(await scene.owners(), { 30001: 'default/a' });
    assert.match(scene.said[0] ?? '', /^node port 30001 belongs to several Services: default\/a, default\/b;/);
  });
});

test('keepClaims() looks each minute, goes on after an error, and ends with the signal', async () => {
  const scene = new Scene();
  let isBroken = true;
  const list = async (): Promise<never[]> => {
    if (isBroken) throw new Error('no answer');
    return [];
  };
  const { claims: all } = scene;
  const claims = {
    ...{ kind: 'node port', list, recordOf: all.recordOf.bind(all), keyOf: all.keyOf.bind(all), take: all.take.bind(all) },
    ...{ get: async () => undefined, drop: async () => {} },
  };
  scene.told.put(services, service('x', []));
  const running = keepClaims({ ...scene.kept, claims }, scene.context);
  scene.told.put(services, service('web', [30_001]));
  await scene.clock.advance(0);
  assert.match(scene.said[0] ?? '', /no answer|cannot keep every node port/);
  isBroken = false;
  await scene.clock.advance(60_000);
  assert.deepEqual(await scene.owners(), { 30001: 'default/web' });
  scene.stop.abort();
  await running;
});
