import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiService } from './aggregation.ts';
import { builtInServices, type LocalAction, localAction } from './local.ts';

const [wanted] = builtInServices([{ group: 'apps', version: 'v1' }]).values();

/** The wanted one with another label or spec. */
function like(by: string | undefined, spec: ApiService['spec'] = {}): ApiService {
  const labels = by === undefined ? {} : { 'kube-aggregator.kubernetes.io/automanaged': by };
  return { ...wanted!, metadata: { name: 'v1.apps', labels }, spec: { ...wanted!.spec, ...spec } };
}

const other = { groupPriorityMinimum: 1 };

/** What upstream's table says (autoregister_controller.go), case by case. */
const cases: readonly [string, ApiService | undefined, ApiService | undefined, boolean, boolean, LocalAction][] = [
  ['what is there and wanted by nobody is made by nobody', undefined, undefined, false, false, 'nothing'],
  ['what is built in is made at the start', undefined, like('onstart'), false, false, 'create'],
  ['and not again once it was seen to', undefined, like('onstart'), true, false, 'nothing'],
  ['what a definition brings is made', undefined, like('true'), false, false, 'create'],
  ['and made again', undefined, like('true'), true, false, 'create'],
  ["somebody's own is left alone", like(undefined, other), like('true'), false, true, 'nothing'],
  ["somebody's own is not deleted", like(undefined), undefined, false, true, 'nothing'],
  ['one that is built in is put right at the start', like('onstart', other), like('onstart'), false, true, 'update'],
  ['not later', like('onstart', other), like('onstart'), true, true, 'nothing'],
  ['nor when it came after the start', like('onstart', other), like('onstart'), false, false, 'nothing'],
  ['one of an older version goes at the start', like('onstart'), undefined, false, true, 'delete'],
  ['not later, either', like('onstart'), undefined, true, true, 'nothing'],
  ['what a definition brings is put right', like('true', other), like('true'), true, true, 'update'],
  ['and goes with it', like('true'), undefined, true, true, 'delete'],
  ['what is as it should be stays', like('true'), like('true'), true, true, 'nothing'],
];

for (const [title, current, desired, isSeen, wasThere, action] of cases)
  test(title, () => assert.equal(localAction({ current, wanted: desired, isSeen, wasThere }), action));

test('a version that upstream has no priority for is not registered', () => {
  assert.deepEqual(
    [
      ...builtInServices([
        { group: 'apps', version: 'v9' },
        { group: 'apiregistration.k8s.io', version: 'v1' },
      ]),
    ],
    [],
  );
});
