/** Which names a definition gets: those that no other one of its group has, and whether all are its own then (upstream's naming controller). */
import { isDeepStrictEqual } from 'node:util';
import { timestamp } from '../../clock/timestamp.ts';
import {
  type CustomNames,
  type CustomResourceDefinition,
  type DefinitionCondition,
  type DefinitionStatus,
  hasCondition,
} from './definition.ts';

/** Names of one group that others have. */
export interface TakenNames {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

export function takenNames(others: Iterable<CustomNames>): TakenNames {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const { plural, singular, shortNames = [], kind, listKind } of others) {
    for (const name of [plural, singular, ...shortNames]) if (name) resources.add(name);
    for (const name of [kind, listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

interface Naming {
  readonly accepted: CustomNames;
  readonly condition: Omit<DefinitionCondition, 'lastTransitionTime'>;
}

function naming(wanted: CustomNames, had: CustomNames, { resources, kinds }: TakenNames): Naming {
  const accepted: CustomNames = { ...had };
  let conflict: readonly [reason: string, names: readonly string[]] | undefined;
  const ask = (field: 'plural' | 'singular' | 'kind' | 'listKind', taken: ReadonlySet<string>, reason: string): void => {
    const name = wanted[field] ?? '';
    if (name !== had[field] && taken.has(name)) conflict = [reason, [name]];
    else accepted[field] = name;
  };
  ask('plural', resources, 'PluralConflict');
  ask('singular', resources, 'SingularConflict');
  const short = (wanted.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && resources.has(name));
  if (short.length > 0) conflict = ['ShortNamesConflict', short];
  else if (wanted.shortNames) accepted.shortNames = wanted.shortNames;
  else delete accepted.shortNames;
  ask('kind', kinds, 'KindConflict');
  ask('listKind', kinds, 'ListKindConflict');
  if (wanted.categories) accepted.categories = wanted.categories;
  else delete accepted.categories;
  if (!conflict)
    return { accepted, condition: { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' } };
  const [reason, names] = conflict;
  const texts = names.map((name) => `${JSON.stringify(name)} is already in use`);
  const message = texts.length === 1 ? (texts[0] as string) : `[${texts.join(', ')}]`;
  return { accepted, condition: { type: 'NamesAccepted', status: 'False', reason, message } };
}

/** The status with the condition in it; its time is that of the last change of its status. */
export function withCondition(
  status: DefinitionStatus,
  condition: Omit<DefinitionCondition, 'lastTransitionTime'>,
  now: number,
): DefinitionStatus {
  const conditions = status.conditions ?? [];
  const before = conditions.find(({ type }) => type === condition.type);
  const lastTransitionTime = before?.status === condition.status && before.lastTransitionTime ? before.lastTransitionTime : timestamp(now);
  const next: DefinitionCondition = { lastTransitionTime, ...condition };
  if (!before) return { ...status, conditions: [...conditions, next] };
  return { ...status, conditions: conditions.map((one) => (one === before ? next : one)) };
}

/** The status that a definition is to have; undefined when it has it. Once established, it stays so. */
export function statusOf(definition: CustomResourceDefinition, taken: TakenNames, now: number): DefinitionStatus | undefined {
  const { spec, status = {} } = definition;
  const { accepted, condition } = naming(spec?.names ?? {}, status.acceptedNames ?? {}, taken);
  let next = withCondition({ ...status, acceptedNames: accepted }, condition, now);
  if (!hasCondition(definition, 'Established'))
    next = withCondition(
      next,
      condition.status === 'True'
        ? { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
        : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' },
      now,
    );
  return isDeepStrictEqual(next, status) ? undefined : next;
}
