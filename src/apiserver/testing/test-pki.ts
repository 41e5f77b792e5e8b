/** A CA and certificates for tests, in memory. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 86_400_000;

export interface Pem {
  readonly cert: string;
  readonly key: string;
}

export class TestPki {
  readonly ca: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: webcrypto.CryptoKeyPair;

  private constructor(certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.ca = certificate.toString('pem');
  }

  static async create(): Promise<TestPki> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const extensions = [new x509.BasicConstraintsExtension(true, undefined, true)];
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=ca',
      keys,
      signingAlgorithm: algorithm,
      extensions,
    });
    return new TestPki(certificate, keys);
  }

  server(address = '127.0.0.1'): Promise<Pem> {
    const names = new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: address }]);
    return this.#issue('CN=server', [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]), names]);
  }

  client(name: string, ...groups: readonly string[]): Promise<Pem> {
    const subject = [`CN=${name}`, ...groups.map((g) => `O=${g}`)].join(', ');
    return this.#issue(subject, [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]);
  }

  async #issue(subject: string, extensions: x509.Extension[]): Promise<Pem> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - day),
      notAfter: new Date(Date.now() + day),
      extensions,
    });
    return { cert: certificate.toString('pem'), key: await privatePem(keys.privateKey) };
  }
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
