/**
 * Writes messages.ts from a description of the CRI v1 protobuf file: `node generate.ts --facts FILE`. The tables hold what the called
 * methods reach, the types what the kubelet gives and gets. No build or test needs this.
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
/** What the kubelet gives to a call, and so names by its type. */
const given = 'AttachRequest AuthConfig ContainerConfig ExecRequest PodSandboxConfig PortForwardRequest'.split(' ');

/** Fields of no use here: they would be decoded for nothing, some of them for every container whose statistics are asked for. */
const unread = 'windows io swap psi features runtimeHandlers'.split(' ');

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

function fieldsOf(message: string): [key: string, field: Field][] {
  const fields = Object.entries(facts.messages[message] ?? {}).map(([name, field]): [string, Field] => [camel(name), field]);
  return fields.filter(([key]) => !unread.includes(key));
}

/** Adds a message, and those of its fields. */
function reach(name: string, reached: Set<string>): void {
  if (reached.has(name)) return;
  reached.add(name);
  for (const [, { t }] of fieldsOf(name)) if (facts.messages[elementOf(t)]) reach(elementOf(t), reached);
}

const needed = new Set<string>();
const typed = new Set<string>();
for (const name of given) reach(name, typed);
const methods: string[] = [];
for (const [service, rpcs] of Object.entries(facts.services)) {
  for (const [method, [request, answer]] of Object.entries(rpcs)) {
    if (!called.includes(method)) continue;
    const response = answer.replace('stream ', '');
    reach(request, needed);
    reach(response, needed);
    // That something changed is enough: the events of containers are not read.
    if (fieldsOf(response).length > 0 && method !== 'GetContainerEvents') reach(response, typed);
    methods.push(`  ${method}: ['${service}', '${request}', '${response}'],`);
  }
}

const interfaces: string[] = [];
const rows: string[] = [];
const usedEnums = new Set<string>();
for (const name of [...needed].sort()) {
  const lines: string[] = [];
  const cells: string[] = [];
  for (const [key, { n, t }] of fieldsOf(name)) {
    const many = t.startsWith('[]');
    const element = elementOf(t);
    const isEnum = enumOf(element) !== undefined;
    if (isEnum && typed.has(name)) usedEnums.add(element);
    if (element.startsWith('map<')) lines.push(`  ${key}: Record<string, string>;`);
    else if (isEnum || scalars[element]) lines.push(`  ${key}: ${scalars[element] ?? element}${many ? '[]' : ''};`);
    else lines.push(`  ${key}${many ? `: ${element}[]` : `?: ${element} | undefined`};`);
    const wire = element.startsWith('map<') ? 'map' : isEnum ? 'int32' : element;
    cells.push(`${key}:${n}:${many ? '[]' : ''}${wire}`);
  }
  if (typed.has(name)) interfaces.push(`export interface ${name} {\n${lines.join('\n')}\n}`);
  rows.push(`  ${name}: '${cells.join(' ')}',`);
}

const enums = Object.entries(facts.enums).flatMap(([name, values]) => {
  const short = name.replace(/^.*\./, '');
  if (short === 'Signal' || !(usedEnums.has(name) || usedEnums.has(short))) return [];
  const members = Object.entries(values).map(([k, v]) => `  ${k}: ${v},`);
  return [`export const ${short} = {\n${members.join('\n')}\n} as const;\nexport type ${short} = number;`];
});
const text = `// Made by generate.ts from the CRI v1 service; do not edit. int64 and uint64 are numbers: times in ns lose their last 8 bits.

/** What a method takes: every field may be left out. */
export type Input<T> = T extends Uint8Array ? T : T extends object ? { readonly [K in keyof T]?: Input<T[K]> | undefined } : T;

${enums.join('\n\n')}

export type Signal = number;

${interfaces.join('\n\n')}

/** Per message: \`name:number:type\` of each field. */
export const messageTable = {
${rows.join('\n')}
} as const;

export type MessageName = keyof typeof messageTable;

/** Per method: its service, and the names of the messages that it takes and gives. */
export const methodTable = {
${methods.join('\n')}
} as const;

export type MethodName = keyof typeof methodTable;
`;
writeFileSync(new URL('./messages.ts', import.meta.url), text);
