/** `-o table|wide|json|yaml|name`: how commands print data. */
import { createRequire } from 'node:module';
import type yaml from 'yaml';
import type { PresetText } from './command.ts';

export type OutputFormat = 'table' | 'wide' | 'json' | 'yaml' | 'name';
const outputFormats: readonly OutputFormat[] = ['table', 'wide', 'json', 'yaml', 'name'];

/** The `-o` of every command that prints data. */
export const outputOption: PresetText = {
  type: 'string',
  short: 'o',
  default: 'table',
  choices: outputFormats,
  help: 'How to print the answer',
};

export interface Column<T> {
  readonly title: string;
  readonly cell: (item: T) => string;
  /** Only in `-o wide`. */
  readonly wide?: boolean;
}

/** Loaded when it is asked for: the package weighs 11 MB in memory, and long-lived processes print no YAML. */
function stringifyYaml(document: unknown): string {
  return (createRequire(import.meta.url)('yaml') as typeof yaml).stringify(document);
}

/** Lines of aligned columns, two spaces between them, as kubectl prints tables. */
export function renderTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('   ')
      .trimEnd();
  return `${[titles, ...rows].map(line).join('\n')}\n`;
}

/** The answer as the format asks: `document` for programs, `items` as rows for people. */
export function renderOutput<T>(
  format: OutputFormat,
  document: unknown,
  items: readonly T[],
  columns: readonly Column<T>[],
  nameOf: (item: T) => string,
): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(document, undefined, 2)}\n`;
    case 'yaml':
      return stringifyYaml(document);
    case 'name':
      return items.map((item) => `${nameOf(item)}\n`).join('');
    default: {
      const shown = columns.filter((column) => format === 'wide' || !column.wide);
      return renderTable(
        shown.map((column) => column.title),
        items.map((item) => shown.map((column) => column.cell(item))),
      );
    }
  }
}

/** The value of `outputOption`, whose choices the parser has checked. */
export function outputFormat(value: string): OutputFormat {
  return outputFormats.find((format) => format === value) ?? 'table';
}
