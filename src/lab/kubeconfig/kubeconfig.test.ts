import assert from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { parse } from 'yaml';
import { defaultLabOptions } from '../lab-options.ts';
import { type LabPlan, planLab } from '../plan.ts';
import { mergeKubeconfig, unmergeKubeconfig } from './merge.ts';
import { mergeForPerson, type Person, personalKubeconfig, unmergeAll } from './user-kubeconfig.ts';

const admin = JSON.stringify({
  clusters: [{ name: 'lab', cluster: { server: 'https://192.168.120.10:6443' } }],
  users: [{ name: 'admin', user: { 'client-key-data': 'a2V5' } }],
});

const mine = `apiVersion: v1
kind: Config
# the one at work
clusters:
  - name: work
    cluster:
      server: https://work.example
contexts:
  - name: work
    context: { cluster: work, user: me }
users:
  - name: me
    user: {}
current-context: work
`;

describe('a kubeconfig', () => {
  test('takes a lab beside what it has, comments and all, and is as before without it', () => {
    const merged = mergeKubeconfig(mine, admin, 'lab', 'f');
    const read = parse(merged);
    assert.equal(read['current-context'], 'fairlead-lab');
    assert.deepEqual(read.clusters[1], { name: 'fairlead-lab', cluster: { server: 'https://192.168.120.10:6443' } });
    assert.deepEqual(read.users[1], { name: 'fairlead-lab', user: { 'client-key-data': 'a2V5' } });
    assert.deepEqual(read.contexts[1].context, { cluster: 'fairlead-lab', user: 'fairlead-lab' });
    assert.match(merged, /# the one at work/);
    assert.deepEqual(unmergeKubeconfig(merged, 'lab', 'work', 'f'), { text: mine, isEmpty: false });
  });

  test('takes a lab once, with its newest keys', () => {
    const twice = mergeKubeconfig(mergeKubeconfig(mine, admin, 'lab', 'f'), admin.replace('a2V5', 'bmV3'), 'lab', 'f');
    assert.equal(parse(twice).users.length, 2);
    assert.equal(parse(twice).users[1].user['client-key-data'], 'bmV3');
  });

  for (const [name, text] of [
    ['is empty', ''],
    [
      'is as kubectl leaves it',
      'apiVersion: v1\nclusters: null\ncontexts: []\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n',
    ],
    ['is JSON', '{"clusters":[],"contexts":[],"users":[]}'],
  ] as const)
    test(`may be one that ${name}`, () => {
      const merged = mergeKubeconfig(text, admin, 'lab', 'f');
      assert.equal(parse(merged).contexts.length, 1);
      const left = unmergeKubeconfig(merged, 'lab', undefined, 'f');
      assert.deepEqual([left.isEmpty, left.text.includes('fairlead')], [true, false]);
    });

  test('keeps the context that somebody chose meanwhile', () => {
    const merged = mergeKubeconfig(mergeKubeconfig(mine, admin, 'lab', 'f'), admin, 'two', 'f');
    assert.equal(parse(unmergeKubeconfig(merged, 'lab', 'work', 'f').text)['current-context'], 'fairlead-two');
    assert.equal(parse(unmergeKubeconfig(merged, 'two', 'gone', 'f').text)['current-context'], undefined);
  });

  for (const text of ['a: [', '- a\n', 'word'])
    test(`that is none (${JSON.stringify(text)}) is refused by name`, () => {
      assert.throws(() => mergeKubeconfig(text, admin, 'lab', '/home/me/.kube/config'), /Cannot read the kubeconfig "\/home\/me/);
    });
});

describe('the kubeconfig of a person', { skip: process.getuid?.() !== 0 && 'root is needed' }, () => {
  let dir = '';
  let plan: LabPlan;
  let person: Person;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
    person = { uid: 65534, gid: 65534, home: join(dir, 'home') };
    plan = { ...planLab(defaultLabOptions), dir, kubeconfig: join(dir, 'kubeconfig') };
    await writeFile(plan.kubeconfig, admin);
    await chmod(dir, 0o755);
    await mkdir(person.home);
    await chown(person.home, person.uid, person.gid);
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('is made as that person’s alone, and goes with the lab', async () => {
    const path = personalKubeconfig(person, {}, plan);
    assert.equal(path, join(person.home, '.kube/config'));
    assert.equal(await mergeForPerson(plan, path, person), 'fairlead-lab');
    const { uid, mode } = await stat(path);
    assert.deepEqual([uid, (mode & 0o777).toString(8)], [65534, '600']);
    assert.equal(process.geteuid?.(), 0);
    assert.deepEqual(await unmergeAll(plan), [path]);
    await assert.rejects(stat(join(person.home, '.kube')), { code: 'ENOENT' });
  });

  test('is as before when the lab has ended', async () => {
    const path = join(person.home, 'config');
    await writeFile(path, mine, { mode: 0o666 });
    for (const _ of [1, 2]) await mergeForPerson(plan, path, person);
    assert.equal(parse(await readFile(path, 'utf8'))['current-context'], 'fairlead-lab');
    await unmergeAll(plan);
    assert.equal(await readFile(path, 'utf8'), mine);
  });

  test('that was there and had nothing in it stays, without the lab', async () => {
    const path = join(person.home, 'config');
    await writeFile(path, '', { mode: 0o666 });
    await mergeForPerson(plan, path, person);
    assert.deepEqual(await unmergeAll(plan), [path]);
    assert.doesNotMatch(await readFile(path, 'utf8'), /fairlead-lab|a2V5/);
  });

  test('is no way for that person to have root write elsewhere', async () => {
    const other = join(dir, 'of-root');
    await writeFile(other, mine, { mode: 0o600 });
    await symlink(other, join(person.home, 'link'));
    await assert.rejects(mergeForPerson(plan, join(person.home, 'link'), person), { code: 'EACCES' });
    assert.equal(await readFile(other, 'utf8'), mine);
  });

  test('is not the lab’s own that KUBECONFIG names', () => {
    assert.equal(personalKubeconfig(person, { KUBECONFIG: plan.kubeconfig }, plan), join(person.home, '.kube/config'));
    assert.equal(personalKubeconfig(person, { KUBECONFIG: `${plan.kubeconfig}:/etc/mine` }, plan), '/etc/mine');
  });
});
