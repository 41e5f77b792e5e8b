/** What the controller manager signs certificates with, from its flags. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { textFlag } from '../../cli/command.ts';
import type { Signing } from '../../controllers/context.ts';
import { KnownError, messageOf } from '../../errors/known-error.ts';
import type { Authority, KeyPair } from '../../x509/authority.ts';
import type { FlagReader } from '../flag-reader.ts';
import type { PartFlag } from './part.ts';

/** Signers that may have an authority of their own, by the word in their flags. */
const signers = {
  'kubelet-serving': 'kubernetes.io/kubelet-serving',
  'kubelet-client': 'kubernetes.io/kube-apiserver-client-kubelet',
  'kube-apiserver-client': 'kubernetes.io/kube-apiserver-client',
  'legacy-unknown': 'kubernetes.io/legacy-unknown',
} as const;

type Signer = keyof typeof signers;
type FileFlag = `cluster-signing-${`${Signer}-` | ''}${'cert' | 'key'}-file`;

function fileFlag(what: string, whose: string, isForAll: boolean): PartFlag {
  const flag = textFlag('FILE', `${what} that certificates for ${whose} are signed with`);
  // Where the control plane is one process, one authority signs for all.
  return isForAll ? flag : { ...flag, among: false };
}

const own = Object.entries(signers).flatMap(([word, name]) => [
  [`cluster-signing-${word}-cert-file`, fileFlag('certificate of the authority', name, false)],
  [`cluster-signing-${word}-key-file`, fileFlag('its key', name, false)],
]);

export const signingFlags: Readonly<Record<FileFlag | 'cluster-signing-duration', PartFlag>> = {
  ...(Object.fromEntries(own) as Record<FileFlag, PartFlag>),
  'cluster-signing-cert-file': fileFlag('certificate of the authority', 'every signer of Kubernetes', true),
  'cluster-signing-key-file': fileFlag('its key', 'every signer of Kubernetes', true),
  'cluster-signing-duration': textFlag('DURATION', 'the longest life of a certificate; requests may ask for less', '8760h'),
};

/** Undefined when no authority is given. Throws USAGE for flags that contradict, BAD_CONFIG for files that hold no authority. */
export async function readSigning(read: FlagReader<keyof typeof signingFlags>): Promise<Signing | undefined> {
  const forAll = filesOf(read, '');
  const given = (Object.keys(signers) as Signer[]).flatMap((word) => {
    const files = filesOf(read, `${word}-`);
    return files ? [[signers[word], files] as const] : [];
  });
  if (forAll && given.length > 0)
    throw new KnownError(
      'USAGE',
      'Cannot use --cluster-signing-{cert,key}-file with other --cluster-signing-*-file flags at the same time',
      {
        hint: 'Give one authority for all signers, or one for each',
      },
    );
  const files = forAll ? Object.values(signers).map((name) => [name, forAll] as const) : given;
  if (files.length === 0) return undefined;
  for (const [, one] of files) await readAuthority(one);
  return {
    mostMs: read.seconds('cluster-signing-duration', 600, 3_650 * 86_400) * 1000,
    authorities: Object.fromEntries(files.map(([name, one]) => [name, authorityIn(one)])),
  };
}

interface AuthorityFiles {
  readonly cert: string;
  readonly key: string;
}

function filesOf(read: FlagReader<FileFlag>, word: `${Signer}-` | ''): AuthorityFiles | undefined {
  const [cert, key] = [read.optional(`cluster-signing-${word}cert-file`), read.optional(`cluster-signing-${word}key-file`)];
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return undefined;
  const [there, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
  throw new KnownError('USAGE', `Cannot use --cluster-signing-${word}${there}-file: cannot specify ${there} without ${missing}`, {
    hint: `Give --cluster-signing-${word}${missing}-file, too`,
  });
}

/** The texts of the files. Throws BAD_CONFIG when they are no certificate and its key. */
async function readAuthority({ cert, key }: AuthorityFiles): Promise<KeyPair> {
  try {
    const [certPem, keyPem] = await Promise.all([readFile(cert, 'utf8'), readFile(key, 'utf8')]);
    // With what is built in: the library for certificates is loaded when the first one is signed.
    if (!new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))) throw new Error('the key does not fit the certificate');
    return { certPem, keyPem };
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot sign certificates with "${cert}" and "${key}": ${messageOf(err)}`, {
      hint: 'Give an authority and its private key, RSA, ECDSA or Ed25519, in PEM',
      cause: err,
    });
  }
}

/** The authority as the files say now: who renews it restarts nothing. */
function authorityIn(files: AuthorityFiles): () => Promise<Authority> {
  let last: Authority | undefined;
  return async () => {
    const pair = await readAuthority(files);
    if (last?.certPem !== pair.certPem || last.keyPem !== pair.keyPem) {
      const { loadAuthority } = await import('../../x509/authority.ts');
      last = await loadAuthority(pair);
    }
    return last;
  };
}
