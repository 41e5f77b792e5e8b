import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isErrno } from '../../../linux/netlink/netlink-error.ts';
import { FakeIpset } from '../../../linux/testing/fake-ipset.ts';
import { silentLog } from '../../../observability/log.ts';
import { SetEntries } from './set-entries.ts';
import { declarationOf } from './set-names.ts';

test('SetEntries leaves out who would be let in, and no entry that shuts out', async () => {
  const ipset = new FakeIpset();
  ipset.maxElements = 1;
  const entries = new SetEntries(ipset, 'ip', silentLog);
  for (const set of ['LOAD-BALANCER', 'LOAD-BALANCER-FW'] as const) {
    await ipset.apply([{ op: 'create', set: declarationOf(set, 'ip') }]);
    const errors = await entries.change(
      'add',
      ['192.0.2.1,tcp:80', '192.0.2.2,tcp:80'].map((entry) => ({ set, entry })),
    );
    const refused = errors.filter((error) => isErrno(error, 'IPSET_ERR_HASH_FULL'));
    assert.equal(refused.length, set === 'LOAD-BALANCER-FW' ? 1 : 0, set);
  }
});
