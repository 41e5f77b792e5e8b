import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isErrno } from '../../../linux/netlink/netlink-error.ts';
import { FakeIpset } from '../../../linux/testing/fake-ipset.ts';
import { silentLog } from '../../../observability/log.ts';
import type { Member } from './render.ts';
import { SetEntries } from './set-entries.ts';
import { declarationOf, type SetName } from './set-names.ts';

const members = (set: SetName, ...ports: readonly number[]): Member[] => ports.map((port) => ({ set, entry: `192.0.2.1,tcp:${port}` }));

interface Full {
  readonly ipset: FakeIpset;
  readonly entries: SetEntries;
  readonly warned: string[];
}

async function full(set: SetName, maxElements: number): Promise<Full> {
  const ipset = new FakeIpset();
  ipset.maxElements = maxElements;
  await ipset.apply([{ op: 'create', set: declarationOf(set, 'ip') }]);
  const warned: string[] = [];
  return { ipset, entries: new SetEntries(ipset, 'ip', { ...silentLog, warn: (line) => void warned.push(line) }), warned };
}

describe('SetEntries', () => {
  for (const [set, refused] of [
    ['LOAD-BALANCER', 0],
    ['LOAD-BALANCER-FW', 2],
    ['NO-LOCAL', 2],
    ['NO-LOCAL-OUTSIDE', 2],
  ] as const)
    test(`refuses ${refused} of two that find no room in ${set}`, async () => {
      const { entries } = await full(set, 1);
      assert.deepEqual(await entries.change('add', members(set, 1, 2, 3)), []);
      const { refusals } = entries;
      assert.deepEqual([refusals.length, refusals.every((error) => isErrno(error, 'IPSET_ERR_HASH_FULL'))], [refused, true]);
      assert.deepEqual(entries.leftOut(set), ['192.0.2.1,tcp:2', '192.0.2.1,tcp:3']);
      assert.deepEqual(
        members(set, 1, 2).map((member) => entries.hasRoomFor(member)),
        [true, false],
      );
    });

  test('gives room to as many as left, first to who waited longest', async () => {
    const { entries } = await full('CLUSTER-IP', 3);
    await entries.change('add', members('CLUSTER-IP', 1, 2, 3, 4, 5, 6));
    assert.deepEqual(entries.takeRoom(), []);
    await entries.change('del', members('CLUSTER-IP', 1, 2));
    const next = entries.takeRoom();
    assert.deepEqual(next, members('CLUSTER-IP', 4, 5));
    await entries.change('add', next);
    assert.deepEqual(entries.leftOut('CLUSTER-IP'), ['192.0.2.1,tcp:6']);
    assert.deepEqual(entries.takeRoom(), []);
  });

  test('finds no room by who goes that had none', async () => {
    const { entries } = await full('CLUSTER-IP', 1);
    await entries.change('add', members('CLUSTER-IP', 1, 2, 3));
    await entries.change('del', members('CLUSTER-IP', 2));
    assert.deepEqual([entries.takeRoom(), entries.leftOut('CLUSTER-IP')], [[], ['192.0.2.1,tcp:3']]);
    await entries.change('del', members('CLUSTER-IP', 3));
    assert.equal(entries.isFull('CLUSTER-IP'), false);
  });

  const said = (port: number): string => `Set "KUBE-CLUSTER-IP" is full, and has no room for 192.0.2.1,tcp:${port}: all else is served`;

  test('tells a set that is full once, until it is not', async () => {
    const { entries, warned } = await full('CLUSTER-IP', 1);
    await entries.change('add', members('CLUSTER-IP', 1, 2));
    entries.tell();
    entries.compared();
    await entries.change('add', members('CLUSTER-IP', 1, 2));
    entries.tell();
    assert.deepEqual(warned, [said(2)]);
    await entries.change('del', members('CLUSTER-IP', 2));
    entries.tell();
    await entries.change('add', members('CLUSTER-IP', 3));
    entries.tell();
    assert.deepEqual(warned, [said(2), said(3)]);
  });

  test('knows what it told although a comparison, or the kernel, fails before anything is tried again', async () => {
    const { ipset, entries, warned } = await full('CLUSTER-IP', 1);
    await entries.change('add', members('CLUSTER-IP', 1, 2));
    entries.tell();
    entries.compared();
    entries.tell();
    const { apply } = ipset;
    ipset.apply = () => Promise.reject(new Error('no memory'));
    await assert.rejects(entries.change('add', members('CLUSTER-IP', 1, 2)));
    entries.tell();
    ipset.apply = apply;
    await entries.change('add', members('CLUSTER-IP', 1, 2));
    entries.tell();
    assert.deepEqual(warned, [said(2)]);
  });

  test('gives what the kernel refused for another reason', async () => {
    const { entries } = await full('CLUSTER-IP', 1);
    const refusals = await entries.change('add', [...members('LOAD-BALANCER', 1), ...members('CLUSTER-IP', 1)]);
    assert.deepEqual(
      refusals.map((error) => error.errno),
      ['ENOENT'],
    );
    assert.deepEqual(entries.leftOut('LOAD-BALANCER'), []);
  });
});
