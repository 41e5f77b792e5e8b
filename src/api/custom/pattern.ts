/**
 * The patterns of schemas: RE2's, as upstream's, by the package re2js. They are somebody's who may create a definition, and match what anybody
 * writes, so the time they take must grow with the text alone; those of JavaScript may take forever.
 */
import { RE2JS } from 're2js';

const mostKnown = 1_000;
const known = new Map<string, RE2JS | string>();

function compiled(pattern: string): RE2JS | string {
  let found = known.get(pattern);
  if (found === undefined) {
    found = compile(pattern);
    if (known.size >= mostKnown) known.clear();
    known.set(pattern, found);
  }
  return found;
}

function compile(pattern: string): RE2JS | string {
  try {
    return RE2JS.compile(pattern);
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}

/**
 * How large a pattern is when its repetitions are written out, roughly: what it takes to compile it, and to match one character where many ways
 * must be tried at once.
 */
export function patternSize(pattern: string): number {
  let most = 1;
  // RE2 takes a thousand at most.
  for (const [, count] of pattern.matchAll(/[{,](\d+)/g)) most = Math.max(most, Math.min(1000, Number(count)));
  return pattern.length * most;
}

/** What is wrong with a pattern, in the words of Go. */
export function patternProblem(pattern: string): string | undefined {
  const found = compiled(pattern);
  return typeof found === 'string' ? found : undefined;
}

/** A pattern that is none matches nothing. */
export function patternMatches(pattern: string, text: string): boolean {
  const found = compiled(pattern);
  return typeof found !== 'string' && found.test(text);
}

/** The texts that it matches one after the other. Each match may look at all that is left: `charge` is told of its length and of the pattern's size before. */
export function findIn(pattern: string, text: string, most: number, charge: (length: number, size: number) => void): string[] {
  const found = compiled(pattern);
  if (typeof found === 'string') return [];
  const matcher = found.matcher(text);
  const matches: string[] = [];
  const size = patternSize(pattern);
  let from = 0;
  while (matches.length < most) {
    charge(text.length - from, size);
    if (!matcher.find()) break;
    matches.push(matcher.group() ?? '');
    from = matcher.end();
  }
  return matches;
}
