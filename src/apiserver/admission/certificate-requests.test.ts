import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import type { Agent } from 'node:https';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import * as x509 from '@peculiar/x509';
import { TestServer } from '../testing/test-server.ts';

const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const signer = 'kubernetes.io/kube-apiserver-client';

async function requestFor(name: string): Promise<string> {
  const signingAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm });
  return Buffer.from(csr.toString('pem')).toString('base64');
}

describe('certificate requests', () => {
  let s: TestServer;
  let jane: Agent;
  before(async () => {
    s = await TestServer.start();
    jane = s.agent(await s.pki.client('jane', 'staff'));
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const rules = [
      {
        apiGroups: ['certificates.k8s.io'],
        resources: ['certificatesigningrequests', 'certificatesigningrequests/approval', 'certificatesigningrequests/status'],
        verbs: ['*'],
      },
    ];
    await s.call('POST', `${rbac}/clusterroles`, { metadata: { name: 'csr' }, rules });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'csr' };
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }];
    await s.call('POST', `${rbac}/clusterrolebindings`, { metadata: { name: 'csr' }, roleRef, subjects });
  });
  after(() => s.stop());

  async function ask(name: string, subject: string): ReturnType<TestServer['call']> {
    const forged = { username: 'system:node:n1', groups: ['system:nodes', 'system:masters'], uid: 'x', extra: { a: ['b'] } };
    const spec = { request: await requestFor(subject), signerName: signer, usages: ['client auth'], ...forged };
    return s.call('POST', path, { metadata: { name }, spec }, { agent: jane });
  }

  test('name who made them, whatever they say', async () => {
    const { status, body } = await ask('mine', 'CN=jane');
    assert.equal(status, 201);
    assert.equal(body.spec.username, 'jane');
    assert.deepEqual(body.spec.groups, ['staff', 'system:authenticated']);
    assert.equal(body.spec.uid, undefined);
    assert.deepEqual(Object.keys(body.spec.extra), ['authentication.kubernetes.io/credential-id']);
  });

  test('ask for no administrator', async () => {
    const { status, body } = await ask('masters', 'CN=jane, O=system:masters');
    assert.equal(status, 403);
    assert.match(body.message, /with system:masters group is not allowed/);
  });

  test('are read by a server in whose process nobody else reads certificates', async () => {
    const script = `import { certificateRequests } from '${new URL('certificate-requests.ts', import.meta.url)}';
      const [object, type] = [{ spec: { signerName: '${signer}', request: process.argv[1] } }, { group: 'certificates.k8s.io', resource: 'certificatesigningrequests' }];
      await certificateRequests().validate({ operation: 'CREATE', object, row: { type } });`;
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, await requestFor('CN=jane')]);
  });

  test('are approved and signed by those who may for that signer', async () => {
    const approve = { status: { conditions: [{ type: 'Approved', status: 'True', reason: 'x' }] } };
    const sign = { status: { certificate: Buffer.from(s.pki.ca).toString('base64') } };
    const options = { type: 'application/merge-patch+json' };
    const approved = await s.call('PATCH', `${path}/mine/approval`, approve, { ...options, agent: jane });
    assert.equal(approved.status, 403);
    assert.match(approved.body.message, /user not permitted to approve requests with signerName "kubernetes.io\/kube-apiserver-client"/);
    assert.equal((await s.call('PATCH', `${path}/mine/status`, sign, { ...options, agent: jane })).status, 403);
    assert.equal((await s.call('PATCH', `${path}/mine/approval`, approve, options)).status, 200);
    const nonsense = await s.call(
      'PATCH',
      `${path}/mine/status`,
      { status: { certificate: Buffer.from('x').toString('base64') } },
      options,
    );
    assert.match(
      nonsense.body.message,
      /status.certificate: Invalid value: "<certificate data>": must contain at least one CERTIFICATE PEM block/,
    );
    assert.equal((await s.call('PATCH', `${path}/mine/status`, sign, options)).status, 200);
  });
});
