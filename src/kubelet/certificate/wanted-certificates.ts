/** What a kubelet asks signers for: pure (upstream's pkg/kubelet/certificate). */
import type { NodeAddress } from '../../api/schema/types.ts';
import { kubeAPIServerClientKubeletSignerName, kubeletServingSignerName } from '../../api/validation/kubelet-certificate.ts';
import type { WantedCertificate } from '../../client/certificate/request-certificate.ts';
import { isIp } from '../../ip/ip.ts';

/** To be who it is to the API server. */
export function clientCertificate(nodeName: string): WantedCertificate {
  return { names: ownNames(nodeName), signerName: kubeAPIServerClientKubeletSignerName, usages: ['digital signature', 'client auth'] };
}

/** To serve under the addresses of its Node; undefined while there are none. */
export function servingCertificate(nodeName: string, addresses: readonly NodeAddress[]): WantedCertificate | undefined {
  const named = (types: readonly string[], isWanted: (address: string) => boolean): string[] =>
    addresses.flatMap(({ type, address }) => (types.includes(type) && address && isWanted(address) ? [address] : []));
  const dnsNames = [...named(['Hostname'], (one) => !isIp(one)), ...named(['InternalDNS', 'ExternalDNS'], () => true)];
  const ips = named(['Hostname', 'InternalIP', 'ExternalIP'], isIp);
  if (dnsNames.length === 0 && ips.length === 0) return undefined;
  const names = { ...ownNames(nodeName), dnsNames: [...new Set(dnsNames)].toSorted(), ips: [...new Set(ips)].toSorted() };
  return { names, signerName: kubeletServingSignerName, usages: ['digital signature', 'server auth'] };
}

function ownNames(nodeName: string): { readonly commonName: string; readonly organizations: readonly string[] } {
  return { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
}
