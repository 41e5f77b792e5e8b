import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../../x509/authority.ts';
import { hasEnded } from './join.ts';

test('hasEnded() is true of a certificate that has ended, or that a power cut has left empty', async () => {
  const { certPem: cert } = await createAuthority('system:node:one', 0);
  const end = 3650 * 86_400_000;
  assert.deepEqual(
    [hasEnded({ cert }, end - 1), hasEnded({ cert }, end), hasEnded({ cert: '' }, 0), hasEnded({}, end)],
    [false, true, true, false],
  );
});
