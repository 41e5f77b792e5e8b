import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createAuthority } from '../../x509/authority.ts';
import { FlagReader, type FlagValues } from '../flag-reader.ts';
import { readSigning } from './signing-authority.ts';

const all = ['kubelet-serving', 'kube-apiserver-client-kubelet', 'kube-apiserver-client', 'legacy-unknown'].map(
  (n) => `kubernetes.io/${n}`,
);

describe('what certificates are signed with', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'fairlead-signing-'));
    for (const name of ['one', 'two']) await put(name);
  });
  after(() => rm(dir, { recursive: true }));

  async function put(name: string): Promise<void> {
    const { certPem, keyPem } = await createAuthority(name, Date.now());
    await writeFile(join(dir, `${name}.crt`), certPem);
    await writeFile(join(dir, `${name}.key`), keyPem);
  }

  function files(name: string, word = ''): FlagValues {
    return {
      [`cluster-signing-${word}cert-file`]: join(dir, `${name}.crt`),
      [`cluster-signing-${word}key-file`]: join(dir, `${name}.key`),
    };
  }

  const read = (flags: FlagValues): ReturnType<typeof readSigning> =>
    readSigning(new FlagReader({ 'cluster-signing-duration': '8760h', ...flags }));

  test('is nothing when no authority is given', async () => assert.equal(await read({}), undefined));

  test('is one authority for every signer, for a year', async () => {
    const signing = await read(files('one'));
    assert.deepEqual(Object.keys(signing?.authorities ?? {}).toSorted(), all.toSorted());
    assert.equal(signing?.mostMs, 365 * 86_400_000);
  });

  test('is an authority of its own for the signers that are given one, and none for the others', async () => {
    const signing = await read({ ...files('one', 'kubelet-client-'), ...files('two', 'legacy-unknown-') });
    const named = await Promise.all(
      Object.entries(signing?.authorities ?? {}).map(async ([name, authority]) => [name, (await authority()).certificate.subject]),
    );
    assert.deepEqual(Object.fromEntries(named), {
      'kubernetes.io/kube-apiserver-client-kubelet': 'CN=one',
      'kubernetes.io/legacy-unknown': 'CN=two',
    });
  });

  test('is the authority that the files hold when something is signed', async () => {
    await put('fresh');
    const authority = (await read(files('fresh')))?.authorities[all[0] ?? ''];
    const first = await authority?.();
    assert.equal(await authority?.(), first);
    await put('fresh');
    assert.notEqual((await authority?.())?.certPem, first?.certPem);
  });

  for (const [what, flags, message] of [
    ['a key without a certificate', () => ({ ...files('one'), 'cluster-signing-cert-file': '' }), /cannot specify key without cert/],
    [
      'a certificate without a key',
      () => ({ ...files('one', 'legacy-unknown-'), 'cluster-signing-legacy-unknown-key-file': '' }),
      /cluster-signing-legacy-unknown-cert-file: cannot specify cert without key/,
    ],
    ['one for all and one for a signer', () => ({ ...files('one'), ...files('two', 'kubelet-serving-') }), /at the same time/],
    [
      'a key of another',
      () => ({ ...files('one'), 'cluster-signing-key-file': join(dir, 'two.key') }),
      /the key does not fit the certificate/,
    ],
    ['a file that is not there', () => files('none'), /ENOENT/],
    ['too short a life', () => ({ ...files('one'), 'cluster-signing-duration': '1m' }), /cluster-signing-duration/],
  ] as const)
    test(`is refused with ${what}`, async () => assert.rejects(read(flags()), { message }));
});
