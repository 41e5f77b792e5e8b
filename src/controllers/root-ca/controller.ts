/** Every namespace has the authority that signed the API server's certificate, for pods that speak to it. */
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import type { ControllerContext } from '../context.ts';
import { EveryNamespaceController } from '../namespace/every-namespace-controller.ts';

const name = 'kube-root-ca.crt';
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.';

export class RootCaController extends EveryNamespaceController<ConfigMap> {
  constructor(context: ControllerContext) {
    const data = { 'ca.crt': context.rootCa };
    const annotations = { 'kubernetes.io/description': description };
    super(context, {
      name: 'root-ca-cert-publisher',
      type: configMaps,
      objectName: name,
      make: (namespace) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, annotations }, data }),
      isRight: (there) => there.data?.['ca.crt'] === context.rootCa,
    });
  }
}
