import type { Plugin } from '../plugin.ts';

const mismatch = ["node(s) didn't match the requested node name"];

/** A pod that names its node goes there or nowhere. */
export const nodeName: Plugin = {
  name: 'NodeName',
  prepare(pod) {
    const wanted = pod.spec?.nodeName;
    return wanted ? { filter: (node) => (node.name === wanted ? undefined : mismatch) } : undefined;
  },
};
