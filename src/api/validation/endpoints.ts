/** Endpoints and EndpointSlices. */
import type { DiscoveryV1EndpointPort, Endpoint, EndpointSlice, Endpoints } from '../schema/types.ts';
import {
  atMost,
  duplicate,
  eachOf,
  emptyOrWellFormed,
  type FieldError,
  invalid,
  invalids,
  oneOf,
  optionalWellFormed,
  repeats,
  required,
} from './field-error.ts';
import { ipErrors, portProtocols, reachableIpErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isPort, isQualifiedName } from './names.ts';
import { labelErrors } from './object-meta.ts';

export function endpointsErrors({ subsets }: Endpoints): FieldError[] {
  return eachOf(subsets, 'subsets', ({ addresses, notReadyAddresses, ports = [] }, at) => {
    const errors: FieldError[] = [];
    if (!addresses?.length && !notReadyAddresses?.length) errors.push(required(at, 'must specify `addresses` or `notReadyAddresses`'));
    for (const [key, list] of Object.entries({ addresses, notReadyAddresses })) {
      errors.push(
        ...eachOf(list, `${at}.${key}`, ({ ip, hostname, nodeName }, address) => [
          ...reachableIpErrors(ip, `${address}.ip`),
          ...emptyOrWellFormed(hostname, `${address}.hostname`, isDns1123Label),
          ...optionalWellFormed(nodeName, `${address}.nodeName`, isDns1123Subdomain),
        ]),
      );
    }
    return [
      ...errors,
      ...eachOf(ports, `${at}.ports`, ({ name, port, protocol, appProtocol }, portAt) => [
        ...(name ? invalids(`${portAt}.name`, name, isDns1123Label(name)) : ports.length > 1 ? [required(`${portAt}.name`)] : []),
        ...invalids(`${portAt}.port`, port ?? 0, isPort(port)),
        ...oneOf(protocol, `${portAt}.protocol`, portProtocols),
        ...optionalWellFormed(appProtocol, `${portAt}.appProtocol`, isQualifiedName),
      ]),
    ];
  });
}

const maxSliceEndpoints = 1000;
const maxSliceAddresses = 100;
const maxSlicePorts = 20_000;
const maxTopologyLabels = 16;
const maxHints = 8;

export function endpointSliceErrors({ addressType, endpoints = [], ports = [] }: EndpointSlice): FieldError[] {
  return [
    ...oneOf(addressType, 'addressType', ['FQDN', 'IPv4', 'IPv6']),
    ...(ports.length > maxSlicePorts ? atMost(ports, 'ports', maxSlicePorts) : slicePortErrors(ports)),
    ...(endpoints.length > maxSliceEndpoints
      ? atMost(endpoints, 'endpoints', maxSliceEndpoints)
      : eachOf(endpoints, 'endpoints', (one, at) => endpointErrors(one, at, addressType))),
  ];
}

function endpointErrors(endpoint: Endpoint, path: string, addressType: string): FieldError[] {
  const { addresses = [], hostname, nodeName, deprecatedTopology: topology, hints } = endpoint;
  const labels = Object.keys(topology ?? {});
  return [
    ...(addresses.length === 0 ? [required(`${path}.addresses`, 'must contain at least 1 address')] : []),
    ...atMost(addresses, `${path}.addresses`, maxSliceAddresses),
    ...eachOf(addresses, `${path}.addresses`, (address, at) => sliceAddressErrors(address, at, addressType)),
    ...optionalWellFormed(nodeName, `${path}.nodeName`, isDns1123Subdomain),
    ...atMost(labels, `${path}.deprecatedTopology`, maxTopologyLabels),
    ...labelErrors(topology, `${path}.deprecatedTopology`),
    ...optionalWellFormed(hostname, `${path}.hostname`, isDns1123Label),
    ...hintErrors(hints?.forZones, `${path}.hints.forZones`, isLabelValue),
    ...hintErrors(hints?.forNodes, `${path}.hints.forNodes`, isDns1123Subdomain),
  ];
}

/** The zones or nodes whose clients should prefer the endpoint. */
function hintErrors(
  hints: readonly { readonly name: string }[] | undefined,
  path: string,
  check: (name: string) => string[],
): FieldError[] {
  if ((hints?.length ?? 0) > maxHints) return atMost(hints, path, maxHints);
  const isRepeated = repeats<string>();
  return eachOf(hints, path, ({ name = '' }, at) => [
    ...(isRepeated(name) ? [duplicate(`${at}.name`, name)] : []),
    ...invalids(`${at}.name`, name, check(name)),
  ]);
}

function slicePortErrors(ports: readonly DiscoveryV1EndpointPort[]): FieldError[] {
  const isRepeated = repeats<string>();
  return [
    ...eachOf(ports, 'ports', (port, at) => [
      ...emptyOrWellFormed(port.name, `${at}.name`, isDns1123Label),
      ...oneOf(port.protocol, `${at}.protocol`, portProtocols),
      ...optionalWellFormed(port.appProtocol, `${at}.appProtocol`, isQualifiedName),
    ]),
    // The empty name counts too: a slice has at most one port without a name.
    ...eachOf(ports, 'ports', ({ name = '' }, at) => (isRepeated(name) ? [duplicate(`${at}.name`, name)] : [])),
  ];
}

function sliceAddressErrors(address: string, path: string, type: string): FieldError[] {
  if (type === 'FQDN') return fullNameErrors(address, path);
  const wrong = ipErrors(address, path);
  if (wrong.length > 0) return wrong;
  if ((type === 'IPv6') !== address.includes(':')) return [invalid(path, address, `must be an ${type} address`)];
  return reachableIpErrors(address, path);
}

/** A fully qualified domain name, with or without its final dot. */
function fullNameErrors(name: string, path: string): FieldError[] {
  if (!name) return [required(path)];
  const bare = name.replace(/\.$/, '');
  const errors = invalids(path, bare, isDns1123Subdomain(bare));
  if (errors.length > 0 || bare.includes('.')) return errors;
  return [invalid(path, name, 'should be a domain with at least two segments separated by dots')];
}
