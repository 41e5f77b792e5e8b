/** On a machine that becomes one more control plane: the keys of the cluster, out of its Secret or copied by somebody, and where its store is. */
import { X509Certificate } from 'node:crypto';
import { secrets } from '../../api/resource-types.ts';
import type { Secret } from '../../api/schema/types.ts';
import { readIfThere, writeSecret } from '../../bootstrap/secret-file.ts';
import { isForbidden, isNotFound } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import { KnownError } from '../../errors/known-error.ts';
import { layout } from '../layout.ts';
import { keysSecret, mayBeElsewhere, type SharedKeys, sharedFiles, unsealKeys } from './shared-keys.ts';

const again = 'On a control plane: fairlead init phase upload-certs, which prints a new key and the command to join with';

export interface TakeOptions {
  /** Who shows the bootstrap token. */
  readonly client: Client;
  readonly certificateKey: string | undefined;
  /** Where the store is, as somebody has said, or an earlier run has written down. */
  readonly chosenStore: string | undefined;
  /** As kubeadm-config has it, which has no words for all of it. */
  readonly knownStore: string | undefined;
  /** The authority that was found to be the cluster's, PEM. */
  readonly caPem: string;
}

/** Files that are there stay. Gives where the store is, and whether anything was written. Throws CHECK_FAILED. */
export async function takeKeys(options: TakeOptions): Promise<{ readonly store: string | undefined; readonly changed: boolean }> {
  const { client, certificateKey, chosenStore, knownStore, caPem } = options;
  const missing = await missingFiles(chosenStore ?? knownStore);
  const isWhole = missing.all.length === 0 && chosenStore !== undefined;
  if (isWhole || certificateKey === undefined) {
    if (missing.needed.length > 0) throw notThere(missing.needed);
    await checkAuthority(caPem);
    return { store: chosenStore ?? knownStore, changed: false };
  }
  const keys = await fetchKeys(client, certificateKey);
  const store = chosenStore ?? keys.store ?? knownStore;
  const changed = await writeKeys(keys, store);
  await checkAuthority(caPem);
  return { store, changed };
}

/** Whether one of them was not there. Throws CHECK_FAILED for one that the Secret has not. */
async function writeKeys({ contents }: SharedKeys, store: string | undefined): Promise<boolean> {
  let changed = false;
  for (const [name, path] of Object.entries(sharedFiles(store))) {
    if ((await readIfThere(path)) !== undefined) continue;
    const text = contents[name];
    if (text) await writeSecret(path, text);
    else if (!mayBeElsewhere(name, (other) => Boolean(contents[other]))) throw notThere([path]);
    changed ||= Boolean(text);
  }
  return changed;
}

interface Missing {
  readonly all: readonly string[];
  /** Without which no control plane can be. */
  readonly needed: readonly string[];
}

async function missingFiles(store: string | undefined): Promise<Missing> {
  const files = Object.entries(sharedFiles(store));
  const there = new Set<string>();
  for (const [name, path] of files) if ((await readIfThere(path)) !== undefined) there.add(name);
  const missing = files.filter(([name]) => !there.has(name));
  const needed = missing.filter(([name]) => !mayBeElsewhere(name, (other) => there.has(other)));
  return { all: missing.map(([, path]) => path), needed: needed.map(([, path]) => path) };
}

function notThere(paths: readonly string[]): KnownError {
  return new KnownError('CHECK_FAILED', `Cannot become a control plane: ${paths.join(', ')} ${paths.length > 1 ? 'are' : 'is'} not there`, {
    hint: `Give --certificate-key KEY, or copy these files from a control plane. ${again}`,
  });
}

async function fetchKeys(client: Client, key: string): Promise<SharedKeys> {
  const { name, namespace } = keysSecret;
  const secret = await client.get<Secret>(secrets, name, { namespace }).catch((err: unknown) => {
    if (isNotFound(err) || isForbidden(err)) return undefined;
    throw err;
  });
  if (!secret)
    throw new KnownError(
      'CHECK_FAILED',
      `Cannot become a control plane: the Secret ${namespace}/${name} is not there: it lives two hours`,
      {
        hint: again,
      },
    );
  const keys = unsealKeys(secret.data ?? {}, key);
  if (keys) return keys;
  throw new KnownError('CHECK_FAILED', `Cannot become a control plane: the Secret ${namespace}/${name} was encrypted with another key`, {
    hint: `Give the --certificate-key that was printed last. ${again}`,
  });
}

/** Files of another cluster, or of a former life of this machine. */
async function checkAuthority(caPem: string): Promise<void> {
  const found = (await readIfThere(layout.caFile)) ?? '';
  if (fingerprint(found) === fingerprint(caPem)) return;
  throw new KnownError('CHECK_FAILED', `Cannot become a control plane: ${layout.caFile} is the authority of another cluster`, {
    hint: 'Take away what is here, then join again: fairlead reset',
  });
}

function fingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}
