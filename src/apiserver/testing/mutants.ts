/** Damage to objects, one place at a time, the same for the same seed. */

/** JSON of which a test knows the shape. */
// biome-ignore lint/suspicious/noExplicitAny: whatever is in an object is looked at and changed
type Json = any;

export interface Mutant {
  /** `spec.ports[0].port: removed`. */
  readonly what: string;
  readonly body: Json;
}

interface Spot {
  readonly path: string;
  readonly at: Json;
  readonly key: string | number;
}

type Change = readonly [name: string, apply: (at: Json, key: string | number) => void];

function put(name: string, value: (old: Json) => Json): Change {
  return [
    name,
    (at, key) => {
      at[key] = value(at[key]);
    },
  ];
}

const removed: Change = [
  'removed',
  (at, key) => {
    if (Array.isArray(at)) at.splice(key as number, 1);
    else delete at[key];
  },
];
const anywhere: readonly Change[] = [
  removed,
  put('null', () => null),
  put('in a list', (old) => [old]),
  put('in an object', (old) => ({ x: old })),
];
const texts: readonly Change[] = [
  put('a number', () => 7),
  put('a boolean', () => true),
  put('an empty text', () => ''),
  put('no name', () => 'Not a Name!'),
  put('a long text', () => 'x'.repeat(300)),
  put('another text', () => 'zzz'),
  put('a dash in front', (old) => `-${old}`),
  put('an absolute path', () => '/x'),
  put('a path upwards', () => 'a/../b'),
  put('an address', () => '10.1.2.3'),
];
const numbers: readonly Change[] = [
  put('a text', () => 'x'),
  put('a number as text', (old) => String(old)),
  put('zero', () => 0),
  put('minus one', () => -1),
  put('one more', (old) => old + 1),
  put('large', () => 70_000),
  put('larger', () => 3_000_000_000),
  put('a fraction', () => 1.5),
];
const booleans: readonly Change[] = [put('a text', () => 'x'), put('the opposite', (old) => !old), put('a number', () => 1)];
const lists: readonly Change[] = [
  put('a text', () => 'x'),
  put('an object', () => ({})),
  put('emptied', () => []),
  put('an entry twice', (old) => [...old, old[0]]),
  put('an entry null', (old) => [...old, null]),
  put('an entry empty', (old) => [...old, typeof old[0] === 'object' ? {} : '']),
];
const objects: readonly Change[] = [
  put('a text', () => 'x'),
  put('a list', () => []),
  put('emptied', () => ({})),
  put('a field more', (old) => ({ ...old, surplus: 'x' })),
  put('a field that is no name', (old) => ({ ...old, 'No Name!': 'x' })),
];

function changesFor(value: Json): readonly Change[] {
  if (Array.isArray(value)) return [...anywhere, ...lists];
  if (typeof value === 'object' && value !== null) return [...anywhere, ...objects];
  return [...anywhere, ...(typeof value === 'number' ? numbers : typeof value === 'boolean' ? booleans : texts)];
}

/** The places in an object, its own name, kind and version left out: they say where it goes. */
function spotsOf(object: Json): Spot[] {
  return placesIn(object, '').filter(({ path }) => path !== 'apiVersion' && path !== 'kind');
}

function placesIn(at: Json, path: string): Spot[] {
  return Object.keys(at).flatMap((name) => {
    const key = Array.isArray(at) ? Number(name) : name;
    const here = typeof key === 'number' ? `${path}[${key}]` : path ? `${path}.${key}` : key;
    const inside = typeof at[name] === 'object' && at[name] !== null ? placesIn(at[name], here) : [];
    return [{ path: here, at, key }, ...inside];
  });
}

/** Mutants of an object, each with one change: all, or `most` of them chosen by `random`. */
export function mutantsOf(object: object, random: (below: number) => number, most: number = Number.POSITIVE_INFINITY): Mutant[] {
  const all = spotsOf(object).flatMap((spot, index) => changesFor(spot.at[spot.key]).map((change) => ({ index, spot, change })));
  const chosen = all.length <= most ? all : Array.from({ length: most }, () => all.splice(random(all.length), 1)[0]!);
  return chosen.map(({ index, spot, change: [name, apply] }) => {
    const body = structuredClone(object);
    const { at, key } = spotsOf(body)[index]!;
    apply(at, key);
    return { what: `${spot.path}: ${name}`, body };
  });
}
