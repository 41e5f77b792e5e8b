/** Every namespace has the authority that signed the API server's certificate, for pods that speak to it. */
import { configMaps, namespaces } from '../../api/resource-types.ts';
import type { ControllerContext } from '../context.ts';
import { keepInEveryNamespace } from '../namespace/keep-in-every-namespace.ts';

const name = 'kube-root-ca.crt';
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.';

export function runRootCa(context: ControllerContext): Promise<void> {
  return keepInEveryNamespace(context, {
    name: 'root-ca-cert-publisher',
    namespaces,
    type: configMaps,
    objectName: name,
    make: (namespace) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: name, namespace, annotations: { 'kubernetes.io/description': description } },
      data: { 'ca.crt': context.rootCa },
    }),
    isRight: (there) => there.data?.['ca.crt'] === context.rootCa,
  });
}
