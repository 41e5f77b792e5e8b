/** Endpoints and EndpointSlices. */
import type { DiscoveryV1EndpointPort, EndpointSlice, Endpoints } from '../schema/types.ts';
import { duplicate, eachOf, type FieldError, invalid, invalids, oneOf, required, tooMany } from './field-error.ts';
import { ipErrors, protocolErrors, reachableIpErrors } from './formats.ts';
import { isDns1123Label, isDns1123Subdomain, isPort, isQualifiedName } from './names.ts';
import { immutable } from './object-meta.ts';

export function endpointsErrors({ subsets }: Endpoints): FieldError[] {
  return eachOf(subsets, 'subsets', ({ addresses, notReadyAddresses, ports = [] }, at) => {
    const errors: FieldError[] = [];
    if (!addresses?.length && !notReadyAddresses?.length) errors.push(required(at, 'must specify `addresses` or `notReadyAddresses`'));
    for (const [key, list] of Object.entries({ addresses, notReadyAddresses })) {
      errors.push(
        ...eachOf(list, `${at}.${key}`, ({ ip, hostname, nodeName }, address) => [
          ...reachableIpErrors(ip, `${address}.ip`),
          ...(hostname ? invalids(`${address}.hostname`, hostname, isDns1123Label(hostname)) : []),
          ...(nodeName ? invalids(`${address}.nodeName`, nodeName, isDns1123Subdomain(nodeName)) : []),
        ]),
      );
    }
    return [
      ...errors,
      ...eachOf(ports, `${at}.ports`, ({ name, port, protocol }, portAt) => [
        ...(name ? invalids(`${portAt}.name`, name, isDns1123Label(name)) : ports.length > 1 ? [required(`${portAt}.name`)] : []),
        ...invalids(`${portAt}.port`, port ?? 0, isPort(port)),
        ...protocolErrors(protocol, `${portAt}.protocol`),
      ]),
    ];
  });
}

const maxSliceEndpoints = 1000;
const maxSliceAddresses = 100;
const maxSlicePorts = 20_000;

export function endpointSliceErrors({ addressType, endpoints = [], ports = [] }: EndpointSlice): FieldError[] {
  if (endpoints.length > maxSliceEndpoints) return [tooMany('endpoints', endpoints.length, maxSliceEndpoints)];
  return [
    ...oneOf(addressType, 'addressType', ['FQDN', 'IPv4', 'IPv6']),
    ...eachOf(endpoints, 'endpoints', ({ addresses = [], hostname, nodeName }, at) => {
      const errors: FieldError[] = [];
      if (addresses.length === 0) errors.push(required(`${at}.addresses`, 'must contain at least 1 address'));
      if (addresses.length > maxSliceAddresses) errors.push(tooMany(`${at}.addresses`, addresses.length, maxSliceAddresses));
      errors.push(...eachOf(addresses, `${at}.addresses`, (address, where) => sliceAddressErrors(address, where, addressType)));
      if (hostname) errors.push(...invalids(`${at}.hostname`, hostname, isDns1123Label(hostname)));
      if (nodeName) errors.push(...invalids(`${at}.nodeName`, nodeName, isDns1123Subdomain(nodeName)));
      return errors;
    }),
    ...(ports.length > maxSlicePorts ? [tooMany('ports', ports.length, maxSlicePorts)] : []),
    ...eachOf(ports, 'ports', (port: DiscoveryV1EndpointPort, at) => [
      ...(port.name ? invalids(`${at}.name`, port.name, isDns1123Label(port.name)) : []),
      ...(port.port === undefined ? [] : invalids(`${at}.port`, port.port, isPort(port.port))),
      ...protocolErrors(port.protocol, `${at}.protocol`),
      ...(port.appProtocol ? invalids(`${at}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol)) : []),
    ]),
    ...sliceNameClashes(ports),
  ];
}

export function endpointSliceUpdateErrors(next: EndpointSlice, old: EndpointSlice): FieldError[] {
  return [...endpointSliceErrors(next), ...immutable(next.addressType, old.addressType, 'addressType')];
}

function sliceAddressErrors(address: string, path: string, type: string): FieldError[] {
  if (type === 'FQDN') return invalids(path, address, isDns1123Subdomain(address));
  const wrong = ipErrors(address, path);
  if (wrong.length > 0) return wrong;
  if ((type === 'IPv6') !== address.includes(':')) return [invalid(path, address, `must be an ${type} address`)];
  return reachableIpErrors(address, path);
}

/** Here the empty name counts too: a slice has at most one port without a name. */
function sliceNameClashes(ports: readonly DiscoveryV1EndpointPort[]): FieldError[] {
  const seen = new Set<string>();
  return eachOf(ports, 'ports', ({ name = '' }, at) => {
    if (seen.has(name)) return [duplicate(`${at}.name`, name)];
    seen.add(name);
    return [];
  });
}
