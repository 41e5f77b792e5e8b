/** Every namespace has the authority that signed the API server's certificate, for pods that speak to it. */
import { configMaps } from '../../api/resource-types.ts';
import type { ConfigMap } from '../../api/schema/types.ts';
import type { Informer } from '../../client/informer.ts';
import { EveryNamespaceController } from '../namespace/every-namespace-controller.ts';

const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc.';

export class RootCaController extends EveryNamespaceController<ConfigMap> {
  readonly name = 'root-ca-cert-publisher';
  protected readonly objectName = 'kube-root-ca.crt';
  protected readonly objects: Informer<ConfigMap> = this.informers.of(configMaps, { fieldSelector: `metadata.name=${this.objectName}` });

  protected make(namespace: string): ConfigMap {
    const annotations = { 'kubernetes.io/description': description };
    const data = { 'ca.crt': this.context.rootCa };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: this.objectName, namespace, annotations }, data };
  }

  protected isRight({ data }: ConfigMap): boolean {
    return data?.['ca.crt'] === this.context.rootCa;
  }
}
