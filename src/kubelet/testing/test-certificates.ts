/** A CA, a serving certificate and a client certificate for tests, by openssl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

export interface TestCertificates {
  readonly ca: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
}

export function makeCertificates(): TestCertificates {
  const dir = mkdtempSync(`${tmpdir()}/fl-pki-`);
  try {
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test-ca');
    writeFileSync(`${dir}/ext`, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    for (const [name, subject] of [
      ['server', '/O=system:nodes/CN=system:node:n1'],
      ['client', '/O=system:masters/CN=admin'],
    ] as const) {
      openssl('req', '-new', ...key.slice(0, 5), '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
      const signing = '-CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile ext'.split(' ');
      openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.crt`);
    }
    const read = (file: string): string => readFileSync(`${dir}/${file}`, 'utf8');
    return {
      ca: read('ca.crt'),
      server: { cert: read('server.crt'), key: read('server.key') },
      client: { cert: read('client.crt'), key: read('client.key') },
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
