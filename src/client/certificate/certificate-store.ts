/**
 * Certificates with their keys in a directory, as upstream's kubelet keeps them: each pair is a file with its time in the name, and a link says which
 * is current (client-go's util/certificate.FileStore).
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KnownError, messageOf, systemCode } from '../../errors/known-error.ts';
import type { IssuedCertificate } from './request-certificate.ts';

/** A pair that is there. */
export interface StoredCertificate {
  /** Certificates, the leaf first, and the key. */
  readonly pem: string;
  readonly leaf: X509Certificate;
}

export class CertificateStore {
  /** The link: what a kubeconfig names. */
  readonly currentPath: string;
  readonly #dir: string;
  readonly #prefix: string;

  /** `prefix`: `kubelet-client`, `kubelet-server`. */
  constructor(dir: string, prefix: string) {
    this.#dir = dir;
    this.#prefix = prefix;
    this.currentPath = this.#path('current');
  }

  /** Undefined when there is none. Throws BAD_CONFIG for a file that holds no pair. */
  async current(): Promise<StoredCertificate | undefined> {
    const pem = await readFile(this.currentPath, 'utf8').catch((err: unknown) => {
      if (systemCode(err) === 'ENOENT') return undefined;
      throw err;
    });
    return pem === undefined ? undefined : read(this.currentPath, pem);
  }

  /** Keeps a new pair (0600), and makes it the current one in one step once it is on the disk. `now` is milliseconds since the epoch. */
  async update({ certPem, keyPem }: IssuedCertificate, now: number): Promise<StoredCertificate> {
    const path = this.#path(new Date(now).toISOString().slice(0, 19).replaceAll(/[T:]/g, '-'));
    const pem = `${certPem.trimEnd()}\n${keyPem.trimEnd()}\n`;
    const stored = read(path, pem);
    const first = await mkdir(this.#dir, { recursive: true, mode: 0o755 });
    for (let made = this.#dir; first !== undefined && made.length >= first.length; made = dirname(made)) syncFolder(dirname(made));
    await using file = await open(path, 'w', 0o600);
    await file.writeFile(pem);
    await file.sync();
    const next = this.#path('updated');
    await rm(next, { force: true });
    await symlink(path, next);
    await rename(next, this.currentPath);
    // Names are on the disk once their folder is.
    syncFolder(this.#dir);
    return stored;
  }

  #path(what: string): string {
    return join(this.#dir, `${this.#prefix}-${what}.pem`);
  }
}

/** As `linux/put-file.ts`, which this folder does not use: some file systems have no such thing (fsync(2)). */
function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r');
  try {
    fsyncSync(folder);
  } catch (err) {
    if (systemCode(err) !== 'EINVAL') throw err;
  } finally {
    closeSync(folder);
  }
}

function read(path: string, pem: string): StoredCertificate {
  try {
    const leaf = new X509Certificate(pem);
    if (!leaf.checkPrivateKey(createPrivateKey(pem))) throw new Error('the key does not fit the certificate');
    return { pem, leaf };
  } catch (err) {
    throw new KnownError('BAD_CONFIG', `Cannot use "${path}": ${messageOf(err)}`, {
      hint: 'It must hold a certificate and its key in PEM; without the file another one is asked for',
      cause: err,
    });
  }
}
