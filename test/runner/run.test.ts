import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

const dir = mkdtempSync(join(tmpdir(), 'fairlead-runner-'));
after(() => rmSync(dir, { recursive: true }));
const imports = `import { after, before, suite, test } from 'node:test'; import net from 'node:net'; import { spawn } from 'node:child_process';\n`;

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs the runner over files with these texts; `interrupt` sends SIGINT once its pattern was printed. */
async function run(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  limits = {},
  interrupt?: RegExp,
  patterns = ['*.test.mjs'],
): Promise<Ended> {
  const folder = mkdtempSync(join(dir, 'run-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), imports + text);
  }
  const env = {
    ...process.env,
    FAIRLEAD_TEST_LIMIT: '120',
    FAIRLEAD_TEST_LINGER: '60',
    FAIRLEAD_TEST_GRACE: '20',
    FAIRLEAD_TEST_AGAIN: '0',
    ...limits,
  };
  const runner = new URL('./run.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [runner, ...patterns], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGTERM'));
  let output = '';
  let interrupted = false;
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (interrupted || !interrupt?.test(output)) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** A zombie, which waits for whoever reaps it, does not. */
function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('the test runner', () => {
  test('counts, names each file, and exits with 0 when all is well', async (t) => {
    const { code, output } = await run(t, {
      'a.test.mjs': `suite('s', () => { test('one', () => {}); test('two', { skip: 'why' }, () => {}); });`,
      'b.test.mjs': `test('three', () => {});`,
    });
    assert.equal(code, 0, output);
    assert.match(output, /✓ a\.test\.mjs {2}1 passed, 1 skipped/);
    assert.match(output, /2\/2 0:\d\d ✓/);
    assert.match(output, /\n2 passed, 0 failed, 1 skipped in /);
  });

  test('counts each test of suites side by side once, and names it by its own suite', async (t) => {
    // The suite that begins first ends last; its test fails only then.
    const { code, output } = await run(t, {
      'a.test.mjs': `
        const other = Promise.withResolvers();
        suite('all', { concurrency: 2 }, () => {
          suite('first', () => { test('one', async () => { await other.promise; throw new Error('boom'); }); test('two', () => {}); });
          suite('second', { concurrency: true }, () => { test('three', () => {}); test('four', () => {}); after(() => setImmediate(other.resolve)); });
        });`,
    });
    assert.equal(code, 1);
    assert.match(output, /✖ a\.test\.mjs: all › first › one\n +Error: boom/);
    assert.match(output, /\n3 passed, 1 failed, 0 skipped in /);
  });

  test('runs what a pattern names, and without one the tests beside the source', async (t) => {
    const files = { 'src/a/a.test.ts': `test('one', () => {});`, 'test/b.test.ts': `test('two', () => {});` };
    const alone = await run(t, files, {}, undefined, ['--test-name-pattern=o']);
    assert.match(alone.output, /1\/1 .* src\/a\/a\.test\.ts/);
    const named = await run(t, files, {}, undefined, ['test/*.test.ts']);
    assert.match(named.output, /1\/1 .* test\/b\.test\.ts/);
    const none = await run(t, files, {}, undefined, ['none/*.test.ts']);
    assert.equal(none.code, 2);
  });

  test('counts a suite that is skipped, and says why', async (t) => {
    const { code, output } = await run(t, {
      'a.test.mjs': `suite('s', { skip: 'no such program' }, () => { test('one', () => {}); test('two', () => {}); });`,
    });
    assert.equal(code, 0, output);
    assert.match(output, /✓ a\.test\.mjs {2}0 passed, 1 skipped, no such program/);
    assert.match(output, /\n0 passed, 0 failed, 1 skipped in /);
  });

  test('names a failed test with its suite and its error', async (t) => {
    const { code, output } = await run(t, { 'a.test.mjs': `suite('s', () => { test('one', () => { throw new Error('boom'); }); });` });
    assert.equal(code, 1);
    assert.match(output, /✖ a\.test\.mjs: s › one\n +Error: boom/);
    assert.match(output, /\n0 passed, 1 failed, 0 skipped/);
  });

  test('fails for a hook that fails, and for a file that breaks outside its tests', async (t) => {
    const { code, output } = await run(t, {
      'a.test.mjs': `suite('s', () => { after(() => { throw new Error('in the hook'); }); test('one', () => {}); });`,
      'b.test.mjs': `console.log('said before'); throw new Error('at the top');`,
    });
    assert.equal(code, 1);
    assert.match(output, /✖ a\.test\.mjs: s\n +Error: in the hook/);
    assert.match(output, /✖ b\.test\.mjs: /);
    assert.match(output, /said before/);
  });

  test('says what came too late for its test, and fails for a file that ends in the middle, whatever its code', async (t) => {
    const { code, output } = await run(t, {
      'a.test.mjs': `test('one', (t) => { setTimeout(() => { throw new Error('late'); }, 5); });
        test('two', () => new Promise((resolve) => setTimeout(resolve, 50)));`,
      'b.test.mjs': `test('one', () => {}); test('ends it', async () => { await null; process.exit(0); }); test('never run', () => { throw 1; });`,
    });
    assert.equal(code, 1);
    assert.match(output, /✖ a\.test\.mjs: the process ended with 1\n +Error: Test "one" .* the error "Error: late"/);
    assert.match(output, /✖ b\.test\.mjs: the process ended before its tests were over/);
  });

  test('ends a file whose process lives on after its last test', async (t) => {
    const leak = `test('leaks', () => { net.createServer().listen(0); throw new Error('before it was closed'); });`;
    const { code, output } = await run(t, { 'a.test.mjs': leak }, { FAIRLEAD_TEST_LINGER: '1' });
    assert.equal(code, 1);
    assert.match(output, /✖ a\.test\.mjs: leaks\n/);
    assert.match(output, /a\.test\.mjs: did not end within 1 s of its last test/);
  });

  test('ends a file at its limit, with what it started, and names the test', async (t) => {
    const hang = `test('hangs', async () => {
      process.on('SIGTERM', () => {});
      const child = spawn('sleep', ['600'], { stdio: 'ignore' });
      console.log('child ' + child.pid);
      await new Promise(() => setInterval(() => {}, 1000));
    });`;
    const { code, output } = await run(t, { 'a.test.mjs': hang }, { FAIRLEAD_TEST_LIMIT: '6', FAIRLEAD_TEST_GRACE: '1' });
    assert.equal(code, 1);
    assert.match(output, /✖ a\.test\.mjs: took longer than 6 s; running: hangs/);
    const pid = Number(/child (\d+)/.exec(output)?.[1]);
    const until = performance.now() + 60_000;
    while (lives(pid) && performance.now() < until) await sleep(20);
    assert.equal(lives(pid), false);
  });

  /** Fails in its first runs, as many as `times`. */
  const failing = (times: number): string => `
    import { appendFileSync, readFileSync } from 'node:fs';
    appendFileSync('runs.txt', 'x');
    const nth = readFileSync('runs.txt', 'utf8').length;
    console.log('run ' + nth);
    test('always', () => {});
    test('sometimes ' + nth, () => { if (nth <= ${times}) throw new Error('boom ' + nth); });`;

  test('gives a file that failed a second attempt where it is told so, and names it when that passes', async (t) => {
    const files = { 'a.test.mjs': failing(1), 'b.test.mjs': `test('one', () => {});` };
    const { code, output } = await run(t, files, { FAIRLEAD_TEST_AGAIN: '1' });
    assert.equal(code, 0, output);
    assert.match(output, /✖ a\.test\.mjs: sometimes 1\n +Error: boom 1/);
    assert.match(output, / run 1\n(?:.*\n)*.*once more, alone: a\.test\.mjs\n(?:.*\n)* +run 2\n2\/2 .* ✓ a\.test\.mjs {2}2 passed/);
    assert.match(output, /\nflaky: failed, and passed at the second attempt:\n {2}✖ a\.test\.mjs: sometimes 1\n/);
    assert.match(output, /\n3 passed, 0 failed, 0 skipped, 1 flaky in /);
    assert.doesNotMatch(output, /\nfailed:/);
  });

  test('fails for a file that fails twice, and names what failed in either', async (t) => {
    const { code, output } = await run(t, { 'a.test.mjs': failing(2) }, { FAIRLEAD_TEST_AGAIN: '1' });
    assert.equal(code, 1);
    assert.match(output, /\nfailed:\n {2}✖ a\.test\.mjs: sometimes 1\n {2}✖ a\.test\.mjs: sometimes 2\n/);
    assert.match(output, /\n1 passed, 1 failed, 0 skipped in /);
    assert.doesNotMatch(output, /flaky|run 3/);
  });

  test('gives none a second attempt when more failed, or when nobody asked for it', async (t) => {
    const other = `test('one', () => { throw new Error('x'); });`;
    const two = await run(t, { 'a.test.mjs': failing(1), 'b.test.mjs': other }, { FAIRLEAD_TEST_AGAIN: '1' });
    const alone = await run(t, { 'a.test.mjs': failing(1) });
    for (const { code, output } of [two, alone]) {
      assert.equal(code, 1);
      assert.doesNotMatch(output, /once more|run 2|flaky/);
    }
  });

  test('says on an interrupt what ran and what had failed', async (t) => {
    const text = `test('bad', () => { throw new Error('x'); }); test('slow', () => new Promise(() => setInterval(() => {}, 1000)));`;
    const { code, output } = await run(t, { 'a.test.mjs': text }, {}, /✖ a\.test\.mjs: bad/);
    assert.equal(code, 130);
    assert.match(output, /interrupted; running: a\.test\.mjs: /);
    assert.match(output, /failed:\n {2}✖ a\.test\.mjs: bad/);
  });

  test('says so when no file matches', async (t) => {
    assert.equal((await run(t, {})).code, 2);
  });
});
