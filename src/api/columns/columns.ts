/** How the Table of a resource is written down: a list of columns, each with the cell of an object. */
import type { Cell, Column, Columns } from '../registry/resource-row.ts';
import type { KubeObject } from '../resource-types.ts';
import { ageOf } from './age.ts';

export interface CellColumn<T> {
  readonly name: string;
  readonly cell: (object: T, now: Date) => Cell;
  /** Shown by `-o wide` only. */
  readonly wide?: boolean;
  readonly type?: Column['type'];
  readonly format?: string;
  readonly description?: string;
  /** Shown by `-o wide` only when it is above 0. */
  readonly priority?: number;
}

export function column<T>(
  name: string,
  cell: (object: T, now: Date) => Cell,
  options: Omit<CellColumn<T>, 'name' | 'cell'> = {},
): CellColumn<T> {
  return { name, cell, ...options };
}

export function wide<T>(
  name: string,
  cell: (object: T, now: Date) => Cell,
  options: Omit<CellColumn<T>, 'name' | 'cell'> = {},
): CellColumn<T> {
  return { name, cell, ...options, wide: true };
}

/** NAME comes first by itself. */
export function columnsOf<T extends KubeObject>(list: readonly CellColumn<T>[], conditions?: Columns<T>['conditions']): Columns<T> {
  const all: readonly CellColumn<T>[] = [
    { name: 'Name', cell: (object) => object.metadata.name, description: 'Name, unique within a namespace' },
    ...list,
  ];
  return {
    definitions: all.map((one, index) => ({
      name: one.name,
      type: one.type ?? 'string',
      format: index === 0 ? 'name' : (one.format ?? ''),
      description: one.description ?? '',
      priority: one.priority ?? (one.wide ? 1 : 0),
    })),
    cells: (object, now) => all.map((one) => one.cell(object, now)),
    ...(conditions ? { conditions } : {}),
  };
}

export function age<T extends KubeObject>(): CellColumn<T> {
  return {
    name: 'Age',
    cell: (object, now) => ageOf(object.metadata.creationTimestamp, now),
    description: 'Time since the object was created',
  };
}

/** `app=web,tier=front`, or `<none>`. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const terms = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return terms.length > 0 ? terms.sort().join(',') : '<none>';
}

/** A boolean as Go prints it in a text column. */
export function yesNo(value: boolean): string {
  return value ? 'True' : 'False';
}
