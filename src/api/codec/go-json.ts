/**
 * JSON as Go's encoder writes a map: keys in order; `<`, `>`, `&` and the line separators escaped. Needed where clients compare bytes: fields that
 * upstream keeps as they came (runtime.RawExtension), by which `rollout undo --to-revision` sees whether there is anything to undo, and kubectl's
 * last-applied annotation.
 */

/** TypeScript does not know it yet: a value that JSON.stringify writes as it is. https://github.com/tc39/proposal-json-parse-with-source */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object };
const escaped = /[<>&\u2028\u2029]/g;

/** A copy that JSON.stringify writes as Go would. Keys that are whole numbers stand first, as JavaScript keeps them. */
export function asGoWrites(value: unknown): unknown {
  if (typeof value === 'string') return value.search(escaped) < 0 ? value : rawJSON(escapeText(value));
  if (Array.isArray(value)) return value.map(asGoWrites);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, v]) => [key, asGoWrites(v)]));
}

function escapeText(text: string): string {
  return JSON.stringify(text).replaceAll(escaped, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
