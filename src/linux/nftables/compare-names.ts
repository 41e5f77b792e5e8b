const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Where the digits around this place begin, or end. */
function digitsFrom(text: string, at: number): number {
  let from = at;
  while (isDigit(text.charCodeAt(from - 1))) from--;
  return from;
}

function digitsTo(text: string, at: number): number {
  let to = at;
  while (isDigit(text.charCodeAt(to))) to++;
  return to;
}

/**
 * Orders texts with numbers in them as people do: `lb-2` before `lb-10`. The languages' own way (`localeCompare` with `numeric`) takes ten times as
 * long, and a process that never sorts by it need not read its tables.
 */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  const from = digitsFrom(a, at);
  const [p, q] = [a.slice(from, digitsTo(a, from)), b.slice(from, digitsTo(b, from))];
  if (p !== '' && q !== '' && Number(p) !== Number(q)) return Number(p) - Number(q);
  // A word ends where a number begins, and is the shorter one.
  if (at < a.length && at < b.length && (p === '') !== (q === '')) return p === '' ? 1 : -1;
  return a < b ? -1 : 1;
}
