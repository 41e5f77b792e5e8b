/** How the fields of a type are owned: what is a leaf, which lists have entries with owners of their own, and what names an entry. */
import type { ApiType, Field } from '../schema/schema.ts';

/** `any` is JSON of no known type. */
export type ShapeKind = 'scalar' | 'struct' | 'map' | 'list' | 'any';
type Scalar = 'string' | 'numeric' | 'boolean' | 'untyped';

export class Shape {
  readonly kind: ShapeKind;
  /** Owned and replaced as a whole; always so for scalars. */
  readonly atomic: boolean;
  readonly scalar: Scalar | undefined;
  readonly isQuantity: boolean;
  /** Of the entries of a map or list. */
  readonly element: Shape | undefined;
  /** The fields that name an entry of a list; none for a set. */
  readonly keys: readonly string[];
  readonly default: unknown;
  readonly #type: ApiType | undefined;
  #fields: ReadonlyMap<string, Shape> | undefined;

  constructor(init: {
    readonly kind: ShapeKind;
    readonly atomic: boolean;
    readonly scalar?: Scalar;
    readonly isQuantity?: boolean;
    readonly element?: Shape;
    readonly keys?: readonly string[];
    readonly default?: unknown;
    readonly type?: ApiType | undefined;
  }) {
    this.kind = init.kind;
    this.atomic = init.atomic;
    this.scalar = init.scalar;
    this.isQuantity = init.isQuantity ?? false;
    this.element = init.element;
    this.keys = init.keys ?? [];
    this.default = init.default;
    this.#type = init.type;
  }

  /** The declared fields of a struct. Made when asked for: types may contain themselves. */
  get fields(): ReadonlyMap<string, Shape> {
    if (!this.#fields) {
      const fields = new Map<string, Shape>();
      if (this.#type?.isKind) for (const name of ['apiVersion', 'kind']) fields.set(name, text);
      for (const [name, field] of this.#type?.jsonFields ?? []) fields.set(name, shapeOfField(field));
      this.#fields = fields;
    }
    return this.#fields;
  }

  /** Of one member of a struct or map. */
  member(name: string): Shape | undefined {
    return this.kind === 'map' ? this.element : this.fields.get(name);
  }
}

const text = new Shape({ kind: 'scalar', atomic: true, scalar: 'string' });
const structs = new Map<ApiType, Shape>();

export function shapeOfType(type: ApiType): Shape {
  let shape = structs.get(type);
  if (!shape) {
    shape = new Shape({ kind: 'struct', atomic: type.isAtomic, type });
    structs.set(type, shape);
  }
  return shape;
}

const scalars: Readonly<Partial<Record<Field['kind'], Scalar>>> = {
  string: 'string',
  bytes: 'string',
  bool: 'boolean',
  int32: 'numeric',
  int64: 'numeric',
};

function shapeOfField(field: Field): Shape {
  const { shape, marks } = field;
  const one = shapeOfEntry(field);
  if (shape === 'map') return new Shape({ kind: 'map', atomic: marks.mapType === 'atomic', element: one });
  if (shape === 'list') {
    const keys = listKeys(field);
    return new Shape({ kind: 'list', atomic: keys === undefined, element: one, keys: keys ?? [] });
  }
  if (field.type) return marks.mapType === 'atomic' ? new Shape({ kind: 'struct', atomic: true, type: field.type }) : one;
  if (one.kind !== 'scalar') return one;
  return scalarShape(field, marks.default ?? zeroOf(field));
}

function shapeOfEntry(field: Field): Shape {
  if (field.type) return shapeOfType(field.type);
  if (field.kind === 'raw' || field.kind === 'fieldsV1') return new Shape({ kind: 'any', atomic: true });
  if (field.kind === 'strings') return new Shape({ kind: 'list', atomic: true, element: text });
  return scalarShape(field, undefined);
}

/** The keys of a list's entries; undefined for a list that is owned as a whole. Without a list type the patch strategy decides. */
function listKeys({ marks }: Field): readonly string[] | undefined {
  if (marks.listType === 'map') return marks.listKeys ?? [];
  if (marks.listType === 'set') return [];
  if (marks.listType !== undefined || !marks.strategy?.startsWith('merge')) return undefined;
  return marks.mergeKey === undefined ? [] : [marks.mergeKey];
}

/** The zero value that Go always writes for a required field that is no pointer: an entry without a name has the name ''. */
function zeroOf({ kind, required, zeroCounts }: Field): unknown {
  if (!required || !zeroCounts) return undefined;
  return kind === 'string' ? '' : kind === 'int32' || kind === 'int64' ? 0 : undefined;
}

function scalarShape({ kind }: Field, byDefault: unknown): Shape {
  return new Shape({
    kind: 'scalar',
    atomic: true,
    scalar: scalars[kind] ?? 'untyped',
    isQuantity: kind === 'quantity',
    default: byDefault,
  });
}
