/**
 * Reads from Go sources what neither a .proto file nor the facts say.
 *
 * Whether the zero value of a field means something:
 * Go writes every field that is no pointer on the protobuf wire, zero or not, and its JSON leaves those out that are marked
 * `omitempty`. So a zero on the wire is kept in JSON only for pointers (`replicas: 0`, `optional: false`) and for fields without
 * `omitempty` (`restartCount: 0`).
 */

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
