import assert from 'node:assert/strict';
import test from 'node:test';
import type { PodCondition, PodStatus } from '../../api/schema/types.ts';
import { statusPatch } from './status-patch.ts';

const ready = (status: string, more: Partial<PodCondition> = {}): PodCondition => ({ type: 'Ready', status, ...more });

const cases: readonly [name: string, from: PodStatus, to: PodStatus, wanted: object | undefined][] = [
  ['is undefined when nothing differs', { phase: 'Running' }, { phase: 'Running' }, undefined],
  ['takes null, absent and empty for the same', { podIP: undefined, containerStatuses: [] }, { containerStatuses: [] }, undefined],
  [
    'carries what changed only',
    { phase: 'Pending', qosClass: 'BestEffort' },
    { phase: 'Running', qosClass: 'BestEffort' },
    { phase: 'Running' },
  ],
  ['clears an address that is gone', { podIP: '1.1.1.1', podIPs: [{ ip: '1.1.1.1' }] }, {}, { podIP: null, podIPs: null }],
  [
    'replaces a list that would be merged',
    { podIPs: [{ ip: '1.1.1.1' }] },
    { podIPs: [{ ip: '1.1.1.2' }] },
    { podIPs: [{ $patch: 'replace' }, { ip: '1.1.1.2' }] },
  ],
  [
    'carries a condition that changed, and clears its old reason',
    { conditions: [ready('False', { reason: 'ContainersNotReady' })] },
    { conditions: [ready('True')] },
    { conditions: [{ type: 'Ready', status: 'True', reason: null }] },
  ],
  [
    'takes a condition away that tells by standing there',
    { conditions: [ready('True'), { type: 'PodResizePending', status: 'True' }] },
    { conditions: [ready('True')] },
    { conditions: [{ type: 'PodResizePending', $patch: 'delete' }] },
  ],
  ['leaves the conditions of others alone', { conditions: [] }, { conditions: [{ type: 'x/y', status: 'True' }] }, undefined],
];

for (const [name, from, to, wanted] of cases) test(`statusPatch() ${name}`, () => assert.deepEqual(statusPatch(from, to), wanted));
