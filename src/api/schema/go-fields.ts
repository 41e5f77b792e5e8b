/**
 * Reads from Go sources what neither a .proto file nor the facts say.
 *
 * Which values a text may have: those of its type, where that is marked `+enum`.
 * Whether the zero value of a field means something:
 * Go writes every field that is no pointer on the protobuf wire, zero or not, and its JSON leaves those out that are marked
 * `omitempty`. So a zero on the wire is kept in JSON only for pointers (`replicas: 0`, `optional: false`) and for fields without
 * `omitempty` (`restartCount: 0`).
 */

const namedText = /((?:^\/\/.*\n)+)type (\w+) string$/gm;
/** `X Type = "value"`, `X = Type("value")`, `X = Type(other.Y)`. */
const constant = /^(?:const |\t)(\w+)(?: +(\w+))? += +(?:"([^"]*)"|(\w+)\((?:"([^"]*)"|(\w+)\.(\w+))\))/gm;
const imported = /^\t(\w+) "k8s\.io\/api(?:machinery\/pkg\/apis)?\/(\w+)\/(\w+)"/gm;
const atomic = /^\/\/ \+structType=atomic\n(?:\/\/.*\n|\n)*?type (\w+) struct/gm;
const struct = /^type (\w+) struct \{\n([\s\S]*?)^\}/gm;
const field = /^\t\w+ +(\S.*?) +`.*?json:"(\w+)((?:,\w+)*)"/gm;

/** The fields of all structs in one Go source whose zero value counts, as `Type.jsonName`. */
export function zeroCounts(source: string): Set<string> {
  const out = new Set<string>();
  for (const [, type, body = ''] of source.matchAll(struct)) {
    for (const [, goType = '', json, options = ''] of body.matchAll(field)) {
      const omitted = options.includes('omitempty') || options.includes('omitzero');
      if (goType.startsWith('*') || !omitted) out.add(`${type}.${json}`);
    }
  }
  return out;
}

/** The structs of one Go source that are owned and replaced as a whole (`+structType=atomic`). */
export function atomicStructs(source: string): string[] {
  return [...source.matchAll(atomic)].map(([, type = '']) => type);
}

/** The table packages that a source names, by the name that it gives them. */
function packagesOf(source: string): Map<string, string> {
  return new Map([...source.matchAll(imported)].map(([, alias = '', group, version]) => [alias, `${group}.${version}`]));
}

/** The names of the types of text that are enums (`+enum`). */
function enumNames(source: string): string[] {
  return [...source.matchAll(namedText)].filter(([, comment = '']) => /^\/\/ \+enum$/m.test(comment)).map(([, , type = '']) => type);
}

interface Constant {
  readonly name: string;
  readonly type: string | undefined;
  /** The text, or the constant that it is: `core.v1.IPv4Protocol`. */
  readonly value: string | undefined;
  readonly same: string;
}

function constantsOf(source: string): Constant[] {
  const packages = packagesOf(source);
  return [...source.matchAll(constant)].map(([, name = '', type, value, cast, castValue, other = '', otherName]) => {
    return { name, type: type ?? cast, value: value ?? castValue, same: `${packages.get(other)}.${otherName}` };
  });
}

/**
 * The values of each type of text that is an enum, sorted, as `core.v1.Protocol`. `sources`: the files of each package, those whose constants
 * others name before the others.
 */
export function enumsOf(sources: ReadonlyMap<string, readonly string[]>): Map<string, string[]> {
  const out = new Map<string, Set<string>>();
  const known = new Map<string, string>();
  for (const [pkg, texts] of sources) {
    for (const type of texts.flatMap(enumNames)) out.set(`${pkg}.${type}`, new Set());
    for (const { name, type, value, same } of texts.flatMap(constantsOf)) {
      const text = value ?? known.get(same);
      if (text === undefined) continue;
      known.set(`${pkg}.${name}`, text);
      out.get(`${pkg}.${type}`)?.add(text);
    }
  }
  return new Map([...out].map(([type, values]) => [type, [...values].toSorted()]));
}

/** The Go type of each field of all structs in one source, as `Type.jsonName`, with its package if that is another one (`core.v1.Protocol`). */
export function fieldTypes(source: string): Map<string, string> {
  const packages = packagesOf(source);
  const out = new Map<string, string>();
  for (const [, type, body = ''] of source.matchAll(struct)) {
    for (const [, goType = '', json] of body.matchAll(field)) {
      const [, alias, name = ''] = /^(?:\*|\[\]|map\[\w+\])*(?:(\w+)\.)?(\w+)$/.exec(goType) ?? [];
      out.set(`${type}.${json}`, alias === undefined ? name : `${packages.get(alias) ?? alias}.${name}`);
    }
  }
  return out;
}
