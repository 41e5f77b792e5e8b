import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly dir: string;
}

/** Runs the command in a folder with these files. */
async function mutate(t: TestContext, files: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ended> {
  const dir = mkdtempSync(join(tmpdir(), 'mutate-test-'));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const [name, content] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), content);
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'mutate.ts'), ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await code, stdout, stderr, dir };
}

const imports = `import assert from 'node:assert'; import { test } from 'node:test';`;
const source = 'export function isAdult(age: number): boolean {\n  return age >= 18;\n}\n';
const strong = `${imports} import { isAdult } from './adult.ts';
  test('ages', () => assert.deepEqual([16, 17, 18, 19].map(isAdult), [false, false, true, true]));`;
const weak = `${imports} import { isAdult } from './adult.ts'; test('a child', () => assert.equal(isAdult(3), false));`;

test('a strong test kills all, and the file is as it was', async (t) => {
  const { code, stdout, dir } = await mutate(t, { 'src/adult.ts': source, 'src/adult.test.ts': strong }, 'src');
  assert.equal(stdout, 'killed 4 of 4 (seed 1; 4 in all)\n');
  assert.equal(code, 0);
  assert.equal(readFileSync(join(dir, 'src/adult.ts'), 'utf8'), source);
});

test('what a weak test lets pass is named with its line', async (t) => {
  const { code, stdout } = await mutate(t, { 'src/adult.ts': source, 'src/adult.test.ts': weak }, 'src');
  assert.deepEqual(stdout.split('\n').toSorted(), [
    '',
    'killed 1 of 4 (seed 1; 4 in all)',
    'src/adult.ts:2  return age >= [18 → (18 + 1)];',
    'src/adult.ts:2  return age >= [18 → (18 - 1)];',
    'src/adult.ts:2  return age [>= → >] 18;',
  ]);
  assert.equal(code, 0);
});

test('-o json tells the same to programs; --most and --seed draw', async (t) => {
  const files = {
    'src/adult.ts': source,
    'src/adult.test.ts': weak,
    'src/skipped.ts': 'export const a = 1;',
    'src/edge.ts': `import 'node:fs'; import net from 'node:net'; export const a = 1;`,
  };
  const { stdout } = await mutate(t, files, 'src/', '--most', '2', '--seed', '7', '--skip', 'src/skip*', '-o', 'json');
  const { survivors, ...rest } = JSON.parse(stdout) as { readonly survivors: readonly unknown[]; readonly killed: number };
  assert.deepEqual(rest, { folder: 'src', seed: 7, found: 4, tried: 2, killed: 2 - survivors.length });
});

test('an endless loop is ended, and counts as killed', async (t) => {
  const files = {
    'src/count.ts': 'export function count(to: number): number {\n  let n = 0;\n  while (n !== to) n++;\n  return n;\n}\n',
    'src/count.test.ts': `${imports} import { count } from './count.ts'; test('counts', () => assert.equal(count(3), 3));`,
  };
  const { stdout } = await mutate(t, files, 'src');
  // Begun at one it counts as well; begun at minus one, too.
  assert.match(stdout, /killed 2 of 4 /);
});

test('a process that a test starts has the change as well', async (t) => {
  const files = {
    'src/adult.ts': `${source}if (process.argv[1] === import.meta.filename) console.log(isAdult(18));\n`,
    'src/adult.test.ts': `${imports} import { execFileSync } from 'node:child_process';
      test('runs', () => assert.equal(String(execFileSync(process.execPath, [new URL('./adult.ts', import.meta.url).pathname])), 'true\\n'));`,
  };
  const { stdout } = await mutate(t, files, 'src');
  assert.match(stdout, /^killed 8 of 10 /m);
  assert.doesNotMatch(stdout, /\[>= → </);
});

test('a folder whose tests fail as they are is refused, as is one with nothing to change', async (t) => {
  const broken = `${imports} import './adult.ts'; test('no', () => assert.fail());`;
  const failing = await mutate(t, { 'src/adult.ts': source, 'src/adult.test.ts': broken }, 'src');
  // TypeScript's parser may have a word of its own when it is closed.
  assert.match(failing.stderr, /^Error: fails with nothing changed: src\/adult.test.ts$/m);
  const empty = await mutate(t, {}, 'src');
  assert.match(empty.stderr, /^Error: nothing to change in src$/m);
  assert.deepEqual([failing.code, empty.code], [2, 2]);
});
