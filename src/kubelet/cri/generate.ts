/**
 * Writes messages.ts (types and field table) from a description of the CRI v1 protobuf file: `node generate.ts --facts FILE`.
 * Only what the called methods reach is written; Windows fields are left out. No build or test needs this.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

interface Field {
  readonly n: number;
  readonly t: string;
}
interface Facts {
  readonly services: Record<string, Record<string, readonly [string, string]>>;
  readonly enums: Record<string, Record<string, number>>;
  readonly messages: Record<string, Record<string, Field>>;
}

const scalars: Record<string, string> = {
  string: 'string',
  bool: 'boolean',
  bytes: 'Uint8Array',
  int32: 'number',
  int64: 'number',
  uint32: 'number',
  uint64: 'number',
  double: 'number',
};
const called = [
  'Version RuntimeConfig Status RunPodSandbox StopPodSandbox RemovePodSandbox PodSandboxStatus ListPodSandbox CreateContainer StartContainer',
  'StopContainer RemoveContainer ListContainers ContainerStatus UpdateContainerResources ReopenContainerLog ExecSync Exec Attach PortForward',
  'ListContainerStats GetContainerEvents ListImages ImageStatus PullImage RemoveImage ImageFsInfo',
]
  .join(' ')
  .split(' ');

const { values } = parseArgs({ options: { facts: { type: 'string' } } });
if (!values.facts) throw new Error('--facts FILE is needed');
const facts = JSON.parse(readFileSync(values.facts, 'utf8')) as Facts;

function camel(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function elementOf(t: string): string {
  return t.replace(/^\[\]/, '');
}

function enumOf(t: string): Record<string, number> | undefined {
  return facts.enums[t] ?? Object.entries(facts.enums).find(([name]) => name.endsWith(`.${t}`))?.[1];
}

const needed = new Set<string>();
function need(name: string): void {
  if (needed.has(name)) return;
  needed.add(name);
  for (const [field, f] of Object.entries(facts.messages[name] ?? {}))
    if (!isSkipped(field) && facts.messages[elementOf(f.t)]) need(elementOf(f.t));
}
function isSkipped(field: string): boolean {
  return field === 'windows';
}

const methods: string[] = [];
for (const [service, rpcs] of Object.entries(facts.services)) {
  for (const [method, [request, response]] of Object.entries(rpcs)) {
    if (!called.includes(method)) continue;
    const result = response.replace('stream ', '');
    need(request);
    need(result);
    methods.push(`  ${method}: { path: '/runtime.v1.${service}/${method}', request: '${request}', response: '${result}' },`);
  }
}

const interfaces: string[] = [];
const rows: string[] = [];
for (const name of [...needed].sort()) {
  const lines: string[] = [];
  const cells: string[] = [];
  for (const [field, f] of Object.entries(facts.messages[name] ?? {})) {
    if (isSkipped(field)) continue;
    const many = f.t.startsWith('[]');
    const element = elementOf(f.t);
    const values = enumOf(element);
    const key = camel(field);
    if (element.startsWith('map<')) lines.push(`  ${key}: Record<string, string>;`);
    else if (values) lines.push(`  ${key}: ${many ? `${element}[]` : element};`);
    else if (scalars[element]) lines.push(`  ${key}: ${scalars[element]}${many ? '[]' : ''};`);
    else lines.push(`  ${key}${many ? `: ${element}[]` : `?: ${element} | undefined`};`);
    const wire = element.startsWith('map<') ? 'map' : values ? 'int32' : element;
    cells.push(`${key}:${f.n}:${many ? '[]' : ''}${wire}`);
  }
  interfaces.push(lines.length ? `export interface ${name} {\n${lines.join('\n')}\n}` : `export type ${name} = Record<string, never>;`);
  rows.push(`  ${name}: '${cells.join(' ')}',`);
}

const enums = Object.entries(facts.enums)
  .filter(([name]) => name !== 'Signal' && name !== 'MetricType')
  .map(([name, values]) => {
    const short = name.replace(/^.*\./, '');
    const members = Object.entries(values).map(([k, v]) => `  ${k}: ${v},`);
    return `export const ${short} = {\n${members.join('\n')}\n} as const;\nexport type ${short} = number;`;
  });
const text = `// Made by generate.ts from the CRI v1 service; do not edit. int64 and uint64 are numbers: times in ns lose their last 8 bits.

/** What a method takes: every field may be left out. */
export type Input<T> = T extends Uint8Array ? T : T extends object ? { readonly [K in keyof T]?: Input<T[K]> | undefined } : T;

${enums.join('\n\n')}

export type Signal = number;

${interfaces.join('\n\n')}

export type MessageName =
${[...needed]
  .sort()
  .map((name) => `  | '${name}'`)
  .join('\n')};

/** Per message: \`name:number:type\` of each field. */
export const messageTable: Readonly<Record<MessageName, string>> = {
${rows.join('\n')}
};

export type MethodName =
${methods.map((row) => `  | '${row.trim().split(':')[0]}'`).join('\n')};

export interface Method {
  readonly path: string;
  readonly request: MessageName;
  readonly response: MessageName;
}

export const methodTable: Readonly<Record<MethodName, Method>> = {
${methods.join('\n')}
};
`;
writeFileSync(new URL('./messages.ts', import.meta.url), text);
