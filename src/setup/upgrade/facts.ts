/** What an upgrade goes by, as plain data: what is installed, what runs, what the cluster says. */
import type { CertificateFact, ServiceFact } from '../doctor/facts.ts';

export interface NodeVersion {
  readonly name: string;
  /** Of its kubelet. */
  readonly version: string;
  readonly isReady: boolean;
}

export interface UpgradeService extends ServiceFact {
  /** It does not run as init or join would have it, and somebody has its port. */
  readonly isElsewhere: boolean;
}

export type StoreFact =
  /** A file of our own. */
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly format: number;
      readonly knownFormat: number;
      readonly bytes: number;
      readonly freeBytes: number;
    }
  /** A server of its own, or nothing that stays. */
  | { readonly kind: 'elsewhere'; readonly url: string }
  | { readonly kind: 'unreadable'; readonly path: string };

export interface UpgradeFacts {
  readonly now: number;
  /** What this package would run: `v1.35.0+fairlead.0.1.0`. */
  readonly installed: string;
  /** Undefined where neither init nor join has been. */
  readonly role: 'control-plane' | 'worker' | undefined;
  readonly services: readonly UpgradeService[];
  /** The API server of this machine, or the one that its node talks to. */
  readonly server: { readonly version: string } | { readonly why: string };
  readonly nodeName: string;
  readonly nodes: readonly NodeVersion[];
  /** Whether an upgrade that did not come to its end has cordoned this node. */
  readonly isCordonedByUpgrade: boolean;
  /** Of a control plane. */
  readonly store: StoreFact | undefined;
  readonly certificates: readonly CertificateFact[];
}

export function ownNode({ nodes, nodeName }: UpgradeFacts): NodeVersion | undefined {
  return nodes.find(({ name }) => name === nodeName);
}

/** The server of this machine has ended: perhaps by an upgrade that was killed. */
export function isServerDown({ services }: UpgradeFacts): boolean {
  return services.some(({ name, isRunning, isElsewhere }) => name === 'server' && !isRunning && !isElsewhere);
}

/** Whether the server of this machine is another than the package's, or may be. */
export function isServerOld(facts: UpgradeFacts): boolean {
  const { role, server, installed } = facts;
  if (role !== 'control-plane') return false;
  return 'version' in server ? server.version !== installed : isServerDown(facts);
}

export function isAgentOld(facts: UpgradeFacts): boolean {
  return facts.services.some(({ name }) => name === 'agent') && ownNode(facts)?.version !== facts.installed;
}
