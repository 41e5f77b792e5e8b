/** `kube-system/extension-apiserver-authentication`: the CA of client certificates, for servers that trust the same clients (metrics-server). */
import type { ConfigMap } from '../../api/schema/types.ts';
import { type EnsureDeps, ensure } from './ensure.ts';

export async function publishClientCa(deps: EnsureDeps, clientCa: string): Promise<void> {
  const wanted: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'extension-apiserver-authentication', namespace: 'kube-system' },
    data: { 'client-ca-file': clientCa },
  };
  await ensure(deps, wanted, (current) => {
    const map = current as ConfigMap;
    map.data = { ...map.data, ...wanted.data };
    return map;
  });
}
