/** Events of the core group and of events.k8s.io. */
import type { Event, EventsV1Event } from '../schema/types.ts';
import { type FieldError, invalid, invalids, required } from './field-error.ts';
import { isQualifiedName } from './names.ts';
import { immutable } from './object-meta.ts';

const maxNameBytes = 128;
const maxNoteBytes = 1024;

/** Errors of a core Event. With an `eventTime` it is of the new form, and must follow the rules of events.k8s.io. */
export function eventErrors(event: Event): FieldError[] {
  const { metadata, involvedObject, eventTime, reportingComponent, message } = event;
  const namespace = involvedObject?.namespace ?? '';
  const at = 'involvedObject.namespace';
  if (eventTime !== undefined)
    return sharedErrors({ ...event, namespace, reporter: reportingComponent, note: message }, at, 'reportingComponent');
  const fits = namespace ? namespace === metadata.namespace : metadata.namespace === 'default';
  return fits ? [] : [invalid(at, namespace, 'does not match event.namespace')];
}

interface SharedFields {
  readonly metadata: Event['metadata'];
  /** Of the object that the event is about. */
  readonly namespace: string;
  readonly reporter: string | undefined;
  readonly reportingInstance?: string | undefined;
  readonly action?: string | undefined;
  readonly reason?: string | undefined;
  readonly note: string | undefined;
}

function sharedErrors(event: SharedFields, namespacePath: string, reporterPath: string): FieldError[] {
  const { metadata, namespace, reporter = '', reportingInstance = '', action = '', reason = '', note = '' } = event;
  const errors: FieldError[] = [];
  // Events about objects without a namespace are in `default` or `kube-system`.
  if (!namespace && metadata.namespace !== 'default' && metadata.namespace !== 'kube-system') {
    errors.push(invalid(namespacePath, '', 'does not match event.namespace'));
  }
  if (!reporter) errors.push(required(reporterPath));
  errors.push(...invalids(reporterPath, reporter, isQualifiedName(reporter)));
  for (const [key, text] of Object.entries({ reportingInstance, action, reason })) {
    if (!text) errors.push(required(key));
    errors.push(...lengthErrors(text, key, maxNameBytes));
  }
  return [...errors, ...lengthErrors(note, 'message', maxNoteBytes)];
}

function lengthErrors(text: string, path: string, max: number): FieldError[] {
  return Buffer.byteLength(text) > max ? [invalid(path, '', `can have at most ${max} characters`)] : [];
}

export function eventV1Errors(event: EventsV1Event): FieldError[] {
  const { regarding, reportingController, note, type, eventTime, deprecatedSource: source } = event;
  const namespace = regarding?.namespace ?? '';
  const unset = {
    firstTimestamp: event.deprecatedFirstTimestamp,
    lastTimestamp: event.deprecatedLastTimestamp,
    count: event.deprecatedCount,
    source: source?.component || source?.host,
  };
  return [
    ...(eventTime === undefined
      ? [required('eventTime')]
      : sharedErrors({ ...event, namespace, reporter: reportingController, note }, 'involvedObject.namespace', 'reportingController')),
    ...seriesErrors(event),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalid('type', '', `has invalid value: ${type ?? ''}`)]),
    ...Object.entries(unset).flatMap(([key, value]) => (value ? [invalid(key, '', 'needs to be unset')] : [])),
  ];
}

function seriesErrors({ series }: EventsV1Event): FieldError[] {
  if (!series) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalid('series.count', '', 'should be at least 2')] : []),
    ...(series.lastObservedTime ? [] : [required('series.lastObservedTime')]),
  ];
}

/** An update may only count up the series: the event happened again. */
export function eventV1UpdateErrors(next: EventsV1Event, old: EventsV1Event): FieldError[] {
  const fixed = [
    'regarding',
    'reason',
    'note',
    'type',
    'action',
    'related',
    'reportingController',
    'reportingInstance',
    'eventTime',
  ] as const;
  const again = JSON.stringify(next.series) === JSON.stringify(old.series) ? [] : seriesErrors(next);
  return [...again, ...fixed.flatMap((key) => immutable(next[key], old[key], key))];
}
