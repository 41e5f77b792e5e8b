import type { ConfigMap } from '../../api/schema/types.ts';
import { type EnsureDeps, ensure } from './ensure.ts';

function configMap(name: string, data: Record<string, string>): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'kube-system' }, data };
}

/** Of those that a proxy in front of an aggregated API server may claim; the names are kubeadm's. */
function requestHeaders(frontProxyCa: string): Record<string, string> {
  return {
    'requestheader-client-ca-file': frontProxyCa,
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-username-headers': '["X-Remote-User"]',
    'requestheader-uid-headers': '["X-Remote-Uid"]',
    'requestheader-group-headers': '["X-Remote-Group"]',
    'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
  };
}

/**
 * `kube-system/extension-apiserver-authentication`: the CAs of clients, for servers that trust the same ones: metrics-server, and the pages of
 * kube-controller-manager and kube-scheduler, which complain for ever while the second is missing.
 */
export async function publishClientCa(deps: EnsureDeps, clientCa: string, frontProxyCa: string | undefined): Promise<void> {
  const wanted = { 'client-ca-file': clientCa, ...(frontProxyCa === undefined ? {} : requestHeaders(frontProxyCa)) };
  await ensure(deps, configMap('extension-apiserver-authentication', wanted), (current) => {
    const map = current as ConfigMap;
    map.data = { ...map.data, ...wanted };
    return map;
  });
}
