import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseInvocation } from '../../cli/parse-invocation.ts';
import { isKnownError } from '../../errors/known-error.ts';
import { FlagReader, type FlagValues } from '../flag-reader.ts';
import { partCommands } from '../part-commands.ts';
import { flagsOfFile, schedulingOf } from './scheduler-configuration.ts';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-scheduler-'));
after(() => rmSync(dir, { recursive: true }));

function fileOf(fields: string): string {
  const path = join(dir, 'config.yaml');
  writeFileSync(path, `apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n${fields}`);
  return path;
}

const elects = 'leaderElection: { leaderElect: false, leaseDuration: 30s, resourceName: mine, resourceLock: leases, renewDeadline: "" }\n';

const command = await partCommands.scheduler!();

describe('flagsOfFile()', () => {
  const found = async (argv: readonly string[], env: Record<string, string> = {}): Promise<FlagValues> => {
    const { values, given, inherited } = parseInvocation('fairlead scheduler', command, argv, env);
    return await flagsOfFile(new FlagReader(values), [...given, ...inherited]);
  };

  test('gives what the file says of leader election and of the kubeconfig', async () => {
    const config = fileOf(`${elects}clientConnection: { kubeconfig: /k }`);
    const flags = { 'leader-elect': false, 'leader-elect-lease-duration': '30s', 'leader-elect-resource-name': 'mine', kubeconfig: '/k' };
    assert.deepEqual(await found([`--config=${config}`]), flags);
  });

  test('leaves what the command line or the environment say, even if it is the preset', async () => {
    const argv = [`--config=${fileOf(elects)}`, '--leader-elect=true', '--leader-elect-lease-duration=15s'];
    assert.deepEqual(await found(argv), { 'leader-elect-resource-name': 'mine' });
    assert.deepEqual(await found(argv, { FAIRLEAD_LEADER_ELECT_RESOURCE_NAME: 'kube-scheduler' }), {});
  });

  test('gives nothing without a file', async () => assert.deepEqual(await found([]), {}));

  test('names a file that is not there', async () => {
    await assert.rejects(
      found([`--config=${join(dir, 'none')}`]),
      (err: Error) => isKnownError(err, 'BAD_CONFIG') && err.message.includes('/none"'),
    );
  });
});

describe('schedulingOf()', () => {
  test('gives profiles, how long a pod is left alone, and what has no effect', async () => {
    const file = fileOf('podInitialBackoffSeconds: 3\nparallelism: 8\nprofiles: [{ schedulerName: a }, { schedulerName: b }]');
    const { profiles, podBackOff, idle } = await schedulingOf(file, true);
    assert.deepEqual([profiles?.map(({ name }) => name), podBackOff], [['a', 'b'], { durationMs: 3_000, capMs: 10_000 }]);
    assert.deepEqual(idle, ['parallelism has no effect: one thread looks at the nodes']);
    assert.deepEqual(await schedulingOf(undefined, true), { idle: [] });
  });

  test('refuses among other parts what the process has flags for', async () => {
    for (const [field, text] of [
      ['leaderElection', elects],
      ['clientConnection', 'clientConnection: { kubeconfig: /k }'],
    ] as const) {
      const refused = (err: Error): boolean => isKnownError(err, 'BAD_CONFIG') && err.message.startsWith(`Cannot use "${field}"`);
      await assert.rejects(schedulingOf(fileOf(text), false), refused);
      await schedulingOf(fileOf(text), true);
    }
  });
});
