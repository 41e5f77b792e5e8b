/** Every namespace has a ServiceAccount named default. */
import { namespaces, serviceAccounts } from '../../api/resource-types.ts';
import type { ControllerContext } from '../context.ts';
import { keepInEveryNamespace } from '../namespace/keep-in-every-namespace.ts';

export function runServiceAccounts(context: ControllerContext): Promise<void> {
  return keepInEveryNamespace(context, {
    name: 'serviceaccount-controller',
    namespaces,
    type: serviceAccounts,
    objectName: 'default',
    make: (namespace) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }),
    isRight: () => true,
  });
}
