/** The settings of the service proxy in a cluster that is there already: what a second "fairlead init" says of them, every node takes over while it runs. */
import type { ClusterWish } from '../config/cluster-plan.ts';
import type { ProxyConfiguration } from '../config/documents.ts';
import { changedText } from './changed-text.ts';

/** What flags say goes over what the document says. Undefined when the text says it already. Pure. */
export function changedProxySettings(
  text: string,
  { proxyMode, ipvsScheduler }: ClusterWish,
  { apiVersion, kind, mode, clusterCIDR, ipvs, ...document }: ProxyConfiguration = {},
): string | undefined {
  const scheduler = ipvsScheduler === undefined ? {} : { scheduler: ipvsScheduler };
  const section = { ...(ipvs as object | undefined), ...scheduler };
  return changedText(text, {
    ...document,
    // kubeadm prints empty ones for the presets, which are for a new cluster.
    mode: proxyMode ?? (mode || undefined),
    clusterCIDR: clusterCIDR || undefined,
    ipvs: Object.keys(section).length > 0 ? section : undefined,
  });
}
