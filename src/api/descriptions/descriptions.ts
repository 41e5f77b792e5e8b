import { typeNamed } from '../schema/schema.ts';
import { everywhere } from './everywhere.ts';
import { network } from './network.ts';
import { nodesAndAccess } from './nodes-and-access.ts';
import { pods } from './pods.ts';
import { storage } from './storage.ts';
import { workloads } from './workloads.ts';

export interface Description {
  /** Empty for a type of which only fields are told. */
  readonly text: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** What stands for fields of every type, and for those of every type that is one. */
const anywhere = '*';
const anyCondition = 'Condition';

/** Reads `Type: text` and, indented, `field: text`. */
function parse(texts: readonly string[]): ReadonlyMap<string, Description> {
  const types = new Map<string, { text: string; fields: Map<string, string> }>();
  let fields = new Map<string, string>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [, indent, name, text = ''] = /^( *)([\w*]+): (.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    if (indent !== '') fields.set(name, text);
    else {
      fields = new Map();
      types.set(name, { text, fields });
    }
  }
  return types;
}

/** By the short names of `types.ts`. */
export const descriptions: ReadonlyMap<string, Description> = parse([everywhere, pods, workloads, network, storage, nodesAndAccess]);

const byFullName = new Map([...descriptions].map(([short, description]) => [typeNamed(short)?.name ?? short, description]));

/** By the type's name in the schema tables, such as `core.v1.Pod`; undefined where nothing is written. */
export function typeDescription(typeName: string): string | undefined {
  return byFullName.get(typeName)?.text || undefined;
}

export function fieldDescription(typeName: string, field: string): string | undefined {
  const condition = typeName.endsWith(anyCondition) ? descriptions.get(anyCondition)?.fields.get(field) : undefined;
  return byFullName.get(typeName)?.fields.get(field) ?? condition ?? descriptions.get(anywhere)?.fields.get(field);
}
