/** The Table of a custom resource: NAME, and what its definition asks for; AGE where it asks for nothing. */
import { isObject } from '../codec/json-object.ts';
import { ageOf } from '../columns/age.ts';
import { type CellColumn, columnsOf } from '../columns/columns.ts';
import type { Cell, Column, Columns } from '../registry/resource-row.ts';
import type { PrinterColumn } from './definition.ts';
import { firstAt, parseJsonPath } from './json-path.ts';

const ageColumn: PrinterColumn = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since the object was created',
};

export function printerColumns(columns: readonly PrinterColumn[] = []): Columns {
  return columnsOf((columns.length > 0 ? columns : [ageColumn]).map(cellColumn));
}

function cellColumn({
  name = '',
  type = 'string',
  format = '',
  description,
  priority = 0,
  jsonPath = '',
}: PrinterColumn): CellColumn<object> {
  const path = parseJsonPath(jsonPath);
  return {
    name,
    type: type as Column['type'],
    format,
    description: description || `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    priority,
    cell: (object, now) => (path ? cellOf(firstAt(object, path), type, now) : null),
  };
}

/** As upstream: a value of another type than the column's is left out, and a text column shows anything. */
function cellOf(value: unknown, type: string, now: Date): Cell {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? dateCell(value, now) : null;
    default:
      return typeof value === 'object' ? JSON.stringify(sorted(value)) : String(value);
  }
}

function dateCell(text: string, now: Date): string {
  return Number.isNaN(Date.parse(text)) ? '<invalid>' : ageOf(text, now);
}

/** With the keys in Go's order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
}
