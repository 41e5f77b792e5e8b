/** How a node gets its certificates, and how whoever joins knows the cluster: requests, bootstrap tokens, cluster-info. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type BootstrapToken, bootstrapTokenSecret } from '../../src/api/bootstrap-token.ts';
import { certificateSigningRequests, configMaps, nodes, roleBindings, roles, secrets } from '../../src/api/resource-types.ts';
import type { CertificateSigningRequest } from '../../src/api/schema/types.ts';
import { ApiError, isForbidden, isNotFound } from '../../src/client/api-error.ts';
import type { Client } from '../../src/client/client.ts';
import { eventually } from '../../src/clock/testing/eventually.ts';
import { detachedSignature } from '../../src/controllers/bootstrapsigner/desired.ts';
import { newRequest, type OwnNames } from '../../src/x509/new-request.ts';
import { ControlPlane } from './testing/control-plane.ts';

const token: BootstrapToken = {
  id: 'abcdef',
  secret: '0123456789abcdef',
  usages: ['signing', 'authentication'],
  groups: ['system:bootstrappers:kubeadm:default-node-token'],
};
const nodeNames: OwnNames = { commonName: 'system:node:n1', organizations: ['system:nodes'] };
const clientUsages = ['digital signature', 'client auth'];
const servingUsages = ['digital signature', 'server auth'];

describe('certificates', () => {
  let cp: ControlPlane;
  const clients: Client[] = [];

  before(async () => {
    const controllers = [
      'certificatesigningrequest-signing-controller',
      'certificatesigningrequest-approving-controller',
      'certificatesigningrequest-cleaner-controller',
      'bootstrap-signer-controller',
      'token-cleaner-controller',
    ];
    cp = await ControlPlane.start({ controllers, nodes: 0, scheduler: false, kubelet: false });
    await cp.client.create(secrets, bootstrapTokenSecret(token));
  });
  after(async () => {
    for (const client of clients) client.close();
    await cp.stop();
  });

  function as(user: Parameters<ControlPlane['clientOf']>[0]): Client {
    const client = cp.clientOf(user);
    clients.push(client);
    return client;
  }
  const newcomer = (): Client => as({ token: `${token.id}.${token.secret}` });

  /** Makes a request; gives its name and the key. */
  async function ask(
    client: Client,
    signer: string,
    usages: readonly string[],
    names: OwnNames = nodeNames,
    more: Partial<CertificateSigningRequest['spec']> = {},
  ): Promise<{ readonly name: string; readonly key: string }> {
    const { requestPem, keyPem } = newRequest(names);
    const spec = {
      request: Buffer.from(requestPem).toString('base64'),
      signerName: `kubernetes.io/${signer}`,
      usages: [...usages],
      ...more,
    };
    const { metadata } = await client.create(certificateSigningRequests, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: '', generateName: 'csr-' },
      spec,
    });
    return { name: metadata.name, key: keyPem };
  }

  /** The certificate, once it is there. */
  async function issued(name: string): Promise<string> {
    return await eventually(`the certificate of ${name}`, async () => {
      const { status } = await cp.client.get(certificateSigningRequests, name);
      assert.ok(status?.certificate, JSON.stringify(status));
      return Buffer.from(status.certificate, 'base64').toString();
    });
  }

  const conditionsOf = async (name: string): Promise<unknown[]> =>
    (await cp.client.get(certificateSigningRequests, name)).status?.conditions?.map((c) => [c.type, c.reason, c.message]) ?? [];

  async function approve(name: string): Promise<void> {
    const request = await cp.client.get(certificateSigningRequests, name);
    const conditions = [{ type: 'Approved', status: 'True', reason: 'ByHand', message: 'I know them' }];
    await cp.client.update(certificateSigningRequests, { ...request, status: { conditions } }, { subresource: 'approval' });
  }

  test('a new node gets its client certificate by a bootstrap token, and its next one by itself', async () => {
    const first = await ask(newcomer(), 'kube-apiserver-client-kubelet', clientUsages);
    const cert = await issued(first.name);
    assert.deepEqual(await conditionsOf(first.name), [
      ['Approved', 'AutoApproved', 'Auto approving kubelet client certificate after SubjectAccessReview.'],
    ]);
    const node = as({ cert, key: first.key });
    await node.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
    await assert.rejects(node.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2' } }), isForbidden);

    const next = await ask(node, 'kube-apiserver-client-kubelet', clientUsages);
    const renewed = as({ cert: await issued(next.name), key: next.key });
    assert.deepEqual(await conditionsOf(next.name), [
      ['Approved', 'AutoApproved', 'Auto approving self kubelet client certificate after SubjectAccessReview.'],
    ]);
    assert.equal((await renewed.get(nodes, 'n1')).metadata.name, 'n1');

    await assert.rejects(
      ask(node, 'kube-apiserver-client-kubelet', clientUsages, { ...nodeNames, commonName: 'system:node:n2' }),
      (err) => {
        assert.ok(isForbidden(err));
        assert.match((err as Error).message, /can only create a node CSR with CN=system:node:n1/);
        return true;
      },
    );
  });

  test('the certificate that a kubelet serves with waits for a person', async () => {
    const names = { ...nodeNames, dnsNames: ['n1'], ips: ['192.0.2.1'] };
    const { name } = await ask(cp.client, 'kubelet-serving', servingUsages, names);
    // What is asked for after it is approved first.
    await issued((await ask(newcomer(), 'kube-apiserver-client-kubelet', clientUsages)).name);
    assert.deepEqual(await conditionsOf(name), []);
    await approve(name);
    const certificate = new X509Certificate(await issued(name));
    assert.equal(certificate.subjectAltName, 'DNS:n1, IP Address:192.0.2.1');
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.ok(Math.abs(certificate.validToDate.getTime() - certificate.validFromDate.getTime() - 365 * 86_400_000) < 2_000);
  });

  test('a certificate lives as long as was asked for', async () => {
    const jane = { commonName: 'jane', organizations: ['staff'] };
    const { name, key } = await ask(cp.client, 'kube-apiserver-client', ['client auth'], jane, { expirationSeconds: 3600 });
    await approve(name);
    const cert = await issued(name);
    const { validFromDate, validToDate } = new X509Certificate(cert);
    assert.equal(validToDate.getTime() - validFromDate.getTime(), 3_600_000 + 300_000);
    await assert.rejects(as({ cert, key }).list(nodes), (err) => isForbidden(err) && /User "jane"/.test((err as Error).message));
  });

  test('what no signer signs has failed, with the reason', async () => {
    const { name } = await ask(cp.client, 'kubelet-serving', servingUsages, nodeNames);
    await approve(name);
    const wanted = [
      ['Approved', 'ByHand', 'I know them'],
      ['Failed', 'SignerValidationFailure', 'DNS or IP subjectAltName is required'],
    ];
    await eventually('the failure', async () => assert.deepEqual(await conditionsOf(name), wanted));
  });

  test('cluster-info is signed with each token while it lives, and anybody may read it who could not read anything else', async () => {
    const metadata = { name: 'cluster-info', namespace: 'kube-public' };
    const anybody = as({});
    const read = (): Promise<Record<string, string> | undefined> =>
      anybody.get(configMaps, 'cluster-info', { namespace: 'kube-public' }).then(({ data }) => data);
    await assert.rejects(read(), isForbidden);

    // As kubeadm writes them.
    const name = 'kubeadm:bootstrap-signer-clusterinfo';
    const group = 'rbac.authorization.k8s.io';
    await cp.client.create(roles, {
      apiVersion: `${group}/v1`,
      kind: 'Role',
      metadata: { name, namespace: 'kube-public' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: ['cluster-info'], verbs: ['get'] }],
    });
    await cp.client.create(roleBindings, {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: { name, namespace: 'kube-public' },
      roleRef: { apiGroup: group, kind: 'Role', name },
      subjects: [{ kind: 'User', name: 'system:anonymous', apiGroup: group }],
    });
    const kubeconfig = 'apiVersion: v1\n';
    await cp.client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { kubeconfig } });
    const signed = { kubeconfig, 'jws-kubeconfig-abcdef': detachedSignature(kubeconfig, token.id, token.secret) };
    await eventually('the signature', async () => assert.deepEqual(await read(), signed));
    await assert.rejects(anybody.list(configMaps, { namespace: 'kube-public' }), (err) => err instanceof ApiError && err.code === 401);

    const other = { ...token, id: 'zzzzzz', usages: ['signing'] };
    const alsoSigned = { ...signed, 'jws-kubeconfig-zzzzzz': detachedSignature(kubeconfig, other.id, other.secret) };
    await cp.client.create(secrets, bootstrapTokenSecret(other));
    await eventually('the second signature', async () => assert.deepEqual(await read(), alsoSigned));
    await cp.client.delete(secrets, 'bootstrap-token-zzzzzz', { namespace: 'kube-system' });
    await eventually('its end', async () => assert.deepEqual(await read(), signed));
  });

  test('a token that has ended opens nothing, and goes', async () => {
    const old = { ...token, id: 'oldold', expiration: '2026-01-01T00:00:00Z' };
    await cp.client.create(secrets, bootstrapTokenSecret(old));
    await assert.rejects(
      as({ token: `${old.id}.${old.secret}` }).list(certificateSigningRequests),
      (err) => err instanceof ApiError && err.code === 401,
    );
    await eventually('it to be gone', () =>
      assert.rejects(cp.client.get(secrets, 'bootstrap-token-oldold', { namespace: 'kube-system' }), isNotFound),
    );
  });

  test('a token that is not for authentication opens nothing', async () => {
    const signing = { ...token, id: 'signer', usages: ['signing'] };
    await cp.client.create(secrets, bootstrapTokenSecret(signing));
    await assert.rejects(
      as({ token: `${signing.id}.${signing.secret}` }).list(certificateSigningRequests),
      (err) => err instanceof ApiError && err.code === 401,
    );
  });

  test('none of the controllers has anything to complain about', () => assert.deepEqual(cp.complaints, []));
});
