import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerStatus, PodCondition, PodStatus } from '../../api/schema/types.ts';
import { statusPatch } from './status-patch.ts';

const ready = (status: string, more: Partial<PodCondition> = {}): PodCondition => ({ type: 'Ready', status, ...more });

const named = (more: object = {}): ContainerStatus => ({ name: 'a', ...more }) as ContainerStatus;

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
  ['clears a reason and a message that are over', { reason: 'Evicted', message: 'why' }, {}, { reason: null, message: null }],
  ['leaves what others set alone', { nominatedNodeName: 'n2' }, { phase: 'Running' }, { phase: 'Running' }],
  ['takes an empty object for none', { containerStatuses: [named({ lastState: {} })] }, { containerStatuses: [named()] }, undefined],
  ['takes null for none', { containerStatuses: [named({ state: null })] }, { containerStatuses: [named()] }, undefined],
  [
    'takes fields in another order for the same',
    { containerStatuses: [named({ a: 1, b: 2 })] },
    { containerStatuses: [named({ b: 2, a: 1 })] },
    undefined,
  ],
  [
    'tells values of another kind apart',
    { containerStatuses: [named({ a: 1 })] },
    { containerStatuses: [named({ a: '1' })] },
    { containerStatuses: [named({ a: '1' })] },
  ],
  [
    'tells entries of a list apart by their order',
    { containerStatuses: [named(), named({ name: 'b' })] },
    { containerStatuses: [named({ name: 'b' }), named()] },
    { containerStatuses: [named({ name: 'b' }), named()] },
  ],
  ['sets a list that was not there as it is', {}, { hostIPs: [{ ip: '1.1.1.1' }] }, { hostIPs: [{ ip: '1.1.1.1' }] }],
  [
    'replaces the addresses of the node',
    { hostIPs: [{ ip: '1.1.1.1' }] },
    { hostIPs: [{ ip: '1.1.1.2' }] },
    { hostIPs: [{ $patch: 'replace' }, { ip: '1.1.1.2' }] },
  ],
  [
    'carries a condition that is new',
    { conditions: [ready('True')] },
    { conditions: [ready('True'), { type: 'Initialized', status: 'True' }] },
    { conditions: [{ type: 'Initialized', status: 'True' }] },
  ],
  [
    'clears the old message of a condition, but not a new reason',
    { conditions: [ready('False', { reason: 'a', message: 'm' })] },
    { conditions: [ready('False', { reason: 'b' })] },
    { conditions: [{ type: 'Ready', status: 'False', reason: 'b', message: null }] },
  ],
  [
    'keeps a condition of a resize that still stands',
    { conditions: [{ type: 'PodResizePending', status: 'True' }] },
    { conditions: [{ type: 'PodResizePending', status: 'True' }] },
    undefined,
  ],
  ['leaves the conditions of others alone', { conditions: [] }, { conditions: [{ type: 'x/y', status: 'True' }] }, undefined],
];

for (const [name, from, to, wanted] of cases) test(`statusPatch() ${name}`, () => assert.deepEqual(statusPatch(from, to), wanted));
