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
  /** The type whose texts hold for fields that have none here. */
  readonly like: string | undefined;
}

const anywhere = '*';
const anyCondition = 'Condition';

/** Reads `Type: text`, or `Type < Other: text` for one that has the fields of another too, and, indented, `field: text`. */
function parse(texts: readonly string[]): ReadonlyMap<string, Description> {
  const types = new Map<string, Description>();
  let fields = new Map<string, string>();
  for (const line of texts.flatMap((text) => text.split('\n'))) {
    const [, indent, name, other, text = ''] = /^( *)([\w*]+)(?: < (\w+))?: (.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    if (indent !== '') fields.set(name, text);
    else {
      fields = new Map();
      types.set(name, { text, fields, like: other });
    }
  }
  return types;
}

/** By the short names of `types.ts`. */
export const descriptions: ReadonlyMap<string, Description> = parse([everywhere, pods, workloads, network, storage, nodesAndAccess]);

const byFullName = new Map([...descriptions].map(([short, description]) => [typeNamed(short)?.name ?? short, description]));

/** What every condition has holds for the conditions of each kind, and some things hold for all types. */
function* sourcesOf(typeName: string): Generator<Description | undefined> {
  for (let one = byFullName.get(typeName); one; one = one.like === undefined ? undefined : descriptions.get(one.like)) yield one;
  if (typeName.endsWith(anyCondition)) yield descriptions.get(anyCondition);
  yield descriptions.get(anywhere);
}

/** By the type's name in the schema tables, such as `core.v1.Pod`; undefined where nothing is written. */
export function typeDescription(typeName: string): string | undefined {
  return byFullName.get(typeName)?.text || undefined;
}

export function fieldDescription(typeName: string, field: string): string | undefined {
  return sourcesOf(typeName)
    .map((one) => one?.fields.get(field))
    .find((text) => text !== undefined);
}
