import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { start } from '../../linux/exec.ts';
import { silentLog } from '../../observability/log.ts';
import { Ipam } from './ipam.ts';

const range = '10.244.1.0/24';
let dir: string;
let path: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fl-ipam-'));
  path = join(dir, 'addresses.jsonl');
});

afterEach(() => rm(dir, { recursive: true }));

function who(containerId: string): Parameters<Ipam['take']>[1] {
  return { containerId, ifName: 'eth0', network: 'fairlead', netns: '', pod: '', hostPorts: [] };
}

describe('IPAM', () => {
  test('remembers across a restart who has what and where it was', async () => {
    const before = await Ipam.open(path, silentLog);
    for (const id of ['a', 'b', 'c']) await before.take(range, who(id));
    await before.release('b/eth0');
    await before.release('c/eth0');
    await before.close();
    const after = await Ipam.open(path, silentLog);
    assert.deepEqual(
      after.all().map((a) => a.ip),
      ['10.244.1.2'],
    );
    assert.equal((await after.take(range, who('d'))).ip, '10.244.1.5');
    await after.close();
  });

  test('has its file, and the folders that it made for it, on the disk before it promises anything', async (t) => {
    const synced: string[] = [];
    const spy = t.mock.method(fs, 'fsyncSync', (fd: number) => void synced.push(fs.readlinkSync(`/proc/self/fd/${fd}`)));
    syncBuiltinESMExports();
    try {
      const folder = join(dir, 'a/b');
      await mkdir(join(dir, 'a'));
      await writeFile(join(dir, 'addresses.jsonl.new'), 'of one that was killed');
      for (const place of [join(folder, 'addresses.jsonl'), path]) await (await Ipam.open(place, silentLog)).close();
      assert.deepEqual(synced, [join(dir, 'a'), folder, dir]);
      assert.deepEqual((await readdir(dir)).toSorted(), ['a', 'addresses.jsonl']);
    } finally {
      spy.mock.restore();
      syncBuiltinESMExports();
    }
  });

  test('leaves out the torn end of a write, and what is unreadable', async () => {
    const before = await Ipam.open(path, silentLog);
    await before.take(range, who('a'));
    await before.close();
    await appendFile(path, 'rubbish\n{"add":{"containerId":"x"');
    const after = await Ipam.open(path, silentLog);
    assert.deepEqual(
      after.all().map((a) => a.containerId),
      ['a'],
    );
    await after.take(range, who('b'));
    await after.close();
    assert.equal(
      (await readFile(path, 'utf8'))
        .trim()
        .split('\n')
        .every((l) => JSON.parse(l)),
      true,
    );
  });

  test('leaves out lines that are JSON but no entry', async () => {
    const before = await Ipam.open(path, silentLog);
    await before.take(range, who('a'));
    await before.close();
    const lines = [
      'null',
      '5',
      '[]',
      '{"add":null}',
      '{"add":{}}',
      '{"add":{"containerId":"b","ifName":"eth0"}}',
      '{"del":7}',
      '{"last":7}',
      '{}',
    ];
    await appendFile(path, `${lines.join('\n')}\n`);
    const bad: unknown[] = [];
    const after = await Ipam.open(path, { ...silentLog, warn: (_, fields) => bad.push(fields) });
    assert.equal(bad.length, lines.length);
    assert.deepEqual(
      after.all().map((a) => a.containerId),
      ['a'],
    );
    assert.equal((await after.take(range, who('b'))).ip, '10.244.1.3');
    await after.close();
  });

  test('stays short however often pods come and go', async () => {
    const ipam = await Ipam.open(path, silentLog);
    for (let i = 0; i < 40; i++) {
      await Promise.all(Array.from({ length: 50 }, (_, n) => ipam.take(range, who(`c${i}x${n}`))));
      await Promise.all(Array.from({ length: 50 }, (_, n) => ipam.release(`c${i}x${n}/eth0`)));
    }
    await ipam.close();
    assert.ok((await readFile(path)).length < 400_000);
    const after = await Ipam.open(path, silentLog);
    assert.equal(after.all().length, 0);
    await after.close();
  });

  test('never promises an address twice, however often the process is killed', async () => {
    // The child takes and releases; a line on its output is a promise. What is promised must be there after a kill -9.
    const child = join(dir, 'child.ts');
    const here = (file: string): string => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));
    await writeFile(
      child,
      `import { Ipam } from ${here('./ipam.ts')};
       import { silentLog } from ${here('../../observability/log.ts')};
       import { writeSync } from 'node:fs';
       const ipam = await Ipam.open(process.argv[2], silentLog);
       const who = (containerId) => ({ containerId, ifName: 'eth0', network: 'n', netns: '', pod: '', hostPorts: [] });
       const run = process.argv[3];
       for (let i = 0; ; i++) {
         await Promise.all([0, 1, 2].map(async (n) => {
           const key = run + '-' + i + '-' + n;
           const { ip } = await ipam.take(${JSON.stringify(range)}, who(key));
           writeSync(1, 'take ' + key + ' ' + ip + '\\n');
           if (n !== 0) {
             writeSync(1, 'free ' + key + ' ' + ip + '\\n');
             await ipam.release(key + '/eth0');
           }
         }));
       }`,
    );
    const owners = new Map<string, string>();
    for (let run = 0; run < 6; run++) {
      const process_ = start(process.execPath, [child, path, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      process_.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.length > 1500 + run * 97) process_.kill('SIGKILL');
      });
      await once(process_, 'close');
      for (const line of said.slice(0, said.lastIndexOf('\n')).split('\n')) {
        const [verb, key = '', ip = ''] = line.split(' ');
        if (verb === 'take') {
          assert.equal(owners.get(ip), undefined, `${ip} promised to ${key} while ${owners.get(ip)} has it`);
          owners.set(ip, key);
        } else if (verb === 'free') owners.delete(ip);
      }
      const ipam = await Ipam.open(path, silentLog);
      const known = new Set(ipam.all().map((a) => `${a.ip} ${a.containerId}`));
      for (const [ip, key] of owners) assert.ok(known.has(`${ip} ${key}`), `${ip} of ${key} was forgotten`);
      // What was taken without the promise having been read is given back, as the kubelet's DEL would.
      for (const a of ipam.all()) if (owners.get(a.ip) !== a.containerId) await ipam.release(`${a.containerId}/eth0`);
      for (const [ip, key] of [...owners].slice(0, 20)) {
        await ipam.release(`${key}/eth0`);
        owners.delete(ip);
      }
      await ipam.close();
    }
  });
});
