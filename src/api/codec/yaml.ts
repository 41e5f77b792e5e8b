/** YAML bodies, read as upstream reads them: YAML 1.1 without dates, base-60 numbers and binary. */
import { parse, type Tags } from 'yaml';

/** The text is no YAML; the message is one line. */
export class YamlError extends Error {
  override readonly name = 'YamlError';
}

const LEFT_OUT: ReadonlySet<string> = new Set([
  'tag:yaml.org,2002:timestamp',
  'tag:yaml.org,2002:binary',
  'tag:yaml.org,2002:omap',
  'tag:yaml.org,2002:pairs',
  'tag:yaml.org,2002:set',
]);

/** Go's YAML has the octal numbers of 1.1 (`defaultMode: 0644`), but neither dates nor `22:22` as a number. */
function keepTags(tags: Tags): Tags {
  return tags.filter((t) => typeof t === 'string' || !(LEFT_OUT.has(t.tag) || ('format' in t && t.format === 'TIME')));
}

/** Parses one document. Keys that stand twice are refused. Throws YamlError. */
export function parseYaml(text: string): unknown {
  try {
    return parse(text, { version: '1.1', customTags: keepTags, merge: true, logLevel: 'error', uniqueKeys: true });
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
    throw new YamlError(`error converting YAML to JSON: yaml: ${message.replace(/:$/, '')}`, { cause });
  }
}
