import type { Node, Pod, Secret, ServiceAccount } from '../../api/schema/types.ts';

/** Objects that decisions depend on, looked up in the API server's caches. */
export interface AuthObjects {
  serviceAccount(namespace: string, name: string): ServiceAccount | undefined;
  pod(namespace: string, name: string): Pod | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  node(name: string): Node | undefined;
  /** Resolves when everything that was written before the call, through whichever server, is known. */
  fresh(): Promise<void>;
}
