/** Every namespace has a ServiceAccount named default. */
import { serviceAccounts } from '../../api/resource-types.ts';
import type { ServiceAccount } from '../../api/schema/types.ts';
import type { ControllerContext } from '../context.ts';
import { EveryNamespaceController } from '../namespace/every-namespace-controller.ts';

export class ServiceAccountController extends EveryNamespaceController<ServiceAccount> {
  constructor(context: ControllerContext) {
    super(context, {
      name: 'serviceaccount-controller',
      type: serviceAccounts,
      objectName: 'default',
      make: (namespace) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }),
      isRight: () => true,
    });
  }
}
