import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeAddress } from '../../api/schema/types.ts';
import { clientCertificate, servingCertificate } from './wanted-certificates.ts';

const names = { commonName: 'system:node:n1', organizations: ['system:nodes'] };

test('a kubelet asks for its client certificate under its name alone', () => {
  assert.deepEqual(clientCertificate('n1'), {
    names,
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
  });
});

describe('the certificate that a kubelet serves with', () => {
  const namesFor = (...addresses: readonly (readonly [string, string])[]): unknown =>
    servingCertificate(
      'n1',
      addresses.map(([type, address]): NodeAddress => ({ type, address })),
    )?.names;

  test('has every address of the Node once, in an order that stays', () => {
    assert.deepEqual(
      namesFor(
        ['InternalIP', '192.0.2.9'],
        ['Hostname', 'n1'],
        ['InternalDNS', 'n1.internal'],
        ['ExternalDNS', 'a.example'],
        ['ExternalIP', '192.0.2.10'],
        ['InternalIP', '192.0.2.9'],
        ['InternalDNS', 'n1'],
      ),
      { ...names, dnsNames: ['a.example', 'n1', 'n1.internal'], ips: ['192.0.2.10', '192.0.2.9'] },
    );
  });

  test('takes a host name that is an address for one, and leaves out what is none', () => {
    assert.deepEqual(namesFor(['Hostname', '192.0.2.9'], ['ExternalIP', 'nonsense'], ['InternalDNS', '']), {
      ...names,
      dnsNames: [],
      ips: ['192.0.2.9'],
    });
  });

  test('is not asked for before the Node has addresses', () => {
    assert.equal(servingCertificate('n1', []), undefined);
    assert.equal(servingCertificate('n1', [{ type: 'Hostname', address: '' }]), undefined);
  });

  test('is for its signer', () => {
    const { signerName, usages } = servingCertificate('n1', [{ type: 'Hostname', address: 'n1' }]) ?? {};
    assert.deepEqual([signerName, usages], ['kubernetes.io/kubelet-serving', ['digital signature', 'server auth']]);
  });
});
