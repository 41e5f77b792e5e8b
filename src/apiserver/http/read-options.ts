/** The query of a list or watch: which objects, of which moment, how many. */
import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { parseFieldSelector } from '../../api/selector/field.ts';
import { everything, parseLabelSelector } from '../../api/selector/label.ts';
import { forbidden, invalid, notSupported } from '../../api/validation/field-error.ts';
import { messageOf } from '../../errors/known-error.ts';
import { Selection } from '../resource/selection.ts';
import { badRequest, invalidOptions, isStatusError, type StatusError } from '../status/status-error.ts';
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
      if (!Object.hasOwn(row.selectableFields, term.path)) throw badRequest(`field label not supported: ${term.path}`);
    }
    return new Selection(row, labels, terms);
  } catch (err) {
    throw isStatusError(err) ? err : badRequest(messageOf(err));
  }
}

export function resourceVersionOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    const why = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw invalidOptions('ListOptions', invalid('resourceVersion', text, why));
  }
  return Number(text);
}

function whole(query: URLSearchParams, key: string): number | undefined {
  const text = query.get(key);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** apimachinery's ValidateListOptions: nonsense must be refused, because an informer that asks for it would wait for ever. */
function checkCombination(o: {
  watch: boolean;
  match: string;
  rvText: string;
  sendInitialEvents: boolean | undefined;
  continueToken: string;
}): void {
  const wrong = (field: string, message: string): StatusError => invalidOptions('ListOptions', forbidden(field, message));
  if (o.sendInitialEvents !== undefined) {
    if (!o.watch) throw wrong('sendInitialEvents', 'sendInitialEvents is forbidden for list');
    if (o.match !== 'NotOlderThan') {
      throw wrong('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    }
    return;
  }
  if (o.match === '') return;
  if (o.watch) throw wrong('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch');
  if (o.rvText === '') throw wrong('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (o.continueToken) throw wrong('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided');
  if (o.match !== 'Exact' && o.match !== 'NotOlderThan') {
    throw invalidOptions('ListOptions', notSupported('resourceVersionMatch', o.match, ['Exact', 'NotOlderThan', '']));
  }
  if (o.match === 'Exact' && o.rvText === '0') {
    throw wrong('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
}
