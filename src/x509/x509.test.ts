/** Certificates and requests as another program, OpenSSL, reads and makes them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { type Authority, createAuthority, issueCertificate, loadAuthority } from './authority.ts';
import { parseCertificateRequest } from './certificate-request.ts';
import { newRequest } from './new-request.ts';
import { renewCertificate } from './renew.ts';
import { selfSigned } from './self-signed.ts';
import { type SigningTerms, signRequest } from './sign-request.ts';

const now = Date.parse('2026-01-01T00:00:00Z');
const hour = 3_600_000;
const day = 24 * hour;
const terms: SigningTerms = { usages: ['digital signature', 'client auth'], notBefore: now, notAfter: now + 3_600_000 };
const nodeNames = { commonName: 'system:node:n1', organizations: ['system:nodes'] };

describe('x509', () => {
  const dir = mkdtempSync(join(tmpdir(), 'fairlead-x509-'));
  let authority: Authority;
  before(async () => {
    authority = await createAuthority('kubernetes', now);
    writeFileSync(join(dir, 'ca.crt'), authority.certPem);
  });
  after(() => rmSync(dir, { recursive: true }));

  const openssl = (...args: readonly string[]): string => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });
  const read = (file: string): string => readFileSync(join(dir, file), 'utf8');
  /** A request that OpenSSL makes. */
  function requestOf(key: readonly string[], subject: string, ...more: readonly string[]): string {
    openssl('req', '-new', '-nodes', ...key, '-keyout', 'it.key', '-out', 'it.csr', '-subj', subject, ...more);
    return read('it.csr');
  }
  const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const rsaKey = ['-newkey', 'rsa:2048'];
  const edKey = ['-newkey', 'ed25519'];
  /** What OpenSSL says of a certificate. */
  function textOf(certificate: string): string {
    writeFileSync(join(dir, 'it.crt'), certificate);
    return openssl('x509', '-in', 'it.crt', '-noout', '-text', '-nameopt', 'RFC2253');
  }

  test('a new request is one that OpenSSL takes, with its key and every name', () => {
    const long = Array.from({ length: 20 }, (_, i) => `node-${i}.example.internal`);
    const { requestPem, keyPem } = newRequest({ ...nodeNames, dnsNames: long, ips: ['192.0.2.7', '2001:db8::7'] });
    writeFileSync(join(dir, 'new.csr'), requestPem);
    writeFileSync(join(dir, 'new.key'), keyPem);
    const text = openssl('req', '-in', 'new.csr', '-noout', '-verify', '-text', '-nameopt', 'RFC2253');
    assert.match(text, /Subject: CN=system:node:n1,O=system:nodes/);
    assert.match(
      text,
      /DNS:node-0\.example\.internal, .*DNS:node-19\.example\.internal, IP Address:192\.0\.2\.7, IP Address:2001:DB8:0:0:0:0:0:7/,
    );
    assert.equal(openssl('req', '-in', 'new.csr', '-noout', '-pubkey'), openssl('pkey', '-in', 'new.key', '-pubout'));
    assert.match(keyPem, /^-----BEGIN EC PRIVATE KEY-----/);
  });

  test('a new request without other names has no extension', () => {
    const { requestPem } = newRequest(nodeNames);
    assert.deepEqual(parseCertificateRequest(requestPem).names, {
      ...nodeNames,
      dnsNames: [],
      emailAddresses: [],
      ips: [],
      uris: [],
    });
  });

  test('a certificate of its own is one that OpenSSL and TLS take', async () => {
    const at = Date.now();
    const { certPem, keyPem } = selfSigned({ commonName: 'n1', organizations: [], dnsNames: ['n1', 'localhost'], ips: ['127.0.0.1'] }, at);
    const text = textOf(certPem);
    assert.match(text, /DNS:n1, DNS:localhost, IP Address:127\.0\.0\.1/);
    assert.match(text, /TLS Web Server Authentication/);
    assert.equal(new X509Certificate(certPem).validToDate.getTime(), Math.floor((at - 3_600_000 + 365 * 86_400_000) / 1000) * 1000);
    writeFileSync(join(dir, 'self.crt'), certPem);
    assert.match(openssl('verify', '-CAfile', 'self.crt', 'self.crt'), /OK/);
    const server = createServer({ cert: certPem, key: keyPem }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca: certPem });
    await once(socket, 'secureConnect');
    assert.ok(socket.authorized);
    socket.destroy();
    server.close();
  });

  test('a request of others is read with every name that it asks for', () => {
    const alternatives = 'subjectAltName=DNS:a,DNS:b,email:a@example.com,IP:192.0.2.1,IP:2001:db8::1,URI:spiffe://a/b';
    const { names } = parseCertificateRequest(requestOf(ecKey, '/O=one/CN=first/O=two/CN=last', '-addext', alternatives));
    assert.deepEqual(names, {
      commonName: 'last',
      organizations: ['one', 'two'],
      dnsNames: ['a', 'b'],
      emailAddresses: ['a@example.com'],
      ips: ['192.0.2.1', '2001:db8::1'],
      uris: ['spiffe://a/b'],
    });
  });

  for (const [what, text] of [
    ['a certificate', () => authority.certPem],
    ['no PEM', () => 'hello'],
    ['nothing', () => ''],
  ] as const)
    test(`${what} is no request`, () => {
      assert.throws(() => parseCertificateRequest(text()), /PEM block type must be CERTIFICATE REQUEST/);
    });

  for (const [kind, key] of [
    ['ECDSA on P-256', ecKey],
    ['ECDSA on P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['RSA', rsaKey],
    ['Ed25519', edKey],
  ] as const)
    test(`a request with a key of ${kind} is signed: subject, key and names are as they were`, async () => {
      const request = requestOf(key, '/O=system:nodes/CN=system:node:n1', '-addext', 'subjectAltName=DNS:n1,IP:192.0.2.1');
      const certificate = await signRequest(authority, parseCertificateRequest(request), terms);
      const text = textOf(certificate);
      assert.match(text, /Subject: CN=system:node:n1,O=system:nodes/);
      assert.match(text, /Issuer: CN=kubernetes/);
      assert.match(text, /X509v3 Subject Alternative Name: \n\s+DNS:n1, IP Address:192\.0\.2\.1\n/);
      assert.match(text, /X509v3 Key Usage: critical\n\s+Digital Signature\n/);
      assert.match(text, /X509v3 Extended Key Usage: \n\s+TLS Web Client Authentication\n/);
      assert.match(text, /X509v3 Basic Constraints: critical\n\s+CA:FALSE\n/);
      assert.equal(openssl('x509', '-in', 'it.crt', '-noout', '-pubkey'), openssl('pkey', '-in', 'it.key', '-pubout'));
      const { validFromDate, validToDate } = new X509Certificate(certificate);
      assert.deepEqual([validFromDate.getTime(), validToDate.getTime()], [terms.notBefore, terms.notAfter]);
    });

  for (const [kind, key] of [
    ['RSA', rsaKey],
    ['ECDSA on P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['ECDSA on P-521', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521']],
    ['Ed25519', edKey],
  ] as const)
    test(`an authority that others made with ${kind} signs, and OpenSSL finds the way to it`, async () => {
      openssl(
        'req',
        '-x509',
        '-nodes',
        ...key,
        '-keyout',
        'other.key',
        '-out',
        'other.crt',
        '-subj',
        '/CN=other',
        '-days',
        '2',
        '-addext',
        'keyUsage=critical,keyCertSign',
      );
      const other = await loadAuthority({ certPem: read('other.crt'), keyPem: read('other.key') });
      const soon = Date.now() - 60_000;
      const { requestPem } = newRequest(nodeNames);
      const signed = await signRequest(other, parseCertificateRequest(requestPem), {
        ...terms,
        notBefore: soon,
        notAfter: soon + 3_600_000,
      });
      writeFileSync(join(dir, 'signed.crt'), signed);
      assert.match(openssl('verify', '-x509_strict', '-CAfile', 'other.crt', 'signed.crt'), /OK/);
      const issued = await issueCertificate(other, { commonName: 'a', usages: ['client'] }, Date.now());
      writeFileSync(join(dir, 'issued.crt'), issued.certPem);
      assert.match(openssl('verify', '-x509_strict', '-CAfile', 'other.crt', 'issued.crt'), /OK/);
      writeFileSync(join(dir, 'renewed.crt'), (await renewCertificate(other, issued.certPem, Date.now())).certPem);
      // OpenSSL reads the texts of names, Go compares their bytes: the kind of string, too.
      const nameOf = (which: string, file: string): string =>
        openssl('x509', '-noout', `-${which}`, '-nameopt', 'show_type', '-in', file).replace(`${which}=`, '');
      const name = nameOf('subject', 'other.crt');
      assert.match(name, /UTF8STRING:other/);
      for (const file of ['signed.crt', 'issued.crt', 'renewed.crt']) assert.equal(nameOf('issuer', file), name);
    });

  test('a key in its older form is read, too, and one that does not fit is not', async () => {
    openssl('req', '-x509', '-nodes', ...rsaKey, '-keyout', 'old.key', '-out', 'old.crt', '-subj', '/CN=old', '-days', '2');
    openssl('rsa', '-in', 'old.key', '-traditional', '-out', 'pkcs1.key');
    await loadAuthority({ certPem: read('old.crt'), keyPem: read('pkcs1.key') });
    await assert.rejects(loadAuthority({ certPem: authority.certPem, keyPem: read('old.key') }), /the key does not fit the certificate/);
  });

  test('a key that signs no certificates is named', async () => {
    openssl(
      'req',
      '-x509',
      '-nodes',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:secp256k1',
      '-keyout',
      'k1.key',
      '-out',
      'k1.crt',
      '-subj',
      '/CN=k1',
    );
    await assert.rejects(loadAuthority({ certPem: read('k1.crt'), keyPem: read('k1.key') }), /"secp256k1" cannot sign certificates/);
  });

  test('a request that was changed after it was signed gets no certificate', async () => {
    const der = Buffer.from(newRequest(nodeNames).requestPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    der.write('system:node:n2', der.indexOf('system:node:n1'));
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await assert.rejects(signRequest(authority, parseCertificateRequest(forged), terms), /unable to verify certificate request signature/);
  });

  test('what an authority issues can sign nothing itself, lives for a year, and is renewed for as long under the same authority', async () => {
    const { certPem } = await issueCertificate(authority, { commonName: 'a', dnsNames: ['a'], usages: ['server'] }, now);
    const renewed = await renewCertificate(authority, certPem, now + 1_000_000);
    for (const [certificate, begin] of [
      [certPem, now],
      [renewed.certPem, now + 1_000_000],
    ] as const) {
      const text = textOf(certificate);
      assert.match(text, /X509v3 Basic Constraints: critical\n\s+CA:FALSE\n/);
      assert.match(text, /X509v3 Extended Key Usage: \n\s+TLS Web Server Authentication\n/);
      assert.match(text, /DNS:a\n/);
      const { validFromDate, validToDate } = new X509Certificate(certificate);
      assert.deepEqual([validFromDate.getTime(), validToDate.getTime()], [begin - hour, begin + 365 * day]);
      const at = ['-attime', String((begin + hour) / 1000)];
      assert.match(openssl('verify', '-x509_strict', ...at, '-CAfile', 'ca.crt', 'it.crt'), /OK/);
    }
    assert.equal(new X509Certificate(authority.certPem).validToDate.getTime(), now + 3650 * day);
  });

  test('every usage that the API knows is one that OpenSSL knows by the same meaning', async () => {
    const parsed = parseCertificateRequest(newRequest(nodeNames).requestPem);
    const all = ['content commitment', 'data encipherment', 'key agreement', 'cert sign', 'encipher only', 'decipher only'];
    const more = ['any', 'code signing', 'ipsec end system', 'ipsec tunnel', 'ipsec user', 'timestamping', 'ocsp signing'];
    const text = textOf(await signRequest(authority, parsed, { ...terms, usages: [...all, ...more, 'microsoft sgc', 'netscape sgc'] }));
    assert.match(
      text,
      /Key Usage: critical\n\s+Non Repudiation, Data Encipherment, Key Agreement, Certificate Sign, Encipher Only, Decipher Only\n/,
    );
    assert.match(
      text,
      /Any Extended Key Usage, Code Signing, IPSec End System, IPSec Tunnel, IPSec User, Time Stamping, OCSP Signing, Microsoft Server Gated Crypto, Netscape Server Gated Crypto\n/,
    );
  });

  test('usages are written once each, in the order of upstream, and none that nobody asked for', async () => {
    const parsed = parseCertificateRequest(newRequest(nodeNames).requestPem);
    const usages = ['email protection', 's/mime', 'client auth', 'server auth', 'signing', 'key encipherment', 'crl sign'];
    const text = textOf(await signRequest(authority, parsed, { ...terms, usages }));
    assert.match(text, /Extended Key Usage: \n\s+TLS Web Server Authentication, TLS Web Client Authentication, E-mail Protection\n/);
    assert.match(text, /Key Usage: critical\n\s+Digital Signature, Key Encipherment, CRL Sign\n/);
    assert.doesNotMatch(textOf(await signRequest(authority, parsed, { ...terms, usages: ['client auth'] })), /X509v3 Key Usage/);
    assert.doesNotMatch(textOf(await signRequest(authority, parsed, { ...terms, usages: ['signing'] })), /Extended Key Usage/);
    await assert.rejects(signRequest(authority, parsed, { ...terms, usages: ['signing', 'to fly', 'to sing'] }), {
      message: 'unrecognized usage values: ["to fly" "to sing"]',
    });
  });

  test('names are critical when there is no subject', async () => {
    const request = requestOf(ecKey, '/', '-addext', 'subjectAltName=DNS:a');
    const text = textOf(await signRequest(authority, parseCertificateRequest(request), terms));
    assert.match(text, /X509v3 Subject Alternative Name: critical\n/);
  });
});
