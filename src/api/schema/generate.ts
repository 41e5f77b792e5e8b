/**
 * Makes the project's own tables out of a folder of facts about the Kubernetes API (`kubernetes-1.35-types.json`):
 * `types.ts`, the TypeScript types of every object, and `tables.json`, what the codec, patches and checks know of them.
 * What it writes is committed; no build or test runs it. `--go` names a folder with the sources of the Go modules k8s.io/api
 * and k8s.io/apimachinery (`DIR/api/core/v1/types.go` …); without it, what they say is kept from the tables of the last run.
 *
 *     node src/api/schema/generate.ts --facts DIR [--go DIR]
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Facts, jsonFields } from './facts.ts';
import { atomicStructs, enumsOf, fieldTypes, zeroCounts } from './go-fields.ts';
import { type GoFacts, renderTables } from './render-tables.ts';
import { shortNames } from './short-names.ts';
import type { TypeRow } from './tables.ts';

/** Types whose JSON is not an object of their fields. */
const scalars: Readonly<Record<string, string>> = {
  'k8s.io.apimachinery.pkg.apis.meta.v1.Time': 'string',
  'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime': 'string',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Duration': 'string',
  'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1': 'Record<string, unknown>',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Verbs': 'string[]',
  'k8s.io.apimachinery.pkg.api.resource.Quantity': 'string',
  'k8s.io.apimachinery.pkg.api.resource.QuantityValue': 'string',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': 'number | string',
  'k8s.io.apimachinery.pkg.runtime.RawExtension': 'unknown',
};

function tsType(t: string, names: Map<string, string>): string {
  if (t.startsWith('[]')) {
    const inner = tsType(t.slice(2), names);
    return inner.includes(' ') ? `(${inner})[]` : `${inner}[]`;
  }
  if (t.startsWith('map<string,')) return `Record<string, ${tsType(t.slice(11, -1), names)}>`;
  if (t === 'bool') return 'boolean';
  if (t === 'int32' || t === 'int64') return 'number';
  if (t === 'bytes' || t === 'string') return 'string';
  return scalars[t] ?? names.get(t) ?? 'unknown';
}

function members(full: string, facts: Facts, names: Map<string, string>): string[] {
  const type = facts[full];
  if (!type) return [];
  const lines: string[] = [];
  for (const [json, field] of jsonFields(type)) {
    if (field.inline) {
      lines.push(...members(field.t, facts, names));
      continue;
    }
    if (type.gvk && json === 'metadata') {
      lines.push(`  metadata: ${tsType(field.t, names)};`);
      continue;
    }
    if (!type.gvk && field.t.endsWith('meta.v1.ObjectMeta')) {
      // A template's metadata has no name of its own.
      lines.push(`  ${json}?: Partial<ObjectMeta> | undefined;`);
      continue;
    }
    const must = type.required?.includes(json);
    lines.push(`  ${json}${must ? '' : '?'}: ${tsType(field.t, names)}${must ? '' : ' | undefined'};`);
  }
  return lines;
}

/** Renders the TypeScript types of all facts. */
function renderTypes(facts: Facts): string {
  const names = shortNames(Object.keys(facts).filter((n) => !(n in scalars)));
  const out = [
    '// Made by generate.ts from facts about Kubernetes 1.35; do not edit. Quantities and times are strings as in JSON,',
    '// bytes are base64. Every field that may be absent is optional; `metadata.name` is there on every stored object.',
    '',
  ];
  for (const [full, short] of [...names].toSorted((a, b) => a[1].localeCompare(b[1]))) {
    const type = facts[full];
    out.push(`export interface ${short} {`);
    if (type?.gvk) out.push('  apiVersion: string;', '  kind: string;');
    const own = members(full, facts, names);
    out.push(...(short === 'ObjectMeta' ? own.map((l) => (l.startsWith('  name?') ? '  name: string;' : l)) : own), '}', '');
  }
  return out.join('\n');
}

/** The Go files of that pattern, by table package; core first, whose constants others name. */
function goSources(dir: string, file: string): Map<string, string[]> {
  const out = new Map<string, string[]>([['core.v1', []]]);
  for (const [folder, cut] of [
    ['api/*/*', 'api/'],
    ['apimachinery/pkg/apis/meta/v1', 'apimachinery/pkg/apis/'],
  ] as const) {
    for (const path of globSync(`${folder}/${file}`, { cwd: dir })) {
      const pkg = path.slice(cut.length, path.lastIndexOf('/')).replace('/', '.');
      out.set(pkg, [...(out.get(pkg) ?? []), readFileSync(join(dir, path), 'utf8')]);
    }
  }
  return out;
}

function fromGo(dir: string): GoFacts {
  const types = [...goSources(dir, 'types*.go')];
  const enums = enumsOf(goSources(dir, '*.go'));
  const valuesOf = (pkg: string, type: string): readonly string[] => enums.get(type.includes('.') ? type : `${pkg}.${type}`) ?? [];
  const fields = types.flatMap(([pkg, texts]) =>
    texts.flatMap((text) => [...fieldTypes(text)].map(([name, type]) => [`${pkg}.${name}`, valuesOf(pkg, type)] as const)),
  );
  return {
    zero: new Map(types.map(([pkg, texts]) => [pkg, new Set(texts.flatMap((text) => [...zeroCounts(text)]))])),
    atomic: new Set(types.flatMap(([pkg, texts]) => texts.flatMap(atomicStructs).map((type) => `${pkg}.${type}`))),
    enums: new Map(fields.filter(([, values]) => values.length > 0)),
  };
}

function fromTables(path: string): GoFacts {
  const out: GoFacts = { zero: new Map(), atomic: new Set(), enums: new Map() };
  if (!existsSync(path)) return out;
  for (const [name, row] of Object.entries(JSON.parse(readFileSync(path, 'utf8')) as Record<string, TypeRow>)) {
    const dot = name.lastIndexOf('.');
    const set = out.zero.get(name.slice(0, dot)) ?? new Set<string>();
    out.zero.set(name.slice(0, dot), set);
    for (const [field, , , flags, marks] of row.fields) {
      if (flags.includes('z')) set.add(`${name.slice(dot + 1)}.${field}`);
      if (marks?.enum) out.enums.set(`${name}.${field}`, marks.enum);
    }
    if (row.atomic) out.atomic.add(name);
  }
  return out;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { facts: { type: 'string' }, go: { type: 'string' } } });
  if (!values.facts) {
    process.stderr.write('usage: node src/api/schema/generate.ts --facts DIR [--go DIR]\n');
    process.exit(2);
  }
  const facts = JSON.parse(readFileSync(join(values.facts, 'kubernetes-1.35-types.json'), 'utf8')) as Facts;
  const tablesPath = join(import.meta.dirname, 'tables.json');
  const go = values.go ? fromGo(values.go) : fromTables(tablesPath);
  writeFileSync(join(import.meta.dirname, 'types.ts'), renderTypes(facts));
  writeFileSync(tablesPath, renderTables(facts, go));
}
