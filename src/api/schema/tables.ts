/** The form of `tables.json`, which `generate.ts` writes and `schema.ts` prepares for use. */
import tablesJson from './tables.json' with { type: 'json' };

export interface FieldMarks {
  /** The key by which a strategic merge patch pairs the entries of a list. */
  readonly mergeKey?: string;
  /** `merge`, `replace`, `retainKeys`, or several with commas. */
  readonly strategy?: string;
  readonly listType?: string;
  readonly listKeys?: readonly string[];
  readonly mapType?: string;
  readonly default?: unknown;
  /** All values that upstream knows for the text, or for each text of a list or map. */
  readonly enum?: readonly string[];
}

/**
 * JSON name, protobuf number, type, flags, marks. A type is `string`, `bool`, `int32`, `int64`, `bytes`, one of the special
 * words of `schema.ts`, or a table name; `[]` or `{}` in front make a list or a map with string keys.
 * Flags: `r` required, `z` the zero value counts (see go-fields.ts), `i` the members appear in the parent's JSON.
 */
export type FieldRow =
  | readonly [name: string, number: number, type: string, flags: string]
  | readonly [name: string, number: number, type: string, flags: string, marks: FieldMarks];

export interface TypeRow {
  /** True when objects of the type carry apiVersion and kind. */
  readonly kind?: boolean;
  /** True when an object of the type is owned and replaced as a whole (`x-kubernetes-map-type: atomic`). */
  readonly atomic?: boolean;
  readonly fields: readonly FieldRow[];
}

export const tables: Readonly<Record<string, TypeRow>> = tablesJson as unknown as Record<string, TypeRow>;
