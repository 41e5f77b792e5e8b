/** Every namespace has a ServiceAccount named default. */
import { serviceAccounts } from '../../api/resource-types.ts';
import type { ServiceAccount } from '../../api/schema/types.ts';
import type { Informer } from '../../client/informer.ts';
import { EveryNamespaceController } from '../namespace/every-namespace-controller.ts';

export class ServiceAccountController extends EveryNamespaceController<ServiceAccount> {
  readonly name = 'serviceaccount-controller';
  protected readonly objectName = 'default';
  protected readonly objects: Informer<ServiceAccount> = this.informers.of(serviceAccounts, { fieldSelector: 'metadata.name=default' });

  protected make(namespace: string): ServiceAccount {
    return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: this.objectName, namespace } };
  }

  protected isRight(): boolean {
    return true;
  }
}
