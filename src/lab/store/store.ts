/** What keeps the objects of a lab's cluster. An engine is a value in this folder and a line of `stores.ts`. Pure. */
import type { LabPlan, NodePlan } from '../plan.ts';

export interface LabStore {
  /** What control planes run of this machine's programs, and the Debian package that brings it. */
  readonly program?: { readonly name: string; readonly package: string };
  /** What `fairlead server --store` is told on a control plane; undefined for the file that it keeps by itself. */
  url(plan: LabPlan, node: NodePlan): string | undefined;
  /** Files below /var/lib/fairlead/server that a member begins with, and may change. */
  files(plan: LabPlan, node: NodePlan): Readonly<Record<string, string>>;
  /** What runs on a control plane beside its API server: commands by their names, which their logs bear. */
  services(plan: LabPlan, node: NodePlan): Readonly<Record<string, readonly string[]>>;
}

/** On a control plane: where data live, the member's own certificate, the authority, and the API servers' certificate. */
export const serverDir = '/var/lib/fairlead/server';

export function memberFiles(store: string): { readonly cert: string; readonly key: string; readonly ca: string } {
  return { cert: `/etc/fairlead/${store}.crt`, key: `/etc/fairlead/${store}.key`, ca: `/etc/kubernetes/pki/${store}/ca.crt` };
}

export function clientFiles(store: string): { readonly cert: string; readonly key: string; readonly ca: string } {
  const pair = `/etc/kubernetes/pki/apiserver-${store}-client`;
  return { cert: `${pair}.crt`, key: `${pair}.key`, ca: memberFiles(store).ca };
}
