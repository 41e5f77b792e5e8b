/** A CA and certificates for tests, in memory. */
import { type Authority, createAuthority, issueCertificate, type KeyPair } from '../../x509/authority.ts';

export interface Pem {
  readonly cert: string;
  readonly key: string;
}

export class TestPki {
  readonly authority: Authority;

  private constructor(authority: Authority) {
    this.authority = authority;
  }

  static async create(): Promise<TestPki> {
    return new TestPki(await createAuthority('ca', Date.now()));
  }

  get ca(): string {
    return this.authority.certPem;
  }

  async server(address = '127.0.0.1'): Promise<Pem> {
    return pemOf(await issueCertificate(this.authority, { commonName: 'server', ips: [address], usages: ['server'] }, Date.now()));
  }

  async client(name: string, ...groups: readonly string[]): Promise<Pem> {
    const request = { commonName: name, organizations: groups, usages: ['client'] as const };
    return pemOf(await issueCertificate(this.authority, request, Date.now()));
  }
}

function pemOf({ certPem, keyPem }: KeyPair): Pem {
  return { cert: certPem, key: keyPem };
}
