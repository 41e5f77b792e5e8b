import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { userOfCertificate } from './client-certificate.ts';
import type { UserInfo } from './user-info.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 86_400_000;

interface Pair {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function authority(): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const extensions = [new x509.BasicConstraintsExtension(true, undefined, true)];
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=ca',
    keys,
    signingAlgorithm: algorithm,
    extensions,
  });
  return { certificate, keys };
}

async function leaf(ca: Pair, subject: string, usage: string, from = Date.now() - day): Promise<{ cert: string; key: string }> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: ca.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: ca.keys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(from),
    notAfter: new Date(from + 2 * day),
    extensions: [new x509.ExtendedKeyUsageExtension([usage])],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}

/** The user that a server sees over a real connection, perhaps at another time than that of the handshake. */
async function seen(ca: Pair, client: { cert: string; key: string } | undefined, now?: number): Promise<UserInfo | undefined> {
  const server = createServer({
    ...(await leaf(ca, 'CN=server', x509.ExtendedKeyUsage.serverAuth)),
    ca: ca.certificate.toString('pem'),
    requestCert: true,
    rejectUnauthorized: false,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', rejectUnauthorized: false, ...client });
  try {
    const [peer] = (await once(server, 'secureConnection')) as [TLSSocket];
    const user = userOfCertificate(peer, now);
    assert.equal(userOfCertificate(peer, now), user, 'read once');
    return user;
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('userOfCertificate()', () => {
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;

  test('takes the name from CN and a group from each O', async () => {
    const ca = await authority();
    const user = await seen(ca, await leaf(ca, 'CN=jane, O=dev, O=ops', clientAuth));
    assert.equal(user?.name, 'jane');
    assert.deepEqual([...user.groups].sort(), ['dev', 'ops', 'system:authenticated']);
    assert.match(user.extra!['authentication.kubernetes.io/credential-id']![0]!, /^X509SHA256=[0-9a-f]{64}$/);
    const one = await seen(ca, await leaf(ca, 'CN=system:node:n1, O=system:nodes', clientAuth));
    assert.deepEqual(one?.groups, ['system:nodes', 'system:authenticated']);
  });

  test('takes nobody from a certificate that has expired since the connection was made', async () => {
    const ca = await authority();
    // Certificates count whole seconds.
    const from = Math.floor(Date.now() / 1000) * 1000 - day;
    const client = await leaf(ca, 'CN=jane', clientAuth, from);
    const end = from + 2 * day;
    assert.equal((await seen(ca, client, end))?.name, 'jane');
    assert.equal(await seen(ca, client, end + 1), undefined);
  });

  test('takes nobody from no certificate, a stranger’s, one for servers, an expired one, one without a name', async () => {
    const ca = await authority();
    assert.equal(await seen(ca, undefined), undefined);
    assert.equal(await seen(ca, await leaf(await authority(), 'CN=jane, O=system:masters', clientAuth)), undefined);
    assert.equal(await seen(ca, await leaf(ca, 'CN=jane', serverAuth)), undefined);
    assert.equal(await seen(ca, await leaf(ca, 'CN=jane', clientAuth, Date.now() - 3 * day)), undefined);
    assert.equal(await seen(ca, await leaf(ca, 'O=system:masters', clientAuth)), undefined);
  });
});
