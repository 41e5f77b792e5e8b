/** JSON bodies, with the keys that stand twice. */
import { duplicateKeys } from './duplicate-keys.ts';

export interface ParsedJson {
  readonly value: unknown;
  /** As upstream's strict decoder words them: `duplicate field "spec.replicas"`. */
  readonly errors: readonly string[];
}

/** Parses a body. Throws SyntaxError. Looking for duplicates costs about as much as parsing; `Ignore` does not need it. */
export function parseJson(text: string): ParsedJson {
  const value: unknown = JSON.parse(text);
  return { value, errors: duplicateKeys(text).map((path) => `duplicate field ${JSON.stringify(path)}`) };
}
