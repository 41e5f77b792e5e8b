import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ResourceAttributes } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { refusal } from '../../client/testing/fake-client.ts';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { isKnownError } from '../../errors/known-error.ts';
import type { Steps } from '../steps.ts';
import { missingRights, questionsOf, waitForRights } from './node-rights.ts';

const metadata = { name: 'r' };
const apiVersion = 'rbac.authorization.k8s.io/v1';
const roles = [
  {
    apiVersion,
    kind: 'ClusterRole',
    metadata,
    rules: [{ apiGroups: [''], resources: ['services', 'nodes/status'], verbs: ['list', 'patch'] }],
  },
  { apiVersion, kind: 'ClusterRoleBinding', metadata },
  {
    apiVersion,
    kind: 'Role',
    metadata: { name: 'r', namespace: 'kube-system' },
    rules: [{ apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], resourceNames: ['one'], verbs: ['get'] }],
  },
];

/** A cluster that allows what `allows` says of `list services`. */
function cluster(allows: (what: string) => boolean): Pick<Client, 'create'> {
  const create = async (_type: unknown, { spec }: { spec: { resourceAttributes: ResourceAttributes } }): Promise<object> => {
    const { verb, resource } = spec.resourceAttributes;
    return { status: { allowed: allows(`${verb} ${resource}`) } };
  };
  return { create } as unknown as Pick<Client, 'create'>;
}

const { signal } = new AbortController();

test('questionsOf() asks for each verb of each resource, where the role is', () => {
  assert.deepEqual(
    questionsOf(roles).map(({ namespace = '', group, verb, resource, subresource = '', name = '' }) =>
      [namespace, group, verb, resource, subresource, name].join('|'),
    ),
    [
      '||list|services||',
      '||patch|services||',
      '||list|nodes|status|',
      '||patch|nodes|status|',
      'kube-system|discovery.k8s.io|get|endpointslices||one',
    ],
  );
});

test('missingRights() names each thing that is refused once, with its subresource', async () => {
  const some = cluster((what) => what !== 'patch nodes');
  assert.deepEqual(await missingRights(some, [...roles, ...roles], signal), ['patch nodes/status']);
});

test('missingRights() finds nothing where nobody may ask', async () => {
  const silent = { create: () => Promise.reject(refusal(403, 'Forbidden')) } as unknown as Pick<Client, 'create'>;
  assert.deepEqual(await missingRights(silent, roles, signal), []);
});

describe('waitForRights()', () => {
  const cure = 'fairlead manifest --group system:nodes --cluster-dns= | kubectl apply -f -';
  const context = (clock: FakeClock, notes: string[]) => ({
    clock,
    signal,
    timeoutMs: 10_000,
    steps: { note: (text: string) => void notes.push(text) } as unknown as Steps,
  });

  test('says once what to do, and goes on when it is done', async () => {
    const [clock, notes]: [FakeClock, string[]] = [new FakeClock(), []];
    let isApplied = false;
    const waiting = waitForRights(
      context(clock, notes),
      cluster(() => isApplied),
      roles,
    );
    await clock.advance(5_000);
    isApplied = true;
    await clock.advance(2_000);
    await waiting;
    assert.deepEqual(notes, [
      `Waiting: this cluster does not let its nodes list services, and 4 things more. On the control plane: ${cure}`,
    ]);
  });

  test('ends with the same when nobody does it in time', async () => {
    const clock = new FakeClock();
    const waiting = waitForRights(
      context(clock, []),
      cluster((what) => what !== 'list services'),
      roles,
    ).catch((err: unknown) => err);
    await clock.advance(20_000);
    const err = await waiting;
    assert.ok(isKnownError(err, 'CHECK_FAILED'));
    assert.deepEqual(
      [err.message, err.hint],
      ['Cannot go on: this cluster does not let its nodes list services', `On the control plane: ${cure}; then run the same command again`],
    );
  });

  test('says nothing where all is allowed', async () => {
    const notes: string[] = [];
    await waitForRights(
      context(new FakeClock(), notes),
      cluster(() => true),
      roles,
    );
    assert.deepEqual(notes, []);
  });
});
