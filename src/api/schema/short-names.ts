/** The short names that `types.ts` has for API types: `Pod`, and `EventsV1Event` where two groups have one of that name. */

/** The group whose type keeps the bare name when several groups have one of that name; the others get a prefix. */
const firstGroups = ['core.v1', 'meta.v1', 'apps.v1', 'networking.v1', 'rbac.v1', 'autoscaling.v2'];

function groupOf(full: string): string {
  const parts = full.split('.');
  return parts.slice(-3, -1).join('.');
}

/** Gives every full type name a short one that is unique. */
export function shortNames(names: readonly string[]): Map<string, string> {
  const byShort = Map.groupBy(names, (n) => n.slice(n.lastIndexOf('.') + 1));
  const out = new Map<string, string>();
  for (const [short, owners] of byShort) {
    const rank = (n: string): number => (firstGroups.indexOf(groupOf(n)) + firstGroups.length + 1) % (firstGroups.length + 1);
    const [first, ...rest] = owners.toSorted((a, b) => rank(a) - rank(b));
    out.set(first ?? '', short);
    for (const r of rest) {
      const [group = '', version = ''] = groupOf(r).split('.');
      out.set(r, group[0]?.toUpperCase() + group.slice(1) + version.toUpperCase() + short);
    }
  }
  return out;
}
