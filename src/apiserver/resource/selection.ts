/** The label and field selectors of a request, applied to cached objects. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import type { FieldTerm } from '../../api/selector/field.ts';
import { everything, type Selector } from '../../api/selector/label.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { viewOf } from './presentation.ts';

/** Fields whose equality is common enough among watchers to be looked up instead of compared: one watcher per node, per object. */
const indexedFields: readonly string[] = ['spec.nodeName', 'metadata.name'];

export class Selection {
  readonly #row: ResourceRow;
  readonly #labels: Selector;
  readonly #terms: readonly FieldTerm[];
  /** True when every object matches. */
  readonly all: boolean;

  constructor(row: ResourceRow, labels: Selector, terms: readonly FieldTerm[]) {
    this.#row = row;
    this.#labels = labels;
    this.#terms = terms;
    this.all = labels.empty && terms.length === 0;
  }

  static everything(row: ResourceRow): Selection {
    return new Selection(row, everything, []);
  }

  matches(object: CachedObject): boolean {
    if (this.all) return true;
    if (!this.#labels.empty && !this.#labels.matches(object.labels)) return false;
    return this.#terms.every((t) => (this.#valueOf(object, t.path) === t.value) === (t.op === '='));
  }

  /** A field whose one value all matching objects share. */
  get index(): { readonly field: string; readonly value: string; readonly valueOf: (object: CachedObject) => string } | undefined {
    for (const field of indexedFields) {
      const term = this.#terms.find((t) => t.path === field && t.op === '=');
      if (term) return { field, value: term.value, valueOf: (object) => this.#valueOf(object, field) };
    }
    return undefined;
  }

  /** The name that the objects must have, when the selector says so. */
  get name(): string | undefined {
    return this.#terms.find((t) => t.path === 'metadata.name' && t.op === '=')?.value;
  }

  #valueOf(object: CachedObject, path: string): string {
    // Names are in the key: no need to look into the object.
    if (path === 'metadata.name') return object.key.slice(object.key.lastIndexOf('/') + 1);
    return this.#row.selectableFields[path]?.(viewOf(this.#row, object)) ?? '';
  }
}
