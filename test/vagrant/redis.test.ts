/** provision/redis.sh with a Redis that is real, opened as an API server opens it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type ExecResult, systemExec } from '../../src/linux/exec.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { Boxes } from './box.ts';

const hasRedis = (await systemExec.run('sh', ['-c', 'command -v redis-server'])).code === 0;
const machine = 'control-plane';
/** Writes an object, or reads it. */
const program = `
import { openStore } from '${join(import.meta.dirname, '../../src/storage/open.ts')}';
const [what, url] = process.argv.slice(1);
const store = await openStore(url, {});
if (what === 'put') await store.put('/a', Buffer.from('kept'));
console.log(String((await store.get('/a'))?.value));
await store.close();
process.exit();
`;

describe('Redis of the lab of vagrant/', { skip: cannotMakeNamespaces || (!hasRedis && 'needs redis-server') }, () => {
  let boxes: Boxes;
  before(async () => {
    boxes = await Boxes.open({ 'redis-server': 'mkdir -p /var/lib/redis; exec redis-server /etc/redis/redis.conf' });
  });
  after(() => boxes[Symbol.asyncDispose]());

  async function provision(password: string): Promise<void> {
    const { code, stderr } = await boxes.provision(machine, 'redis.sh', [], { REDIS_PASSWORD: password });
    assert.equal(code, 0, stderr);
  }
  const store = (what: 'put' | 'get', password: string): Promise<ExecResult> => {
    const command = [process.execPath, '--input-type=module', '--eval', program, what, `redis://:${password}@127.0.0.1:6379/0`];
    return boxes.run(machine, command);
  };
  const answers = (what: 'put' | 'get', password: string): Promise<void> =>
    eventually('the store', async () => {
      const { stdout, stderr } = await store(what, password);
      assert.equal(stdout, 'kept\n', stderr);
    });

  test('is one that takes a cluster, by its password alone, on this machine alone', async () => {
    await provision('first');
    await answers('put', 'first');
    assert.match((await store('get', 'wrong')).stderr, /WRONGPASS/);
    const { stdout } = await boxes.run(machine, ['ss', '--listening', '--tcp', '--numeric', '--no-header']);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[3]),
      ['127.0.0.1:6379'],
    );
  });

  test('stays as it is when it is done, and takes another password', async () => {
    const pid = boxes.read(machine, 'redis-server.pid');
    await provision('first');
    assert.equal(boxes.read(machine, 'redis-server.pid'), pid);
    await provision('second');
    await answers('get', 'second');
  });

  test('keeps what it has acknowledged when the power is cut off', async () => {
    await boxes.halt(machine, 'redis-server');
    await provision('second');
    await answers('get', 'second');
  });
});
