/** The `fieldPath` of a rule: `.spec.size`, `.labels['a.b']`. */
import type { JsonSchema } from '../schema/schema.ts';
import { mapValues } from './validation-rules.ts';

const step = /\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/y;
const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', "'": "'", '\\': '\\' };

/** As errors have it, without a dot before; undefined for a path that the schema has not. */
export function fieldPathOf(path: string, schema: JsonSchema): string | undefined {
  let found: Place | undefined = { at: '', schema };
  let from = 0;
  while (from < path.length) {
    step.lastIndex = from;
    const next = step.exec(path);
    const name = next?.[1] ?? unescaped(next?.[2]);
    found = name === undefined ? undefined : below(found, name);
    if (!found) return undefined;
    from = step.lastIndex;
  }
  return found.at;
}

interface Place {
  readonly at: string;
  readonly schema: JsonSchema;
}

function below({ at, schema }: Place, name: string): Place | undefined {
  const { properties } = schema;
  const values = mapValues(schema);
  if (!properties) return values && { at: `${at}[${name}]`, schema: values };
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  return property && { at: at === '' ? name : `${at}.${name}`, schema: property };
}

function unescaped(text: string | undefined): string | undefined {
  const made = text?.replace(/\\(.)/g, (_, character: string) => escapes[character] ?? '\0');
  return made?.includes('\0') ? undefined : made;
}
