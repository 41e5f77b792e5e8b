import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { eventually } from '../clock/testing/eventually.ts';
import { systemExec } from '../linux/exec.ts';
import { makeFifo } from '../linux/fifo.ts';
import { answerPipes } from './answer-pipes.ts';
import { wrapper } from './install.ts';

describe('the installed executable', () => {
  let dir: string;
  /** By name. */
  const open = new Map<string, number>();
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fl-install-'));
  });
  afterEach(() => {
    for (const fd of open.values()) closeSync(fd);
    open.clear();
    rmSync(dir, { recursive: true });
  });

  /** A directory as an agent has it, with its end of every pipe, for a test that is the agent. */
  function makePipes(): string {
    const own = join(dir, 'pipes', 'own');
    mkdirSync(own, { recursive: true });
    for (const name of ['calls', ...Array(answerPipes).keys()].map(String)) {
      makeFifo(join(own, name), 0o600);
      open.set(name, openSync(join(own, name), constants.O_RDWR | constants.O_NONBLOCK));
    }
    writeFileSync(join(dir, 'pipes', 'current'), `${own}\n`);
    return own;
  }

  test('gets its whole answer though its deadline fell into the middle of a line', async () => {
    const own = makePipes();
    const script = join(dir, 'fairlead');
    const options = { binDir: dir, confDir: dir, nodePath: '/bin/false', clientPath: '', socket: '', notesDir: dir };
    writeFileSync(script, wrapper('fairlead', { ...options, pipesDir: join(dir, 'pipes') }), { mode: 0o755 });
    // The agent was quicker, by a little: giving up fails.
    mkdirSync(join(dir, 'path'));
    writeFileSync(join(dir, 'path', 'ln'), `#!/bin/sh\n: >'${dir}/gives-up'\nexit 1\n`, { mode: 0o755 });
    const env = {
      PATH: `${dir}/path:/usr/bin:/bin`,
      FAIRLEAD_CNI_TIMEOUT: '1',
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c',
      CNI_IFNAME: 'eth0',
    };
    const answer = systemExec.run(script, [], { env, input: '{}', timeoutMs: 60_000 });
    let call = '';
    await eventually('the call is there', () => {
      call += readSome(open.get('calls') ?? 0);
      return call.endsWith('\n');
    });
    const [pid = '', pipe = ''] = call.split('\x1f');
    assert.equal(readFileSync(join(own, `${pipe}.taken`), 'utf8'), `${pid}\n`);
    const out = open.get(pipe) ?? 0;
    writeSync(out, 'ans');
    await eventually('the deadline has passed', () => existsSync(join(dir, 'gives-up')));
    writeSync(out, 'wer\n{"ips":[]}\n0\n');
    assert.deepEqual(await answer, { code: 0, stdout: '{"ips":[]}', stderr: '' });
  });

  for (const [shell, way] of [
    ['/bin/bash', 'quick'],
    ['/bin/busybox sh', 'quick'],
    ['/bin/dash', 'long'],
  ] as const)
    test(`goes the ${way} way with ${shell}`, { skip: !existsSync(shell.split(' ')[0] ?? '') }, async () => {
      const own = makePipes();
      const options = { binDir: dir, confDir: dir, nodePath: '/bin/echo', clientPath: 'the client', socket: 's', notesDir: 'n' };
      const script = join(dir, 'fairlead');
      writeFileSync(script, wrapper('fairlead', { ...options, pipesDir: join(dir, 'pipes') }, shell), { mode: 0o755 });
      const env = { PATH: '/usr/bin:/bin', CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c', CNI_IFNAME: 'eth0' };
      const answer = systemExec.run(script, [], { env, input: '{}', timeoutMs: 60_000 });
      if (way === 'quick') {
        await eventually('the call is there', () => readSome(open.get('calls') ?? 0).endsWith('\n'));
        const pipe =
          readdirSync(own)
            .find((name) => name.endsWith('.taken'))
            ?.split('.')[0] ?? '';
        writeSync(open.get(pipe) ?? 0, 'answer\n{}\n1\n');
        assert.deepEqual(await answer, { code: 1, stdout: '{}', stderr: '' });
      } else assert.deepEqual(await answer, { code: 0, stdout: 'the client fairlead s n\n', stderr: '' });
    });
});

/** What is in a pipe; '' when there is nothing yet. */
function readSome(fd: number): string {
  const bytes = Buffer.alloc(4096);
  try {
    return bytes.toString('utf8', 0, readSync(fd, bytes));
  } catch {
    return '';
  }
}
