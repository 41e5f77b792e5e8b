import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enumsOf, fieldTypes } from './go-fields.ts';

const core = `package v1

// Protocol is what a port speaks.
// +enum
type Protocol string

const (
	// TCP is the usual one.
	ProtocolTCP Protocol = "TCP"
	ProtocolUDP Protocol = "UDP"
	// the same again
	DefaultProtocol Protocol = "TCP"
	Unrelated = "x"
	IPv6 Family = "IPv6"
)

// Family is no enum.
type Family string
`;

const discovery = `package v1

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +enum
// +k8s:enum
type AddressType string

const (
	AddressTypeIPv6 = AddressType(v1.IPv6)
	AddressTypeFQDN = AddressType("FQDN")
)

type Slice struct {
	metav1.ObjectMeta \`json:"metadata,omitempty"\`
	AddressType AddressType \`json:"addressType"\`
	Protocol *v1.Protocol \`json:"protocol,omitempty"\`
	All []AddressType \`json:"all,omitempty"\`
	By map[v1.Protocol]AddressType \`json:"by,omitempty"\`
	Named map[string]AddressType \`json:"named,omitempty"\`
	When *metav1.Time \`json:"when,omitempty"\`
}
`;

test('the values of an enum are those of its constants, however they are written', () => {
  assert.deepEqual(
    [
      ...enumsOf(
        new Map([
          ['core.v1', [core]],
          ['discovery.v1', [discovery]],
        ]),
      ),
    ],
    [
      ['core.v1.Protocol', ['TCP', 'UDP']],
      ['discovery.v1.AddressType', ['FQDN', 'IPv6']],
    ],
  );
});

test('the type of a field is that of its entries, in the package that the source means', () => {
  assert.deepEqual(Object.fromEntries(fieldTypes(discovery)), {
    'Slice.addressType': 'AddressType',
    'Slice.protocol': 'core.v1.Protocol',
    'Slice.all': 'AddressType',
    'Slice.by': '',
    'Slice.named': 'AddressType',
    'Slice.when': 'meta.v1.Time',
  });
});
