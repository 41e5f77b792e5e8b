import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapPolicy } from '../../apiserver/auth/bootstrap-policy.ts';
import { controllers } from '../../controllers/start.ts';
import { accountOf } from '../../controllers/upstream-names.ts';

test('the ServiceAccount of every controller has a role', () => {
  const bound = bootstrapPolicy().flatMap((one) => ('subjects' in one ? (one.subjects ?? []) : []));
  const accounts = bound.filter(({ kind, namespace }) => kind === 'ServiceAccount' && namespace === 'kube-system').map(({ name }) => name);
  assert.deepEqual(
    Object.keys(controllers).filter((name) => !accounts.includes(accountOf(name))),
    [],
  );
});
