/** Every module that a command loads costs its start time and memory: how many there are, and that no command loads the parts of another. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { relative } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = new URL('../../', import.meta.url).pathname;
const counter = new URL('./testing/count-modules.mjs', import.meta.url).href;

/** Paths below the project of what node loads for these words. */
function loadedBy(...words: readonly string[]): string[] {
  const run = spawnSync(process.execPath, [`--import=${counter}`, ...words], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    cwd: import.meta.dirname,
  });
  assert.equal(run.status, 0, run.stderr);
  return String(run.output[3])
    .split('\n')
    .map((url) => relative(root, fileURLToPath(url)));
}

function importing(...files: readonly string[]): string[] {
  const code = `for (const file of ${JSON.stringify(files)}) await import(file); process.exit(0)`;
  return loadedBy('--input-type=module', '--eval', code);
}

/** Folders of src from which something was loaded. */
function foldersOf(files: readonly string[]): string[] {
  return [...new Set(files.flatMap((file) => (file.startsWith('src/') ? [file.split('/')[1] ?? ''] : [])))].toSorted();
}

/** What only those should load who run it. */
const parts = ['apiserver', 'cloud', 'cni', 'controllers', 'dns', 'kubelet', 'net-agent', 'proxy', 'scheduler', 'speaker', 'storage'];
/** Below every part of a node. */
const shared = ['api', 'bootstrap', 'cli', 'client', 'clock', 'errors', 'ip', 'linux', 'main', 'observability'];

/** What every process with parts loads. */
const lifecycle = ['./part/part-process.ts', './part/part-client.ts'];
const controlPlane = [
  '../storage/sqlite/sqlite-store.ts',
  '../apiserver/apiserver.ts',
  '../controllers/start.ts',
  '../scheduler/scheduler.ts',
  '../cloud/start.ts',
];

describe('modules', () => {
  for (const command of ['proxy', 'agent', 'server', 'scheduler', 'lab', 'rules', 'trace'])
    test(`fairlead ${command} --help loads its own names and flags alone`, () => {
      const files = loadedBy('fairlead.ts', command, '--help');
      assert.ok(files.length <= 50, `${files.length} modules`);
      assert.deepEqual(
        foldersOf(files).filter((folder) => parts.includes(folder)),
        [],
      );
    });

  for (const [part, most, files] of [
    ['proxy', 220, ['../proxy/proxy.ts']],
    ['kubelet', 310, ['../kubelet/kubelet.ts']],
    ['net-agent', 230, ['../net-agent/start.ts', '../cni/start.ts']],
    ['dns', 190, ['../dns/start.ts']],
    ['speaker', 180, ['../speaker/start.ts']],
  ] as const)
    test(`a node's ${part} loads no more than it needs`, () => {
      const loaded = importing(...lifecycle, `./part/${part}.ts`, ...files);
      const own = files.map((file) => file.split('/')[1] ?? '');
      assert.ok(loaded.length <= most, `${loaded.length} modules`);
      assert.deepEqual(
        foldersOf(loaded).filter((folder) => !shared.includes(folder) && !own.includes(folder)),
        [],
      );
    });

  test('no part of a node loads the HTTP client that node:http brings along when it is imported', () => {
    const files = [
      '../proxy/proxy.ts',
      '../kubelet/kubelet.ts',
      '../net-agent/start.ts',
      '../cni/start.ts',
      '../dns/start.ts',
      '../speaker/start.ts',
    ];
    const code = `for (const file of ${JSON.stringify([...lifecycle, ...files])}) await import(file);
      process.stdout.write(String(process.moduleLoadList.some((name) => name.includes('undici'))), () => process.exit(0));`;
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', code], { encoding: 'utf8', cwd: import.meta.dirname });
    assert.equal(run.stdout, 'false', run.stderr);
  });

  for (const [part, most, files] of [
    ['controller-manager', 326, ['../controllers/start.ts']],
    ['scheduler', 200, ['../scheduler/scheduler.ts']],
    ['cloud-controller-manager', 230, ['../cloud/start.ts']],
  ] as const)
    test(`a ${part} that may lead loads no more than it needs`, () => {
      const loaded = importing(...lifecycle, './part/led.ts', '../client/leader-election.ts', `./part/${part}.ts`, ...files);
      assert.ok(loaded.length <= most, `${loaded.length} modules`);
      const own = files.map((file) => file.split('/')[1] ?? '');
      assert.deepEqual(
        foldersOf(loaded).filter((folder) => parts.includes(folder) && !own.includes(folder)),
        [],
      );
    });

  test('the control plane loads no part of a node', () => {
    const loaded = importing(...lifecycle, './part/parts.ts', ...controlPlane);
    assert.ok(loaded.length <= 950, `${loaded.length} modules`);
    const wrong = foldersOf(loaded).filter((folder) =>
      ['cni', 'dns', 'kubelet', 'lab', 'linux', 'net-agent', 'proxy', 'speaker'].includes(folder),
    );
    assert.deepEqual(wrong, []);
  });
});
