/** kubectl at kube-apiserver and at ours: the same words, exit codes and objects. FAIRLEAD_SEED draws other variants of what `testing/kubectl-stories.ts` tells. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestServer } from '../../src/apiserver/testing/test-server.ts';
import { seededRandom } from '../../src/clock/testing/seeded-random.ts';
import { systemExec } from '../../src/linux/exec.ts';
import { KubeApiServer, writeKubeconfig } from './testing/kube-apiserver.ts';
import { objects, stories } from './testing/kubectl-stories.ts';
import { findProgram, lacksProgram } from './testing/programs.ts';

const seed = Number(process.env.FAIRLEAD_SEED ?? 64);

/** Each server's own: names, times, addresses and ports that it chose, its door, and how old things are. */
const own: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UID'],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'],
  [/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ \+0000/g, 'TIME'],
  [/(resourceVersion"?: )"\d+"/g, '$1RV'],
  [/127\.0\.0\.1:\d+/g, 'SERVER'],
  [/10\.96\.\d+\.\d+/g, 'CLUSTER-IP'],
  [/\b3[0-2]\d{3}\b/g, 'NODE-PORT'],
  [/\b(\d+m)?\d+s\b/g, 'AGE'],
  // How wide a column is goes by what is masked in it; how deep a line of YAML stands does not.
  [/(?<=\S) +/g, ' '],
];

/** What ours says more of: parts that are not there (src/apiserver/admission/unserved-table.ts), why a patch does not fit, and the kind of a refusal. */
const more: readonly (readonly [RegExp, string])[] = [
  [/^Warning: (no part of this cluster|no load-balancer provider|no IngressClass|this API server enforces).*\n/gm, ''],
  [/Error from server \(BadRequest\): failed to create typed/, 'Error from server: failed to create typed'],
];

/** What theirs shows that has no meaning, such as empty lists and structs that Go cannot leave out, or none here. */
const less: readonly (readonly [RegExp, string])[] = [
  // OpenShift's fork of kube-apiserver lets everybody who is known find its OAuth server.
  [/^ *\[\/\.well-known(\/\*)?\] .*\n/gm, ''],
  [/^ *currentMetrics: null\n/gm, ''],
  // The object that a patch has made stands in the message; here it is the patch.
  [/(patch: Invalid value: )"(?:[^"\\]|\\.)*"/g, '$1…'],
  [/&value\.valueUnstructured\{Value:(\d+)\}/g, '$1'],
];

function masked(text: string): string {
  return [...own, ...more, ...less].reduce((all, [form, by]) => all.replace(form, by), text);
}

/** With one of each `<a|b>`, by chance. */
function drawn(command: string, random: (below: number) => number): string {
  return command.replace(/<([^<>]*)>/g, (_, choices: string) => {
    const list = choices.split('|');
    return list[random(list.length)]!;
  });
}

const skip = lacksProgram('etcd', 'kube-apiserver', 'kubectl');

describe(`kubectl beside kube-apiserver (seed ${seed})`, { skip }, () => {
  let dir: string;
  let ours: TestServer;
  let theirs: KubeApiServer;
  let configs: readonly string[];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-kubectl-'));
    theirs = await KubeApiServer.start({ authorization: 'RBAC' });
    ours = await TestServer.start(undefined, { admission: { enabled: [], disabled: ['ServiceAccount'] } });
    const config = join(dir, 'ours.conf');
    await writeKubeconfig(config, ours.url, ours.pki.ca, await ours.pki.client('admin', 'system:masters'));
    configs = [await theirs.kubeconfig('admin', 'system:masters'), config];
    for (const [name, object] of Object.entries(objects)) await writeFile(join(dir, `${name}.json`), JSON.stringify(object));
  });

  after(async () => {
    await ours?.stop();
    await theirs?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  async function kubectl(config: string, args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await systemExec.run(findProgram('kubectl')!, args, {
      timeoutMs: 60_000,
      cwd: dir,
      // Discovery is kept by the server's address, which another server may have had before.
      env: { KUBECONFIG: config, KUBECACHEDIR: join(dir, 'cache') },
    });
    return masked(`${stdout}${stderr}exit code ${code}`);
  }

  const random = seededRandom(seed);
  for (const [n, [name, commands]] of Object.entries(stories).entries()) {
    const drawnCommands = commands.map((command) => drawn(command, random));
    test(name, async () => {
      const namespace = `story-${n}`;
      for (const config of configs) await kubectl(config, ['create', 'namespace', namespace]);
      const differences: string[] = [];
      for (const command of drawnCommands) {
        const args = ['--namespace', namespace, ...command.split(' ')];
        const [expected, actual] = await Promise.all(configs.map((config) => kubectl(config, args)));
        if (expected !== actual) differences.push(`kubectl ${command}\n--- kube-apiserver\n${expected}\n--- ours\n${actual}`);
      }
      assert.equal(differences.length, 0, `${differences.length} of ${commands.length} differ:\n\n${differences.join('\n\n')}`);
    });
  }
});
