/** From mode nftables to ipvs and back, in a kernel that has both: once `nf-tables.sh` has built its modules here. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { messageOf } from '../../src/errors/known-error.ts';
import { prepareGuest, runInGuest } from './guest.ts';

const built = '/var/lib/fairlead/.cache/nf-tables';
/** For hangs. */
const limitMs = 900_000;
const script = `FAIRLEAD_MODES=nftables,ipvs '${process.execPath}' --test --test-reporter=spec --test-name-pattern='from each mode' test/guest/inside/program.guest.ts`;

async function lacking(): Promise<string | false> {
  if (!existsSync(`${built}/ready`)) return 'no nf_tables for the guest here: sh test/guest/nf-tables.sh builds it';
  process.env.FAIRLEAD_GUEST_MODULES ??= `${built}/lib/modules`;
  return await prepareGuest().then(
    () => false,
    (err: unknown) => `no guest here: ${messageOf(err)}`,
  );
}

test('nobody notices the way from mode nftables to ipvs and back', { skip: await lacking() }, async (t) => {
  await runInGuest(script, limitMs, async ({ code, output }) => {
    for (const line of output.split('\n')) if (line.startsWith('  ℹ ')) t.diagnostic(line.slice(4));
    assert.equal(code, 0, output.slice(-8000));
    assert.match(output, /^ℹ pass 1$/m);
  });
});
