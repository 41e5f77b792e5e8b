/** The folder of facts about the Kubernetes API that `generate.ts` starts from, and what has to be put right in it. */

export interface FieldFact {
  /** The protobuf number. */
  readonly n: number;
  readonly t: string;
  readonly m?: Readonly<Record<string, unknown>>;
  readonly inline?: boolean;
}
export interface TypeFact {
  readonly fields: Readonly<Record<string, FieldFact>>;
  readonly required?: readonly string[];
  readonly gvk?: { readonly group: string; readonly version: string; readonly kind: string };
  /** In how many groups the kind stands, for kinds that stand in every group. */
  readonly gvks?: number;
}
export type Facts = Readonly<Record<string, TypeFact>>;

/** Protobuf names that are not the JSON names; the facts mark them as inline because they found no JSON field of that name. */
const jsonNames: Readonly<Record<string, string>> = {
  Webhooks: 'webhooks',
  Expression: 'expression',
  Name: 'name',
  uID: 'uid',
  aPIGroup: 'apiGroup',
  workloadRef: 'workloadRef',
};

/** The fields with their JSON names; `inline` is left only where the members really appear in the parent's JSON. */
export function jsonFields(type: TypeFact): [string, FieldFact][] {
  return Object.entries(type.fields).map(([name, field]) => {
    const json = field.inline ? jsonNames[name] : undefined;
    return json === undefined ? [name, field] : [json, { ...field, inline: false }];
  });
}
