/** YAML bodies, read as upstream reads them: YAML 1.1 without dates, base-60 numbers and binary. */
import { type Document, isNode, isScalar, LineCounter, parseDocument, type Tags, visit } from 'yaml';
import { measureJson, measureValue } from './limits.ts';
import { measureYaml } from './yaml-limits.ts';

/** The text is no YAML; the message is one line. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

const leftOut: ReadonlySet<string> = new Set([
  'tag:yaml.org,2002:timestamp',
  'tag:yaml.org,2002:binary',
  'tag:yaml.org,2002:omap',
  'tag:yaml.org,2002:pairs',
  'tag:yaml.org,2002:set',
]);

/** Go's YAML has the octal numbers of 1.1 (`defaultMode: 0644`), but neither dates nor `22:22` as a number. */
function keepTags(tags: Tags): Tags {
  return tags.filter((t) => typeof t === 'string' || !(leftOut.has(t.tag) || ('format' in t && t.format === 'TIME'))).map(withDigit);
}

/** `.`, a key of every managedFields, and `e5` are texts to Go, and no number to the library: NaN. */
function withDigit(tag: Tags[number]): Tags[number] {
  if (typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:float' || !tag.test || tag.test.test('.nan')) return tag;
  return { ...tag, test: new RegExp(`(?=[-+]?\\.?\\d)${tag.test.source}`) };
}

/** More are no file that anybody wrote: each is looked for among all the others. */
const maxAliases = 1000;

function looksLikeJson(bytes: Uint8Array): boolean {
  let at = 0;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++;
  return bytes[at] === 0x7b;
}

/**
 * JSON is YAML, what most clients send as such, and read a hundred times faster as itself. Undefined for what may still be YAML that
 * begins as JSON does. Throws LimitError.
 */
export function jsonOf(bytes: Buffer): unknown {
  if (!looksLikeJson(bytes)) return undefined;
  measureJson(bytes);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

export interface ReadYaml {
  readonly value: unknown;
  /** `line 7: key "a" already set in map`, as Go says it; the last one holds. */
  readonly repeated: readonly string[];
}

/** Parses one document. Throws YamlError, and LimitError for what is too much of it. */
export function readYaml(source: string | Buffer): ReadYaml {
  const bytes = typeof source === 'string' ? Buffer.from(source) : source;
  const json = jsonOf(bytes);
  if (json !== undefined) return { value: json, repeated: [] };
  const text = bytes.toString('utf8');
  measureYaml(text);
  const read = readText(text);
  measureValue(read.value);
  return read;
}

function readText(text: string): ReadYaml {
  try {
    const lines = new LineCounter();
    // Not the parser's own `uniqueKeys`: it compares every key with every other.
    const options = {
      version: '1.1',
      customTags: keepTags,
      merge: true,
      logLevel: 'error',
      uniqueKeys: false,
      lineCounter: lines,
    } as const;
    const document = parseDocument(text, options);
    if (document.errors[0]) throw document.errors[0];
    const repeated = repeatedKeys(document, lines);
    return { value: document.toJS(), repeated };
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
    throw new YamlError(`error converting YAML to JSON: yaml: ${message.replace(/:$/, '')}`, { cause });
  }
}

/** More of them say nothing new. */
const maxRepeated = 100;

/** Throws for what is no JSON, or would take too long. */
function repeatedKeys(document: Document.Parsed, lines: LineCounter): string[] {
  const repeated: { readonly line: number; readonly name: unknown }[] = [];
  let aliases = 0;
  visit(document, {
    Alias: () => {
      if (++aliases > maxAliases) throw new Error(`the document has more than ${maxAliases} aliases`);
    },
    Map: (_at, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        // A key that is a map is no JSON; one within the other, such keys take time that doubles with each.
        if (key !== null && !isScalar(key)) throw new Error('Map keys must be text, not lists or maps');
        const name: unknown = key?.value;
        if (seen.has(name) && repeated.length < maxRepeated) {
          const at = isNode(key) ? (key.range?.[0] ?? 0) : 0;
          repeated.push({ line: lines.linePos(at).line, name });
        }
        seen.add(name);
      }
    },
  });
  return repeated
    .toSorted((a, b) => a.line - b.line)
    .map(({ line, name }) => `line ${line}: key ${JSON.stringify(name)} already set in map`);
}
