/** What needs IPVS, in a kernel that has it: one boot for all of these files. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { messageOf } from '../../src/errors/known-error.ts';
import { prepareGuest, runInGuest } from './guest.ts';

/** Files with the tests of them that run in the guest. */
const files: readonly (readonly [file: string, only?: string | undefined, without?: string])[] = [
  ['src/proxy/mode/ipvs/ipvs-mode.test.ts', 'in the kernel'],
  // In IPv6 all are traced; with real packets one of each kind, for time: README.md says how to run the others.
  [
    'test/rules/rules.test.ts',
    'rules in the kernel ipvs',
    'ipvs (?!(?:dual-stack|external-policy-local|hairpin|sctp|source-ranges) in)\\S+ in IPv6',
  ],
  ['test/rules/inspect.test.ts', 'mode ipvs'],
  ['test/guest/inside/balancing.guest.ts'],
  ['test/guest/inside/least-connection.guest.ts'],
  ['test/guest/inside/ipv6.guest.ts'],
  ['test/guest/inside/live.guest.ts'],
  ['test/guest/inside/program.guest.ts', 'ipvs: nobody|goes from each mode'],
  ['test/guest/inside/hostile.guest.ts'],
];
/** For hangs: a little less than the runner has for a file. */
const limitMs = 1_700_000;

const lacking = await prepareGuest().then(
  () => undefined,
  (err: unknown) => `no guest with IPVS here: ${messageOf(err)}`,
);

const script = files
  .map(([file, only, without], i) => {
    const named = only === undefined ? '' : ` --test-name-pattern='${only}'`;
    const pattern = without === undefined ? named : `${named} --test-skip-pattern='${without}'`;
    return `'${process.execPath}' --test --test-reporter=spec${pattern} ${file} >/run/share/out.${i} 2>&1; echo $? >/run/share/rc.${i}`;
  })
  .join('\n');

describe('in a kernel with IPVS', { skip: lacking ?? false, concurrency: false }, () => {
  const results = new Map<string, { readonly code: string; readonly output: string }>();
  let ended: string | number = 'no boot';
  before(async () => {
    await runInGuest(script, limitMs, async ({ code, output, files: read }) => {
      ended = code;
      for (const [i, [file]] of files.entries())
        results.set(file, { code: (await read(`rc.${i}`)).trim(), output: await read(`out.${i}`) });
      if (code !== 0) process.stderr.write(output);
    });
  });

  test('it boots, and ends in time', () => assert.equal(ended, 0));
  for (const [file] of files)
    test(file, (t) => {
      const { code, output } = results.get(file) ?? { code: 'none', output: '' };
      for (const line of output.split('\n'))
        if (/^ℹ (?:tests|pass|skipped|\d)|diagnostic|ms$/.test(line) && line.startsWith('ℹ')) t.diagnostic(line.slice(2));
      assert.equal(code, '0', output.slice(-8000));
      // A file of which nothing ran would end well, too.
      assert.match(output, /^ℹ pass [1-9]/m);
    });
});
