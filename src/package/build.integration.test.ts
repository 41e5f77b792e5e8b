/** The package as `npm run build` makes it, on a machine that has nothing but what it depends on. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { mustRun, systemExec } from '../linux/exec.ts';
import { newRequest } from '../x509/new-request.ts';
import { makeDebianRoot, namesIn } from './testing/debian-root.ts';
import { Machine } from './testing/machine.ts';

const checkout = resolve(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'package-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : (await systemExec.run('dpkg-query', ['--version']).catch(() => undefined))
      ? false
      : 'needs Debian';
const node = '/opt/fairlead/bin/node';
const program = '/usr/bin/fairlead';

/** As somebody else builds it: at another place, with other habits. */
async function build(name: string, env: Readonly<Record<string, string>>, umask: string): Promise<string[]> {
  const words = ['-c', 'umask "$0"; exec "$@"', umask, process.execPath, join(checkout, 'src/package/build.ts'), '--out', join(dir, name)];
  const out = await mustRun(systemExec, 'sh', words, { env, cwd: dir });
  return out
    .trimEnd()
    .split('\n')
    .map((path) => resolve(dir, path));
}

describe('the package', { skip }, () => {
  const root = join(dir, 'root');
  let built: string[] = [];
  let again: string[] = [];
  const deb = (): string => built.find((path) => path.endsWith('.deb')) ?? '';

  before(async () => {
    [built, again] = await Promise.all([
      build('one', { TZ: 'Asia/Tokyo' }, '077'),
      build('two', { TZ: 'UTC', LANG: 'de_DE.UTF-8' }, '000'),
    ]);
    await makeDebianRoot(root, namesIn(await mustRun(systemExec, 'dpkg-deb', ['--field', deb(), 'Depends'])));
    await mustRun(systemExec, 'dpkg-deb', ['--extract', deb(), root]);
  });

  test('is the same, byte for byte, whoever builds it', () => {
    assert.equal(built.length, 2);
    for (const [i, path] of built.entries()) {
      const other = again[i] ?? '';
      assert.equal(basename(path), basename(other));
      assert.ok(readFileSync(path).equals(readFileSync(other)), basename(path));
    }
  });

  test('has sums that are right, of the files to download and of those inside', async () => {
    for (const path of built) await mustRun(systemExec, 'sha256sum', ['-c', `${path}.sha256`], { cwd: join(dir, 'one') });
    const checked = await mustRun(systemExec, 'sha256sum', ['-c', 'SHA256SUMS'], { cwd: join(root, 'opt/fairlead') });
    const there = readdirSync(join(root, 'opt/fairlead'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.equal(checked.trimEnd().split('\n').length, there.length - 1);
  });

  test('names nothing of the place where it was built', async () => {
    for (const path of [checkout, dir]) {
      const found = await systemExec.run('grep', ['-rlF', path, join(root, 'opt/fairlead'), join(root, 'usr/share')]);
      assert.equal(found.stdout, '');
    }
  });

  test('brings the licence of every package of npm that is inside, and of Node.js', () => {
    const names = readdirSync(join(root, 'opt/fairlead/licenses')).map((name) => name.replace(/-\d+\.\d+\.\d+.*$/, ''));
    const { dependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
    const wanted = [...Object.keys(dependencies), `node-linux-${process.arch}`, 'find-my-way', 'node-gyp-build'];
    assert.deepEqual(
      wanted.map((name) => name.replace('/', '+')).filter((name) => !names.includes(name)),
      [],
    );
  });

  test('has units that systemd understands, of which none starts by being installed', async (t) => {
    if (!(await systemExec.run('systemd-analyze', ['--version']).catch(() => undefined))) return t.skip('needs systemd-analyze');
    for (const name of ['fairlead-server.service', 'fairlead-agent.service']) {
      const unit = readFileSync(join(root, 'usr/lib/systemd/system', name), 'utf8');
      assert.match(unit, /^ConditionPathExists=\/etc\/fairlead\/\w+\.env$/m);
      const copy = join(dir, name);
      // It looks for the program where it will be.
      await mustRun(systemExec, 'sh', [
        '-c',
        'sed "s|=/usr/bin/fairlead|=$0/opt/fairlead/bin/fairlead|" "$1" >"$2"',
        root,
        join(root, 'usr/lib/systemd/system', name),
        copy,
      ]);
      const { code, stdout, stderr } = await systemExec.run('systemd-analyze', ['verify', '--man=no', copy]);
      assert.deepEqual({ code, said: (stdout + stderr).split('\n').filter((line) => line.includes('fairlead')) }, { code: 0, said: [] });
    }
  });

  test('has a manual page that renders without a complaint, with every command', async (t) => {
    const page = join(root, 'usr/share/man/man1/fairlead.1.gz');
    const man = await systemExec.run('man', ['--warnings', '--local-file', page], { env: { MANWIDTH: '100' } }).catch(() => undefined);
    if (!man) return t.skip('needs man');
    assert.equal(man.stderr, '');
    for (const command of ['server', 'agent', 'proxy', 'lab up', 'rules render'])
      assert.match(man.stdout, new RegExp(`^ +fairlead ${command}`, 'm'));
    assert.match(man.stdout, /--proxy-mode nftables\|iptables\|ipvs\|userspace\n/);
  });

  test('completes commands in bash', async () => {
    const script = join(root, 'usr/share/bash-completion/completions/fairlead');
    const typed = 'source "$0"; COMP_WORDS=(fairlead ag); COMP_CWORD=1; _fairlead; echo $COMPREPLY';
    assert.equal(await mustRun(systemExec, 'bash', ['-c', typed, script]), 'agent\n');
  });

  describe('on a machine with nothing but what it depends on', () => {
    let machine: Machine;
    before(async () => {
      machine = await Machine.boot(root);
      await machine.makeKeys('etc/one');
    });
    after(async () => await machine?.[Symbol.asyncDispose]());

    test('has no npm, no compiler and no checkout beside it', async () => {
      const { stdout } = await machine.run('sh', '-c', `command -v node npm cc gcc make python3; ls -d ${checkout}`);
      assert.equal(stdout, '');
    });

    test('tells its version, and says nothing else', async () => {
      const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
      const { stdout, stderr } = await machine.run(program, '--version');
      assert.match(stdout, new RegExp(`^FAIRLEAD +KUBERNETES +NODE\\.JS\n${version} +v1\\.\\d+\\.\\d+ +v24\\.`));
      assert.equal(stderr, '');
      assert.match(await machine.must(program, 'version', '-o', 'yaml'), /^fairlead: /);
      assert.match(await machine.must(program, 'agent', '--help'), /^fairlead agent: run a node/);
    });

    test('has modules of which each loads by itself, but for those that are a process or a thread', async () => {
      const ways = ['fairlead.js', 'relay-process.js', 'balancer-process.js', 'writer.js', 'checkpointer.js', 'body-worker.js'];
      const [folder = ''] = readdirSync(join(root, 'opt/fairlead/lib'));
      const names = readdirSync(join(root, 'opt/fairlead/lib', folder)).filter((name) => name.endsWith('.js') && !ways.includes(name));
      const load = `for (const name of ${JSON.stringify(names)}) await import('/opt/fairlead/lib/${folder}/' + name); process.exit(0)`;
      assert.ok(names.length > 50);
      await machine.must(node, '--input-type=module', '--eval', load);
    });

    test('renders rules, and prints the DaemonSet of its proxy', async () => {
      const { stdout } = await machine.run(
        program,
        'rules',
        'render',
        '-f',
        '/opt/fairlead/rules/scenarios/web/objects.yaml',
        '--node-ip',
        '192.0.2.1',
      );
      assert.match(stdout, /^table ip kube-proxy \{/);
      const yaml = await machine.must(program, 'manifest', 'proxy', '--image', 'fairlead:1', '--server', 'https://192.0.2.10:6443');
      assert.match(yaml, /image: "?fairlead:1/);
    });

    test('is a control plane and a node, with worker threads, native code and what loads late', async () => {
      const server = await machine.startServer(node, program, 'etc/one');
      const agent = await machine.startAgent(node, program, 'etc/one');
      assert.match(
        await machine.must(program, 'rules', 'show', '--kubeconfig', '/etc/one/pki/admin.conf', 'svc/kubernetes'),
        /10\.96\.0\.1/,
      );
      const csr = Buffer.from(newRequest({ commonName: 'ann', organizations: [] }).requestPem).toString('base64');
      const answers = JSON.parse(await machine.must(node, '--input-type=module', '--eval', askServer, csr)) as readonly (readonly [
        number,
        string,
      ])[];
      assert.deepEqual(
        answers.map(([code]) => code),
        [201, 422, 201],
      );
      assert.equal(
        await machine.must('sh', '-c', 'CNI_COMMAND=VERSION /etc/one/bin/fairlead </dev/null | grep -c supportedVersions'),
        '1\n',
      );
      for (const started of [agent, server]) await machine.stop(started);
      const said = readFileSync(join(root, 'etc/one/agent.log'), 'utf8') + readFileSync(join(root, 'etc/one/server.log'), 'utf8');
      assert.doesNotMatch(said, /ERR_|DeprecationWarning|Cannot find/);
    });
  });
});

/** A body that a worker thread decodes, one that it refuses, and a request that loads what reads certificates. */
const askServer = `
import { readFileSync } from 'node:fs';
import https from 'node:https';
const { clusters, users } = JSON.parse(readFileSync('/etc/one/pki/admin.conf', 'utf8'));
const fields = { ...clusters[0].cluster, ...users[0].user };
const field = (name) => Buffer.from(fields[name], 'base64');
const tls = { ca: field('certificate-authority-data'), cert: field('client-certificate-data'), key: field('client-key-data') };
const post = (path, type, body) => new Promise((resolve, reject) => {
  const request = https.request({ host: '127.0.0.1', port: 6443, path, method: 'POST', headers: { 'content-type': type }, ...tls }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (piece) => (text += piece)).on('end', () => resolve([response.statusCode, text]));
  });
  request.on('error', reject).end(body);
});
const maps = '/api/v1/namespaces/default/configmaps';
const csr = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', metadata: { name: 'x' },
  spec: { signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], request: process.argv[1] } };
console.log(JSON.stringify([
  await post(maps, 'application/yaml', 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: a}\\ndata: {k: v}\\n'),
  await post(maps, 'application/yaml', 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {}\\n'),
  await post('/apis/certificates.k8s.io/v1/certificatesigningrequests', 'application/json', JSON.stringify(csr)),
]));
process.exit(0);
`;
