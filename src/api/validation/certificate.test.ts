import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import type { CertificateSigningRequest } from '../schema/types.ts';
import { certificateStatusErrors } from './certificate.ts';
import { textOf } from './field-error.ts';

describe('the certificate in the status of a request', () => {
  const certificate = `${rootCertificates[0]}\n`;

  function withCertificate(text: string): CertificateSigningRequest {
    const status = text === '' ? {} : { certificate: Buffer.from(text).toString('base64') };
    return { apiVersion: '', kind: '', metadata: { name: 'a' }, spec: { request: '', signerName: '' }, status };
  }
  const errors = (next: string, old = ''): string[] => certificateStatusErrors(withCertificate(next), withCertificate(old)).map(textOf);
  const wrong = (why: string): string[] => [`status.certificate: Invalid value: "<certificate data>": ${why}`];

  test('may be one or several, with words around them', () => {
    assert.deepEqual([errors(certificate), errors(`hello\n${certificate}and\n${certificate}`)], [[], []]);
  });

  test('may be left out', () => assert.deepEqual(errors(''), []));

  test('must be there if anything is', () => assert.deepEqual(errors('hello'), wrong('must contain at least one CERTIFICATE PEM block')));

  test('must be nothing else', () => {
    const key = certificate.replaceAll('CERTIFICATE', 'PRIVATE KEY');
    assert.deepEqual(errors(certificate + key), wrong('only CERTIFICATE PEM blocks are allowed, found "PRIVATE KEY"'));
  });

  test('must have no headers', () => {
    const headed = certificate.replace('CERTIFICATE-----\n', 'CERTIFICATE-----\nA: b\n\n');
    assert.deepEqual(errors(headed), wrong('no PEM block headers are permitted'));
  });

  test('must be one', () => {
    const text = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    assert.deepEqual(errors(certificate + text), wrong('x509: malformed certificate'));
  });

  test('stays as it is, whatever it is', () => {
    assert.deepEqual(errors('hello', 'hello'), []);
    assert.deepEqual(errors(certificate, 'hello'), ['status.certificate: Forbidden: updates may not modify existing certificate content']);
  });
});
