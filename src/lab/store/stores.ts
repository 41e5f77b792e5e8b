/** The engines that `lab up --store` knows. */

import type { StoreName } from '../lab-options.ts';
import type { LabPlan } from '../plan.ts';
import { etcd } from './etcd.ts';
import { redis } from './redis.ts';
import type { LabStore } from './store.ts';

/** The file that `fairlead server` keeps by itself. */
const sqlite: LabStore = { url: () => undefined, files: () => ({}), services: () => ({}) };

export const stores: Readonly<Record<StoreName, LabStore>> = { sqlite, etcd, redis };

export function storeOf({ store }: LabPlan): LabStore {
  return stores[store];
}
