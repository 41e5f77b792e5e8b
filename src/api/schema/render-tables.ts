/** Renders `tables.json`: what the codec, the patches and the strict checks know about each type, as little as they need. */
import { type Facts, type FieldFact, jsonFields, type TypeFact } from './facts.ts';
import type { FieldMarks, FieldRow, TypeRow } from './tables.ts';

/** Types that JSON does not show as an object of their fields, and the word the tables have for them. */
const special: Readonly<Record<string, string>> = {
  'k8s.io.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1': 'fieldsV1',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Verbs': 'strings',
  'k8s.io.api.authentication.v1.ExtraValue': 'strings',
  'k8s.io.api.authorization.v1.ExtraValue': 'strings',
  'k8s.io.api.certificates.v1.ExtraValue': 'strings',
  'k8s.io.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'k8s.io.apimachinery.pkg.api.resource.QuantityValue': 'quantity',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'k8s.io.apimachinery.pkg.runtime.RawExtension': 'raw',
};

const api = 'k8s.io.api.';
const meta = 'k8s.io.apimachinery.pkg.apis.';

/** `k8s.io.api.core.v1.Pod` → `core.v1.Pod`; undefined for what no API object is made of. */
function tableName(full: string): string | undefined {
  if (full in special) return undefined;
  if (full.startsWith(api)) return full.slice(api.length);
  return full.startsWith(meta) ? full.slice(meta.length) : undefined;
}

function tableType(t: string): string {
  if (t.startsWith('[]')) return `[]${tableType(t.slice(2))}`;
  if (t.startsWith('map<string,')) return `{}${tableType(t.slice(11, -1))}`;
  return special[t] ?? tableName(t) ?? t;
}

function defaultOf(text: unknown): unknown {
  if (typeof text !== 'string' || text.startsWith('ref(')) return undefined;
  return JSON.parse(text);
}

function marksOf(field: FieldFact, values: readonly string[] | undefined): FieldMarks | undefined {
  const m = field.m ?? {};
  const keys = m.listMapKey;
  const marks: FieldMarks = {
    ...(m.patchMergeKey ? { mergeKey: String(m.patchMergeKey) } : {}),
    ...(m.patchStrategy ? { strategy: String(m.patchStrategy) } : {}),
    ...(m.listType ? { listType: String(m.listType) } : {}),
    ...(keys ? { listKeys: Array.isArray(keys) ? keys.map(String) : [String(keys)] } : {}),
    ...((m.mapType ?? m.structType) ? { mapType: String(m.mapType ?? m.structType) } : {}),
    ...(defaultOf(m.default) === undefined ? {} : { default: defaultOf(m.default) }),
    ...(values ? { enum: values } : {}),
  };
  return Object.keys(marks).length > 0 ? marks : undefined;
}

/** What only the Go sources know. */
export interface GoFacts {
  /** Per table package (`core.v1`) the fields whose zero value counts, as `Type.field`. */
  readonly zero: Map<string, Set<string>>;
  /** The table names of atomic structs. */
  readonly atomic: Set<string>;
  /** The values of a field: `core.v1.ServicePort.protocol`. */
  readonly enums: Map<string, readonly string[]>;
}

function fieldRow(
  type: TypeFact,
  goType: string,
  name: string,
  field: FieldFact,
  zero: ReadonlySet<string>,
  values: readonly string[] | undefined,
): FieldRow {
  const flags = [
    type.required?.includes(name) ? 'r' : '',
    zero.has(`${goType}.${name}`) ? 'z' : '',
    field.inline && !field.t.startsWith('[]') ? 'i' : '',
  ].join('');
  const marks = marksOf(field, values);
  return marks ? [name, field.n, tableType(field.t), flags, marks] : [name, field.n, tableType(field.t), flags];
}

export function renderTables(facts: Facts, { zero, atomic, enums }: GoFacts): string {
  const lines: string[] = [];
  for (const full of Object.keys(facts).toSorted()) {
    const type = facts[full];
    const name = tableName(full);
    if (!type || !name) continue;
    const dot = name.lastIndexOf('.');
    const counts = zero.get(name.slice(0, dot)) ?? new Set<string>();
    const fields = jsonFields(type).map(([json, field]) =>
      fieldRow(type, name.slice(dot + 1), json, field, counts, enums.get(`${name}.${json}`)),
    );
    // DeleteOptions stand in every group and name themselves; a WatchEvent does not.
    const named = type.gvk !== undefined || (type.gvks !== undefined && 'gracePeriodSeconds' in type.fields);
    const row: TypeRow = { ...(named ? { kind: true } : {}), ...(atomic.has(name) ? { atomic: true } : {}), fields };
    lines.push(`${JSON.stringify(name)}:${JSON.stringify(row)}`);
  }
  return `{\n${lines.join(',\n')}\n}\n`;
}
