/** One small change of a source file: what it is, the text with it, and how it is told. Loaded into every test: so it imports nothing. */

export interface Change {
  /** The part of the file's text that goes. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
}

export interface Mutant extends Change {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

export function mutated(text: string, { start, end, replacement }: Change): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** The line with the change in it: `if (a [< → <=] b) return;`. */
export function describeMutant(text: string, { start, end, replacement }: Change): string {
  const before = text.slice(text.lastIndexOf('\n', start - 1) + 1, start).trimStart();
  const after = /^.*/.exec(text.slice(end))?.[0] ?? '';
  return `${before}[${short(text.slice(start, end))} → ${short(replacement)}]${after}`;
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 30)} … ${line.slice(-27)}` : line;
}
