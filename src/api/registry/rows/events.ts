/** Events of both groups. Both are stored in the form of the core group. */
import { eventColumns } from '../../columns/event-columns.ts';
import { events, eventsV1 } from '../../resource-types.ts';
import type { Event, EventsV1Event } from '../../schema/types.ts';
import { eventErrors, eventV1Errors, eventV1UpdateErrors } from '../../validation/event.ts';
import { nameIsPathSegment } from '../../validation/names.ts';
import { defineRow } from '../define-row.ts';
import type { ResourceRow } from '../resource-row.ts';

/** Upstream's default for `--event-ttl`. */
const ttlSeconds = 3600;

export const eventRows: readonly ResourceRow[] = [
  defineRow({
    type: events,
    shortNames: ['ev'],
    ttlSeconds,
    createsOnUpdate: true,
    selectableFields: {
      ...objectFields<Event>('involvedObject', (event) => event.involvedObject),
      reason: (event) => event.reason ?? '',
      reportingComponent: (event) => event.reportingComponent ?? '',
      source: (event) => event.source?.component || event.reportingComponent || '',
      type: (event) => event.type ?? '',
    },
    columns: eventColumns,
    applyDefaults: settle,
    validate: eventErrors,
    // As upstream: event names need not be DNS names.
    validateName: nameIsPathSegment,
  }),
  defineRow({
    type: eventsV1,
    schema: 'EventsV1Event',
    shortNames: ['ev'],
    storedAs: events.resource,
    conversion: { fromStored: (stored) => toEventsV1(stored as Event), toStored: toCore },
    ttlSeconds,
    createsOnUpdate: true,
    selectableFields: {
      ...objectFields<EventsV1Event>('regarding', (event) => event.regarding),
      reason: (event) => event.reason ?? '',
      reportingController: (event) => event.reportingController ?? '',
      type: (event) => event.type ?? '',
    },
    columns: { definitions: eventColumns.definitions, cells: (event, now) => eventColumns.cells(toCore(event), now) },
    validate: eventV1Errors,
    // Events that were written in the old form can be patched here too: they lack fields that a new event must have.
    validateUpdate: eventV1UpdateErrors,
  }),
];

/** Fields that upstream writes even when they are empty. */
function settle(event: Event): void {
  event.source ??= {};
  event.reportingComponent ??= '';
  event.reportingInstance ??= '';
}

function objectFields<T>(name: string, take: (event: T) => Event['involvedObject'] | undefined): Record<string, (event: T) => string> {
  const keys = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const;
  return Object.fromEntries(keys.map((key) => [`${name}.${key}`, (event: T) => take(event)?.[key] ?? '']));
}

function toEventsV1(stored: Event): EventsV1Event {
  const { involvedObject, message, source, firstTimestamp, lastTimestamp, count, reportingComponent, series, eventTime, ...same } = stored;
  return present({
    ...same,
    apiVersion: 'events.k8s.io/v1',
    eventTime: eventTime as string,
    series: series && { count: series.count ?? 0, lastObservedTime: series.lastObservedTime ?? '' },
    regarding: involvedObject,
    note: message,
    reportingController: reportingComponent,
    deprecatedSource: source,
    deprecatedFirstTimestamp: firstTimestamp,
    deprecatedLastTimestamp: lastTimestamp,
    deprecatedCount: count,
  });
}

function toCore(event: EventsV1Event): Event {
  const { regarding = {}, note: message, reportingController: reportingComponent, deprecatedSource: source, ...rest } = event;
  const { deprecatedFirstTimestamp: firstTimestamp, deprecatedLastTimestamp: lastTimestamp, deprecatedCount: count, ...same } = rest;
  const renamed = { message, reportingComponent, source, firstTimestamp, lastTimestamp, count };
  return present({ ...same, apiVersion: 'v1', involvedObject: regarding, ...renamed });
}

/** The object without its undefined fields, so that converting there and back gives the same object. */
function present<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
