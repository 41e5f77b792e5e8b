/** Whether the store that was named takes a control plane. Pure. */
import { type Check, error } from './finding.ts';

const answers: Check = ({ store }) => [
  store !== undefined && 'refusal' in store && error('Store', store.refusal.cause, store.refusal.cure),
];

const isFree: Check = ({ store }) => [
  store !== undefined &&
    'isEmpty' in store &&
    !store.isEmpty &&
    error(
      'StoreNotEmpty',
      'the store holds a cluster already, whose certificates this machine does not have',
      'To be one more control plane of it: fairlead join … --control-plane. Else name an empty one, or of an etcd another prefix=/NAME; ' +
        'its keys were put back into /etc/kubernetes/pki by hand: --ignore-preflight-errors=StoreNotEmpty',
    ),
];

export const storeChecks: readonly Check[] = [answers, isFree];
