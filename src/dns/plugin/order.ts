/**
 * The order of the plugins: the first one is asked first, whatever the order in a configuration. Where names meet, it is that of CoreDNS's
 * plugin.cfg. A new plugin is a line here.
 */
import { cache } from './cache/cache.ts';
import { forward } from './forward/forward.ts';
import { kubernetes } from './kubernetes/kubernetes.ts';
import type { Plugin } from './plugin.ts';

export const order: readonly Plugin[] = [cache, kubernetes, forward];
