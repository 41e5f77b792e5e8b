/** provision/etcd.sh with members of etcd that are real: killed in the middle, destroyed and made anew, the first one too. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensureStoreMemberPki } from '../../src/bootstrap/store-pki.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { type ExecResult, systemExec } from '../../src/linux/exec.ts';
import { cannotMakeNamespaces } from '../../src/linux/testing/namespaces.ts';
import { Boxes } from './box.ts';

const isThere = async (name: string): Promise<boolean> => (await systemExec.run('sh', ['-c', `command -v ${name}`])).code === 0;
const missing = (await Promise.all(['etcd', 'etcdctl', 'curl'].map(async (name) => ((await isThere(name)) ? [] : [name])))).flat();
const skip = cannotMakeNamespaces || (missing.length > 0 && `needs ${missing.join(', ')}`);

const addresses = ['127.0.0.7', '127.0.0.8', '127.0.0.9'] as const;
/** The presets of etcd: nothing here pauses for seconds as emulated machines do. */
const etcd = 'set -a; . /etc/default/etcd; ETCD_HEARTBEAT_INTERVAL=100 ETCD_ELECTION_TIMEOUT=1000 exec etcd';
const start = 'enable --quiet --now etcd';
const name = (n: number): string => `control-plane-${n}`;
const address = (n: number): string => addresses[n - 1] ?? '';

describe('etcd of the lab of vagrant/', { skip }, () => {
  let boxes: Boxes;
  before(async () => {
    boxes = await Boxes.open({ etcd });
  });
  after(() => boxes[Symbol.asyncDispose]());

  async function provision(n: number, how: 'begin' | 'enter'): Promise<ExecResult> {
    const dir = join(boxes.dir, 'pki', name(n));
    const pkiDir = join(boxes.dir, 'pki');
    await ensureStoreMemberPki({ pkiDir, store: 'etcd', dir, member: name(n), addresses: [address(n)], now: Date.now() });
    const text = (path: string): string => readFileSync(join(pkiDir, path), 'utf8');
    const env = { ETCD_CA: text('etcd/ca.crt'), ETCD_CERT: text(`${name(n)}/etcd.crt`), ETCD_KEY: text(`${name(n)}/etcd.key`) };
    return boxes.provision(name(n), 'etcd.sh', [name(n), address(n), how, ...addresses.filter((one) => one !== address(n))], env);
  }

  async function done(n: number, how: 'begin' | 'enter'): Promise<void> {
    const { code, stderr } = await provision(n, how);
    assert.equal(code, 0, `${stderr}\n${boxes.read(name(n), 'etcd.log')}`);
  }

  /** Asked of one member. */
  async function ctl(n: number, ...args: readonly string[]): Promise<string> {
    const dir = '/etc/etcd/fairlead';
    const tls = [`--cacert=${dir}/ca.crt`, `--cert=${dir}/member.crt`, `--key=${dir}/member.key`];
    const result = await boxes.run(name(n), ['etcdctl', `--endpoints=https://${address(n)}:2379`, ...tls, ...args]);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  }

  async function whole(n: number, members: readonly number[]): Promise<void> {
    await eventually(`${members.length} members that have started, as control-plane-${n} sees them`, async () => {
      const lines = (await ctl(n, 'member', 'list')).trim().split('\n');
      const named = lines.map((line) => line.split(', ')).map(([, status, member]) => `${member} ${status}`);
      assert.deepEqual(
        named.toSorted(),
        members.map((one) => `${name(one)} started`),
      );
      await ctl(n, 'endpoint', 'health');
    });
  }

  /** Before the configuration of the member is written, and after the others have been told of it. */
  async function killed(n: number): Promise<void> {
    boxes.dieAt(name(n), 'disable --quiet --now etcd');
    assert.notEqual((await provision(n, 'enter')).code, 0);
    assert.equal(boxes.read(name(n), 'etc/default/etcd'), '');
  }

  test('the first begins, and finds it done', async () => {
    await done(1, 'begin');
    await whole(1, [1]);
    const pid = boxes.read(name(1), 'etcd.pid');
    await done(1, 'begin');
    assert.equal(boxes.read(name(1), 'etcd.pid'), pid);
    await ctl(1, 'put', 'kept', 'so far');
  });

  test('the second was killed when it had been added, which leaves the first without a majority, and goes on', async () => {
    await killed(2);
    await done(2, 'enter');
    await whole(2, [1, 2]);
  });

  test('so was the third', async () => {
    await killed(3);
    await done(3, 'enter');
    await whole(3, [1, 2, 3]);
  });

  test('one that was told too few, as another was added at the same moment, is told again', async () => {
    await boxes.halt(name(3), 'etcd');
    boxes.destroy(name(3));
    boxes.dieAt(name(3), start);
    assert.notEqual((await provision(3, 'enter')).code, 0);
    // As etcd leaves it that ends before it begins.
    mkdirSync(boxes.path(name(3), 'var/lib/etcd/fairlead/member/snap'), { recursive: true });
    // Only within the same moment does etcd add two by itself.
    const unstrict =
      'systemctl set-environment ETCD_STRICT_RECONFIG_CHECK=false; systemctl restart etcd; systemctl unset-environment ETCD_STRICT_RECONFIG_CHECK';
    assert.equal((await boxes.run(name(1), ['sh', '-c', unstrict])).code, 0);
    await eventually('a majority of three', () => ctl(1, 'endpoint', 'health'));
    await ctl(1, 'member', 'add', 'another', '--peer-urls=https://127.0.0.10:2380');
    boxes.failAt(name(3), start);
    await done(3, 'enter');
    await eventually('a majority of four', () => ctl(3, 'endpoint', 'health'));
    const [id = ''] =
      (await ctl(3, 'member', 'list'))
        .split('\n')
        .find((line) => line.includes('127.0.0.10'))
        ?.split(',') ?? [];
    await ctl(3, 'member', 'remove', id);
    await whole(3, [1, 2, 3]);
  });

  test('the first, destroyed and made anew, enters the cluster that goes on', async () => {
    await boxes.halt(name(1), 'etcd');
    boxes.destroy(name(1));
    await done(1, 'begin');
    await whole(1, [1, 2, 3]);
    assert.equal(await ctl(1, 'get', 'kept', '--print-value-only'), 'so far\n');
  });

  test('when it is known that there is a cluster it waits for that rather than beginning another', async () => {
    for (const n of [1, 2, 3]) await boxes.halt(name(n), 'etcd');
    boxes.destroy(name(1));
    const entering = provision(1, 'enter');
    for (const n of [2, 3]) await done(n, 'enter');
    const { code, stderr } = await entering;
    assert.equal(code, 0, stderr);
    await whole(1, [1, 2, 3]);
    assert.equal(await ctl(1, 'get', 'kept', '--print-value-only'), 'so far\n');
  });

  test('two destroyed at once: who is made anew says what makes a cluster of the one that is left, and enters that', async () => {
    for (const n of [2, 3]) {
      await boxes.halt(name(n), 'etcd');
      boxes.destroy(name(n));
    }
    const entering = provision(2, 'enter');
    const printed = (): string[] => boxes.read(name(2), 'said').match(/(?<=^ {2}sudo )sh -c .*$/gm) ?? [];
    await eventually('the step that is left', () => printed().length > 0);
    const said = boxes.read(name(2), 'said');
    assert.match(said, /do not answer: 127\.0\.0\.9\. See there/);
    assert.match(said, /gone for good: what 127\.0\.0\.7 has goes on/);
    const [step = ''] = printed();
    const { code, stderr } = await boxes.run(name(1), ['sh', '-c', step]);
    assert.equal(code, 0, stderr);
    assert.equal((await entering).code, 0);
    await whole(2, [1, 2]);
    await done(3, 'enter');
    await whole(3, [1, 2, 3]);
    assert.equal(await ctl(3, 'get', 'kept', '--print-value-only'), 'so far\n');
    // Another start is one of a member as any.
    await boxes.halt(name(1), 'etcd');
    await done(1, 'begin');
    await whole(1, [1, 2, 3]);
  });
});
