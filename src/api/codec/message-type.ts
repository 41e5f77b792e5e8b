/** The TypeScript types of messages, from the same rows of a table by which `MessageCodec` reads and writes them. */

/** Per message: `name:number:type` of each field, with a type such as `string`, `[]Mount` or `map` (of strings). */
export type MessageTable = Readonly<Record<string, string>>;

/** int64 and uint64 are numbers: times in ns lose their last 8 bits. */
interface Scalars {
  int32: number;
  int64: number;
  uint32: number;
  uint64: number;
  bool: boolean;
  double: number;
  string: string;
  bytes: Uint8Array;
  map: Record<string, string>;
}

type Cell<Row> = Row extends `${infer First} ${infer Rest}` ? First | Cell<Rest> : Row;
type NameOf<Field> = Field extends `${infer Name}:${string}` ? Name : never;
type TypeOf<Field> = Field extends `${string}:${number}:${infer Type}` ? Type : never;

type Value<Table extends MessageTable, Type> = Type extends `[]${infer Item}`
  ? Value<Table, Item>[]
  : Type extends keyof Scalars
    ? Scalars[Type]
    : Type extends keyof Table
      ? MessageOf<Table, Type>
      : never;

/** Names of the fields that are messages: those that may be absent. */
type Absent<Table, Field> = TypeOf<Field> extends keyof Table ? NameOf<Field> : never;

type Shown<T> = { [K in keyof T]: T[K] };

/** What decoding a message gives. */
export type MessageOf<Table extends MessageTable, Name extends keyof Table> = Shown<
  { [F in Cell<Table[Name]> as Exclude<NameOf<F>, Absent<Table, F>>]: Value<Table, TypeOf<F>> } & {
    [F in Cell<Table[Name]> as Absent<Table, F>]?: Value<Table, TypeOf<F>> | undefined;
  }
>;

/** What is taken for a message: every field may be left out. */
export type Input<T> = T extends Uint8Array ? T : T extends object ? { readonly [K in keyof T]?: Input<T[K]> | undefined } : T;
