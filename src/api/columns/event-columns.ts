/** Tables of events, in both their forms. */
import type { Columns } from '../registry/resource-row.ts';
import type { Event, EventsV1Event } from '../schema/types.ts';
import { ageOf } from './age.ts';
import { type CellColumn, column, columnsOf } from './columns.ts';

/** What both forms of events have for a Table. */
interface EventView {
  readonly lastSeen: string;
  readonly firstSeen: string;
  readonly type: string;
  readonly reason: string;
  readonly object: string;
  readonly subobject: string;
  readonly source: string;
  readonly message: string;
  readonly count: number;
}

export const eventColumns: Columns<Event> = eventTable((event, now) => {
  const firstSeen = ageOf(event.firstTimestamp ?? event.eventTime, now);
  const { involvedObject, series, source } = event;
  return {
    firstSeen,
    lastSeen: series ? ageOf(series.lastObservedTime, now) : event.lastTimestamp ? ageOf(event.lastTimestamp, now) : firstSeen,
    type: event.type ?? '',
    reason: event.reason ?? '',
    object: targetText(involvedObject),
    subobject: involvedObject?.fieldPath ?? '',
    source: source?.component ? sourceText(source.component, source.host) : sourceText(event.reportingComponent, event.reportingInstance),
    message: (event.message ?? '').trim(),
    count: series?.count ?? (event.count || 1),
  };
});

export const eventV1Columns: Columns<EventsV1Event> = eventTable((event, now) => {
  const firstSeen = ageOf(event.deprecatedFirstTimestamp ?? event.eventTime, now);
  const { regarding, series, deprecatedSource: source } = event;
  return {
    firstSeen,
    lastSeen: series
      ? ageOf(series.lastObservedTime, now)
      : event.deprecatedLastTimestamp
        ? ageOf(event.deprecatedLastTimestamp, now)
        : firstSeen,
    type: event.type ?? '',
    reason: event.reason ?? '',
    object: targetText(regarding),
    subobject: regarding?.fieldPath ?? '',
    source: source?.component ? sourceText(source.component, source.host) : sourceText(event.reportingController, event.reportingInstance),
    message: (event.note ?? '').trim(),
    count: series?.count ?? (event.deprecatedCount || 1),
  };
});

/** Events are read by what happened, so their name is the last of the wide columns. */
function eventTable<T extends Event | EventsV1Event>(view: (event: T, now: Date) => EventView): Columns<T> {
  const cell = (name: string, key: keyof EventView, options: Omit<CellColumn<T>, 'name' | 'cell'> = {}): CellColumn<T> =>
    column(name, (event, now) => view(event, now)[key], options);
  const first = [cell('Last Seen', 'lastSeen'), cell('Type', 'type'), cell('Reason', 'reason'), cell('Object', 'object')];
  const rest = [
    cell('Subobject', 'subobject', { wide: true }),
    cell('Source', 'source', { wide: true }),
    cell('Message', 'message'),
    cell('First Seen', 'firstSeen', { wide: true }),
    cell('Count', 'count', { wide: true, type: 'integer' }),
  ];
  const table = columnsOf<T>([...first, ...rest]);
  const [name, ...others] = table.definitions;
  return {
    definitions: [...others, { ...name!, priority: 1 }],
    cells: (event, now) => {
      const [nameCell, ...cells] = table.cells(event, now);
      return [...cells, nameCell!];
    },
  };
}

function targetText(target: { readonly kind?: string | undefined; readonly name?: string | undefined } | undefined): string {
  const kind = (target?.kind ?? '').toLowerCase();
  return target?.name ? `${kind}/${target.name}` : kind;
}

function sourceText(component = '', host = ''): string {
  return host ? `${component}, ${host}` : component;
}
