/**
 * The first lines of the README, pasted at once: a shell reads them from its input one after the other, as it would read a paste, so a
 * command that reads what is meant for the shell is found out too.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { defaultLabOptions } from '../../src/lab/lab-options.ts';
import { forgetLab, recordLab, runName } from '../../src/lab/testing/run-name.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { Namespaces } from '../../src/linux/testing/namespaces.ts';
import { cannotStartLabs, fairlead } from './testing/lab.ts';

const checkout = join(import.meta.dirname, '../..');
const name = runName('e2er');

async function missingProgram(): Promise<string | false> {
  for (const program of ['kubectl', 'curl', 'dig', 'npm', 'bash'])
    if ((await systemExec.run('sh', ['-c', `command -v ${program}`])).code !== 0) return `${program} is not installed`;
  return false;
}

describe('the README', { skip: cannotStartLabs || (await missingProgram()) }, () => {
  const machines = new Namespaces();
  let dir = '';
  before(async () => {
    await machines.add('machine');
    await recordLab(name);
    dir = await mkdtemp(join(tmpdir(), 'readme-'));
    // A busy machine may know that the rollout is over before a node's rules do.
    await writeFile(join(dir, '.curlrc'), 'retry = 30\nretry-connrefused\nretry-delay = 1\n');
    // Root needs none; with it the lines stay as they are.
    await writeFile(join(dir, 'sudo'), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  });
  after(async () => {
    await systemExec.run('nsenter', [`--net=${machines.path('machine')}`, process.execPath, fairlead, 'lab', 'down', '--name', name]);
    await forgetLab(name);
    await machines[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });

  test('works when its first lines are pasted at once', async () => {
    const readme = await readFile(join(checkout, 'README.md'), 'utf8');
    const lines = /(?:^ {4}.*\n|^\n)+/m.exec(readme.slice(readme.indexOf('    sudo npm start')))?.[0] ?? '';
    assert.match(lines, /sudo npm start\n[\s\S]*kubectl apply[\s\S]*dig /);
    const { underlay, podCidr, serviceCidr } = defaultLabOptions;
    const result = await systemExec.run('nsenter', [`--net=${machines.path('machine')}`, 'bash', '-e', '-s'], {
      cwd: checkout,
      input: lines.replaceAll('/var/lib/fairlead/lab/', `/var/lib/fairlead/${name}/`),
      timeoutMs: 300_000,
      env: {
        PATH: `${dir}:${process.env.PATH}`,
        CURL_HOME: dir,
        FAIRLEAD_NAME: name,
        // The addresses that the lines name, whatever other labs this machine has: it is seen from a namespace here.
        FAIRLEAD_UNDERLAY: underlay,
        FAIRLEAD_POD_CIDR: podCidr,
        FAIRLEAD_SERVICE_CIDR: serviceCidr,
      },
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout.match(/^pod=web-\S+ node=\S+$/gm)?.length, 2, result.stdout);
    assert.match(
      result.stdout,
      /worker-2\s+Ready[\s\S]*successfully rolled out[\s\S]*ANSWER SECTION:\nweb\.default\.svc\.cluster\.local\./,
    );
  });
});
