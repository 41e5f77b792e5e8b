/** The query of a list or watch: which objects, of which moment, how many. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { parseFieldSelector } from '../../api/selector/field.ts';
import { everything, parseLabelSelector } from '../../api/selector/label.ts';
import { type FieldError, failing, forbidden, invalid, notSupported, textOf } from '../../api/validation/field-error.ts';
import { messageOf } from '../../errors/known-error.ts';
import { Selection } from '../resource/selection.ts';
import { badRequest, invalidOptions, isStatusError } from '../status/status-error.ts';
import { boolQuery } from './request-info.ts';

export interface ReadOptions {
  readonly selection: Selection;
  /** Undefined: the latest. */
  readonly resourceVersion: number | undefined;
  readonly match: 'Exact' | 'NotOlderThan' | undefined;
  readonly limit: number;
  readonly continueToken: string;
  readonly timeoutSeconds: number | undefined;
  readonly allowBookmarks: boolean;
  /** Undefined when the client did not say. */
  readonly sendInitialEvents: boolean | undefined;
}

export function readOptions(row: ResourceRow, query: URLSearchParams, watch: boolean): ReadOptions {
  const match = query.get('resourceVersionMatch') ?? '';
  const rvText = query.get('resourceVersion') ?? '';
  const sendInitialEvents = query.has('sendInitialEvents') ? boolQuery(query, 'sendInitialEvents') : undefined;
  const continueToken = query.get('continue') ?? '';
  checkCombination({ watch, match, rvText, sendInitialEvents, continueToken });
  return {
    selection: selectionOf(row, query),
    resourceVersion: rvText === '' ? undefined : resourceVersionOf(rvText),
    match: match === 'Exact' || match === 'NotOlderThan' ? match : undefined,
    limit: whole(query, 'limit') ?? 0,
    continueToken,
    timeoutSeconds: whole(query, 'timeoutSeconds'),
    allowBookmarks: boolQuery(query, 'allowWatchBookmarks'),
    sendInitialEvents,
  };
}

export function selectionOf(row: ResourceRow, query: URLSearchParams): Selection {
  const labelText = query.get('labelSelector') ?? '';
  const fieldText = query.get('fieldSelector') ?? '';
  try {
    const labels = labelText ? parseLabelSelector(labelText) : everything;
    const terms = fieldText ? parseFieldSelector(fieldText) : [];
    for (const term of terms) {
      if (!Object.hasOwn(row.selectableFields, term.path)) throw badRequest(row.unknownField(term.path));
    }
    return new Selection(row, labels, terms);
  } catch (err) {
    throw isStatusError(err) ? err : badRequest(messageOf(err));
  }
}

export function resourceVersionOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    const wrong = invalid('resourceVersion', text, `strconv.ParseUint: ${unparsed(text)}`);
    throw badRequest(`invalid resource version: ${textOf(wrong)}`);
  }
  return Number(text);
}

function whole(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`strconv.ParseInt: ${unparsed(text)}`);
  return Number(text);
}

/** In the words of Go's strconv. */
function unparsed(text: string): string {
  return `parsing ${JSON.stringify(text)}: ${/^\d+$/.test(text) ? 'value out of range' : 'invalid syntax'}`;
}

interface Combination {
  readonly watch: boolean;
  readonly match: string;
  readonly rvText: string;
  readonly sendInitialEvents: boolean | undefined;
  readonly continueToken: string;
}

/** apimachinery's ValidateListOptions: nonsense must be refused, because an informer that asks for it would wait for ever. */
function checkCombination(o: Combination): void {
  // As most ask.
  if (!o.match && o.sendInitialEvents === undefined) return;
  const errors = o.watch ? watchErrors(o) : listErrors(o);
  if (errors.length > 0) throw invalidOptions('ListOptions', ...errors);
}

const field = 'resourceVersionMatch';
const needs = (message: string) => (): FieldError => forbidden(field, message);

function listErrors({ match, rvText, sendInitialEvents, continueToken }: Combination): FieldError[] {
  const exact = match === 'Exact';
  return failing([
    [match && !rvText, needs('resourceVersionMatch is forbidden unless resourceVersion is provided')],
    [match && continueToken, needs('resourceVersionMatch is forbidden when continue is provided')],
    [match && !exact && match !== 'NotOlderThan', () => notSupported(field, match, ['Exact', 'NotOlderThan', ''])],
    [exact && rvText === '0', needs('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')],
    [sendInitialEvents !== undefined, () => forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list')],
  ]);
}

function watchErrors({ match, sendInitialEvents, continueToken }: Combination): FieldError[] {
  const sends = sendInitialEvents !== undefined;
  const other = match !== 'NotOlderThan';
  return failing([
    [sends && other, needs('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')],
    [match && !sends, needs('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')],
    [match && other, () => notSupported(field, match, ['NotOlderThan'])],
    [match && continueToken, needs('resourceVersionMatch is forbidden when continue is provided')],
  ]);
}
