import type { Plugin } from '../plugin.ts';

/** In upstream's words, when no device is left. */
const noDevice = ['cannot allocate all claims'];

/** Nothing allocates devices yet: a pod that needs some waits, instead of running without. */
export const dynamicResources: Plugin = {
  name: 'DynamicResources',
  prepare: (pod) => (pod.spec?.resourceClaims?.length ? { filter: () => noDevice } : undefined),
};
