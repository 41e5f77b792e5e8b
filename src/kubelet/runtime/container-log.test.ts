import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../clock/testing/fake-clock.ts';
import { silentLog } from '../../observability/log.ts';
import { LogFormat } from '../server/log-format.ts';
import { streamLog } from '../server/log-stream.ts';
import { RotatedFile } from '../server/rotated-file.ts';
import { sampleContainer } from '../testing/pod-samples.ts';
import { openLog } from './container-log.ts';
import { LogRotator, removeLog } from './log-rotator.ts';

const line = (text: string): string => `2026-01-01T00:00:00.000000000Z stdout F ${text}\n`;

describe('the log of a pod that may change what lies in the directory of all logs', () => {
  let node: string;
  let logs: string;
  let logPath: string;
  let secret: string;
  beforeEach(() => {
    node = realpathSync(mkdtempSync(join(tmpdir(), 'fairlead-logs-')));
    logs = join(node, 'logs');
    logPath = join(logs, 'pod/main/0.log');
    secret = join(node, 'etc');
    for (const dir of [join(logs, 'pod/main'), join(logs, 'other/main'), join(secret, 'main')]) mkdirSync(dir, { recursive: true });
    writeFileSync(logPath, line('own'));
    for (const file of [join(secret, '0.log'), join(secret, 'main/0.log'), join(logs, 'other/main/0.log')])
      writeFileSync(file, line('secret'));
  });
  afterEach(() => rmSync(node, { recursive: true }));

  const read = async (): Promise<string> => {
    await using handle = await openLog(logPath);
    return new LogFormat({ timestamps: false, since: undefined, stream: undefined }).format(await handle.readFile()).toString();
  };
  /** As a container does that has the directory mounted. */
  const replace = (path: string, target: string): void => {
    renameSync(path, `${path}.aside`);
    symlinkSync(target, path);
  };

  test('is read where no link is', async () => assert.equal(await read(), 'own\n'));

  test('is read where the node keeps the logs of all pods elsewhere', async () => {
    replace(logs, `${logs}.aside`);
    assert.equal(await read(), 'own\n');
  });

  const attacks: readonly (readonly [string, () => void, RegExp])[] = [
    ['the log a link to a file of the node', () => replace(logPath, join(secret, '0.log')), /0.log": it is a link/],
    ['the log a link to that of another pod', () => replace(logPath, '../../other/main/0.log'), /it is a link/],
    ['the directory of the container a link', () => replace(join(logs, 'pod/main'), secret), /"main", is a link/],
    ['the directory of the pod a link', () => replace(join(logs, 'pod'), secret), /"pod", is a link/],
    ['the directory of the pod a link to that of another', () => replace(join(logs, 'pod'), 'other'), /"pod", is a link/],
    [
      'the log a pipe, which would never end',
      () => {
        rmSync(logPath);
        execFileSync('mkfifo', [logPath]);
      },
      /it is no regular file/,
    ],
    ['nothing of the log', () => rmSync(logPath), /it is not there/],
  ];
  for (const [what, attack, why] of attacks)
    test(`is not read when the pod makes ${what}`, async () => {
      attack();
      await assert.rejects(read(), why);
    });

  test('is followed to no link that takes its place', async () => {
    await using file = await RotatedFile.open(logPath, undefined);
    let text = '';
    const write = async (bytes: Buffer): Promise<void> => {
      text += bytes.toString();
    };
    const options = { follow: true, timestamps: false, since: undefined, limitBytes: undefined, stream: undefined };
    const looks = [true, true, true];
    const isRunning = (): boolean => {
      // What there was has been read: it could be put aside by now.
      if (looks.length === 2) replace(logPath, join(secret, '0.log'));
      return looks.pop() ?? false;
    };
    await streamLog({ file, isRunning }, options, write, new AbortController().signal);
    assert.equal(text, 'own\n');
  });

  test('is put aside, or opened anew by the runtime, where no link leads to it alone', async () => {
    truncateSync(join(secret, 'main/0.log'), 20 << 20);
    const opened: string[] = [];
    const cri = {
      reopenContainerLog: async (id: string) => {
        opened.push(id);
      },
    };
    const rotator = new LogRotator({ cri, clock: new FakeClock(), log: silentLog, running: () => [sampleContainer({ logPath })] });
    replace(logPath, join(secret, 'nothing'));
    await rotator.rotateAll();
    replace(join(logs, 'pod'), secret);
    await rotator.rotateAll();
    assert.deepEqual(opened, []);
    assert.ok(existsSync(join(secret, 'main/0.log')));
  });

  test('is removed, and nothing that a link leads to', async () => {
    replace(join(logs, 'pod'), secret);
    await removeLog(logPath);
    assert.ok(existsSync(join(secret, 'main/0.log')));
    rmSync(join(logs, 'pod'));
    renameSync(join(logs, 'pod.aside'), join(logs, 'pod'));
    await removeLog(logPath);
    assert.ok(!existsSync(logPath));
    await removeLog(logPath);
  });
});
