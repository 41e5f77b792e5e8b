/** A short name for the content of a template, in the alphabet that upstream's rand.SafeEncodeString writes. */

/** JSON with sorted keys and without what is absent: equal for equal content. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value)
    .filter(([, v]) => v !== undefined && v !== null)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`;
}

/** No vowels and nothing that looks like another: no word comes out by chance. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a of the content and of how often the name was taken already, safe-encoded. */
export function templateHash(template: unknown, collisionCount: number = 0): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${canonical(template)}${collisionCount || ''}`)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...String(hash)].map((c) => alphabet[c.charCodeAt(0) % alphabet.length]).join('');
}
