/** networking.k8s.io/v1 and discovery.k8s.io/v1. */
import {
  endpointSliceColumns,
  ingressClassColumns,
  ingressColumns,
  ipAddressColumns,
  networkPolicyColumns,
  serviceCidrColumns,
} from '../../columns/network-columns.ts';
import { defaultEndpointSlice, defaultIngressClass, defaultNetworkPolicy } from '../../defaults/core.ts';
import { endpointSlices, ingressClasses, ingresses, ipAddresses, networkPolicies, serviceCidrs } from '../../resource-types.ts';
import { endpointSliceErrors } from '../../validation/endpoints.ts';
import {
  ingressClassErrors,
  ingressErrors,
  ipAddressErrors,
  nameIsIp,
  networkPolicyErrors,
  serviceCidrErrors,
  serviceCidrUpdateErrors,
} from '../../validation/networking.ts';
import { immutable } from '../../validation/object-meta.ts';
import { endpointSliceWarnings, ingressWarnings } from '../../warnings/other.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

export const networkingRows: readonly ResourceRow[] = [
  defineRow({
    type: endpointSlices,
    columns: endpointSliceColumns,
    applyDefaults: defaultEndpointSlice,
    // A field of v1beta1; upstream removes it from new slices of v1.
    prepareCreate: ({ endpoints }) => {
      for (const endpoint of endpoints ?? []) delete endpoint.deprecatedTopology;
    },
    warnings: endpointSliceWarnings,
    validate: endpointSliceErrors,
    immutable: ['addressType'],
    // Labels say what a slice is for, and whose it is.
    generationOf: ({ metadata: { labels }, endpoints, ports, addressType }) => ({ labels, endpoints, ports, addressType }),
  }),
  defineRow({
    type: ingressClasses,
    singular: 'ingressclass',
    columns: ingressClassColumns,
    applyDefaults: defaultIngressClass,
    validate: ingressClassErrors,
    immutable: ['spec.controller'],
    generationOf: ({ spec }) => spec,
  }),
  defineRow({
    type: ingresses,
    shortNames: ['ing'],
    hasStatus: true,
    initialStatus: { loadBalancer: {} },
    columns: ingressColumns,
    warnings: ingressWarnings,
    validate: ingressErrors,
  }),
  defineRow({
    type: ipAddresses,
    shortNames: ['ip'],
    columns: ipAddressColumns,
    validateName: nameIsIp,
    validate: ipAddressErrors,
    validateUpdate: (next, old) => immutable(next.spec?.parentRef, old.spec?.parentRef, 'spec.parentRef'),
  }),
  defineRow({
    type: networkPolicies,
    shortNames: ['netpol'],
    columns: networkPolicyColumns,
    applyDefaults: defaultNetworkPolicy,
    validate: networkPolicyErrors,
    generationOf: ({ spec }) => spec,
  }),
  defineRow({
    type: serviceCidrs,
    statusKeepsLabels: true,
    hasStatus: true,
    generationOf: undefined,
    columns: serviceCidrColumns,
    validate: serviceCidrErrors,
    validateUpdate: serviceCidrUpdateErrors,
  }),
];
