/** `fairlead token` and `fairlead certs` as a person runs them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootstrapTokenOf } from '../../src/api/bootstrap-token.ts';
import { secrets } from '../../src/api/resource-types.ts';
import { isNotFound } from '../../src/client/api-error.ts';
import { publicKeyHash } from '../../src/setup/discovery/public-key-hash.ts';
import { createAuthority, issueCertificate } from '../../src/x509/authority.ts';
import { ControlPlane } from './testing/control-plane.ts';

const program = new URL('../../src/main/fairlead.ts', import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function fairlead(...words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], { env: { ...process.env, NO_COLOR: '1' } }, (err, stdout, stderr) => {
      resolve({ code: typeof err?.code === 'number' ? err.code : 0, stdout, stderr });
    });
  });
}

describe('fairlead token', () => {
  let cp: ControlPlane;
  let dir: string;
  let kubeconfig: string;
  before(async () => {
    cp = await ControlPlane.start({ controllers: [], nodes: 0, scheduler: false, kubelet: false });
    dir = await mkdtemp(join(tmpdir(), 'fairlead-token-'));
    kubeconfig = join(dir, 'admin.conf');
    await writeFile(kubeconfig, cp.adminKubeconfig());
  });
  after(async () => {
    await cp.stop();
    await rm(dir, { recursive: true });
  });

  const token = (...words: readonly string[]): Promise<Outcome> => fairlead('token', ...words, '--kubeconfig', kubeconfig);
  const secretOf = (id: string): ReturnType<typeof cp.client.get> =>
    cp.client.get(secrets, `bootstrap-token-${id}`, { namespace: 'kube-system' });

  test('create makes one as kubeadm does, and prints it', async () => {
    const { code, stdout } = await token('create');
    assert.equal(code, 0);
    assert.match(stdout, /^[a-z0-9]{6}\.[a-z0-9]{16}\n$/);
    const [id = '', secret = ''] = stdout.trim().split('.');
    const { expiration = '', ...made } = bootstrapTokenOf(await secretOf(id)) ?? {};
    assert.deepEqual(made, {
      id,
      secret,
      description: undefined,
      usages: ['signing', 'authentication'],
      groups: ['system:bootstrappers:kubeadm:default-node-token'],
    });
    const hours = (Date.parse(expiration) - Date.now()) / 3_600_000;
    assert.ok(hours > 23 && hours <= 24, expiration);
  });

  test('create takes what kubeadm takes, and prints the command by which a machine joins', async () => {
    const flags = ['--ttl', '0', '--usages', 'signing', '--groups', 'system:bootstrappers:a', '--description', 'mine'];
    const { stdout } = await token('create', 'abcdef.0123456789abcdef', ...flags, '--print-join-command');
    const { ca = '', server } = cp.client.transport.config;
    const { host } = new URL(server);
    assert.equal(stdout, `fairlead join ${host} --token abcdef.0123456789abcdef --discovery-token-ca-cert-hash ${publicKeyHash(ca)}\n`);
    assert.deepEqual(bootstrapTokenOf(await secretOf('abcdef')), {
      id: 'abcdef',
      secret: '0123456789abcdef',
      description: 'mine',
      expiration: undefined,
      usages: ['signing'],
      groups: ['system:bootstrappers:a'],
    });
    const again = await token('create', 'abcdef.0123456789abcdef');
    assert.deepEqual([again.code, /a token with id "abcdef" already exists/.test(again.stderr)], [2, true]);
  });

  test('list shows each, for people and for programs', async () => {
    const { stdout } = await token('list');
    assert.match(stdout, /^TOKEN +TTL +EXPIRES +USAGES +DESCRIPTION +EXTRA GROUPS\n/);
    assert.match(stdout, /^abcdef\.0123456789abcdef +<forever> +<never> +signing +mine +system:bootstrappers:a$/m);
    assert.match(stdout, /^\S+ +23h59m\d+s +\d{4}-\S+Z +authentication,signing +<none> +system:bootstrappers:kubeadm:default-node-token$/m);
    const { stdout: json } = await token('list', '-o', 'json');
    const [mine] = JSON.parse(json).filter((one: { token: string }) => one.token.startsWith('abcdef.'));
    assert.deepEqual(mine, {
      token: 'abcdef.0123456789abcdef',
      description: 'mine',
      usages: ['signing'],
      groups: ['system:bootstrappers:a'],
    });
  });

  test('delete takes one away by its id or by the whole', async () => {
    const { code, stdout } = await token('delete', 'abcdef.0123456789abcdef');
    assert.deepEqual([code, stdout], [0, 'bootstrap token "abcdef" deleted\n']);
    await assert.rejects(secretOf('abcdef'), isNotFound);
    const again = await token('delete', 'abcdef');
    assert.deepEqual([again.code, /there is none of that id/.test(again.stderr)], [2, true]);
  });

  for (const [what, words, why] of [
    ['a usage that is none', ['create', '--usages', 'flying'], /"flying" is none/],
    ['a group that no token may have', ['create', '--groups', 'system:masters'], /"system:masters" is none/],
    ['a time that is none', ['create', '--ttl', 'soon'], /it is no duration/],
    ['a token of another form', ['create', 'abc'], /has not the form of a bootstrap token/],
    ['an id of another form', ['delete', 'ABC'], /has not the form of a token or of its id/],
    ['nothing to delete', ['delete'], /none is given/],
  ] as const)
    test(`refuses ${what}`, async () => {
      const { code, stderr } = await token(...words);
      assert.equal(code, 2);
      assert.match(stderr, why);
    });

  test('generate needs no cluster', async () => {
    assert.match((await fairlead('token', 'generate')).stdout, /^[a-z0-9]{6}\.[a-z0-9]{16}\n$/);
  });
});

describe('fairlead certs', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-certs-'));
  });
  after(() => rm(dir, { recursive: true }));
  const certs = (...words: readonly string[]): Promise<Outcome> =>
    fairlead('certs', ...words, '--pki-dir', dir, '--kubeconfig-dir', dir, '--cert-dir', dir);

  test('check says when each ends, and ends with 1 when one has; renew helps', async () => {
    const now = Date.now();
    const authority = await createAuthority('kubernetes', now);
    const old = await issueCertificate(authority, { commonName: 'kube-apiserver', dnsNames: ['a'], usages: ['server'], days: 2 }, now);
    const past = await issueCertificate(authority, { commonName: 'old', usages: ['client'], days: 2 }, now - 5 * 86_400_000);
    await writeFile(join(dir, 'ca.crt'), authority.certPem);
    await writeFile(join(dir, 'ca.key'), authority.keyPem);
    await writeFile(join(dir, 'apiserver.crt'), old.certPem);
    assert.equal((await certs('check')).code, 0);
    await writeFile(join(dir, 'apiserver-kubelet-client.crt'), past.certPem);
    const bad = await certs('check');
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /^apiserver +\S+Z +1d +kubernetes$/m);
    assert.match(bad.stdout, /^apiserver-kubelet-client +\S+Z +<invalid> +kubernetes$/m);
    const renewed = await certs('renew');
    assert.equal(renewed.code, 0);
    assert.match(renewed.stdout, /^apiserver-kubelet-client renewed, good until \S+Z$/m);
    const { code, stdout } = await certs('check', '-o', 'json');
    const rows: { name: string; isGood: boolean }[] = JSON.parse(stdout);
    const told = rows.map(({ name, isGood }) => `${name} ${isGood}`).toSorted();
    assert.deepEqual([code, told], [0, ['apiserver true', 'apiserver-kubelet-client true', 'ca true']]);
  });
});
