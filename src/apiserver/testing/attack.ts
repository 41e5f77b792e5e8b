/** What a weak user can do to an API server: `attacker.ts` does it. */
export interface Attack {
  readonly url: string;
  readonly ca: string;
  /** Of a ServiceAccount that may watch ConfigMaps of its namespace. */
  readonly token: string;
  readonly kinds: readonly AttackKind[];
  readonly idleConnections: number;
  readonly watches: number;
}

export type AttackKind = 'bodies' | 'connections' | 'slow-bodies' | 'watches' | 'flood';
export const attackKinds: readonly AttackKind[] = ['bodies', 'connections', 'slow-bodies', 'watches', 'flood'];

/** Answers by kind and status code, `connections closed` for those that the server closed. */
export type AttackCounts = Readonly<Record<string, number>>;
