/** The Table of events. */
import type { Columns } from '../registry/resource-row.ts';
import type { Event } from '../schema/types.ts';
import { ageOf } from './age.ts';
import { column, columnsOf, wide } from './columns.ts';

const table = columnsOf<Event>([
  column('Last Seen', ({ series, lastTimestamp, ...event }, now) => {
    if (series) return ageOf(series.lastObservedTime, now);
    return lastTimestamp ? ageOf(lastTimestamp, now) : firstSeen(event, now);
  }),
  column('Type', ({ type }) => type ?? ''),
  column('Reason', ({ reason }) => reason ?? ''),
  column('Object', ({ involvedObject: { kind = '', name } = {} }) => (name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase())),
  wide('Subobject', ({ involvedObject }) => involvedObject?.fieldPath ?? ''),
  wide('Source', ({ source, reportingComponent = '', reportingInstance = '' }) => {
    const [component, host] = source?.component ? [source.component, source.host] : [reportingComponent, reportingInstance];
    return host ? `${component}, ${host}` : component;
  }),
  column('Message', ({ message = '' }) => message.trim()),
  wide('First Seen', firstSeen),
  wide('Count', ({ series, count }) => series?.count ?? (count || 1), { type: 'integer' }),
]);
const [nameDefinition, ...otherDefinitions] = table.definitions;

/** The name of an event says nothing to a reader, so it is the last of the wide columns. */
export const eventColumns: Columns<Event> = {
  definitions: [...otherDefinitions, { ...nameDefinition!, priority: 1 }],
  cells: (event, now) => {
    const [name, ...others] = table.cells(event, now);
    return [...others, name!];
  },
};

function firstSeen({ firstTimestamp, eventTime }: Pick<Event, 'firstTimestamp' | 'eventTime'>, now: Date): string {
  return ageOf(firstTimestamp ?? eventTime, now);
}
