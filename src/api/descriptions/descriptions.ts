/** What `kubectl explain` says of types and fields: reads the texts of this folder, and finds the one of a type or field. */
import { typeNamed } from '../schema/schema.ts';
import { everywhere } from './everywhere.ts';
import { network } from './network.ts';
import { nodesAndAccess } from './nodes-and-access.ts';
import { pods } from './pods.ts';
import { storage } from './storage.ts';
import { workloads } from './workloads.ts';

export interface Description {
  /** Empty where only fields of the type are described. */
  readonly text: string;
  readonly fields: ReadonlyMap<string, string>;
  /** The type whose texts hold for fields that have none of their own. */
  readonly like: string | undefined;
}

const anywhere = '*';
const anyCondition = 'Condition';

/** Reads lines `Type: text`, or `Type < Other: text` for a type with the fields of another; below them, indented, `field: text`. */
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

interface Descriptions {
  /** By the short names of `types.ts`. */
  readonly byShortName: ReadonlyMap<string, Description>;
  /** By the names of the schema tables. */
  readonly byName: ReadonlyMap<string, Description>;
}

let known: Descriptions | undefined;

/** Parsed on the first call, so that it costs no time at a server's start. */
export function descriptions(): Descriptions {
  if (!known) {
    const byShortName = parse([everywhere, pods, workloads, network, storage, nodesAndAccess]);
    known = { byShortName, byName: new Map([...byShortName].map(([short, one]) => [typeNamed(short)?.name ?? short, one])) };
  }
  return known;
}

/** Where to look for a field's text, in this order: the type, those it is like, `Condition` for all conditions, `*`. */
function* sourcesOf(typeName: string): Generator<Description | undefined> {
  const { byName, byShortName } = descriptions();
  for (let one = byName.get(typeName); one; one = one.like === undefined ? undefined : byShortName.get(one.like)) yield one;
  if (typeName.endsWith(anyCondition)) yield byShortName.get(anyCondition);
  yield byShortName.get(anywhere);
}

/** By the type's name in the schema tables, such as `core.v1.Pod`; undefined where nothing is written. */
export function typeDescription(typeName: string): string | undefined {
  return descriptions().byName.get(typeName)?.text || undefined;
}

export function fieldDescription(typeName: string, field: string): string | undefined {
  return sourcesOf(typeName)
    .map((one) => one?.fields.get(field))
    .find((text) => text !== undefined);
}
