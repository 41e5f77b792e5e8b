/** Events of the API server itself about objects, written in the background; one that cannot be written is lost, never in the way. */
import { randomBytes } from 'node:crypto';
import type { Registry } from '../../api/registry/registry.ts';
import { events, type KubeObject } from '../../api/resource-types.ts';
import type { Event } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import { messageOf } from '../../errors/known-error.ts';
import type { Log } from '../../observability/log.ts';
import type { Writer } from '../resource/writer.ts';
import { ownWrite } from './ensure.ts';

/** So many may wait for the store: a flood of objects makes no second flood of events. */
const maxWaiting = 100;
const maxMessage = 1024;
const reason = 'NotServed';

type Deps = { readonly clock: Clock; readonly log: Log; readonly registry: Registry; readonly writer: () => Writer };

/** Returns what warns in an Event about an object that nobody acts on it. */
export function eventTeller(deps: Deps): (about: KubeObject, message: string) => void {
  const row = deps.registry.rowFor(events);
  let waiting = 0;
  return (about, message) => {
    if (waiting >= maxWaiting) return;
    waiting++;
    const { name, namespace, uid } = about.metadata;
    const now = timestamp(deps.clock.now());
    const where = namespace || 'default';
    const component = 'fairlead-apiserver';
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace: where },
      involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, uid },
      type: 'Warning',
      reason,
      message: message.slice(0, maxMessage),
      source: { component },
      reportingComponent: component,
      reportingInstance: component,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    };
    deps
      .writer()
      .create(row, where, event, ownWrite())
      .catch((err: unknown) => deps.log.debug(`cannot record event ${reason} of ${about.kind} "${name}": ${messageOf(err)}`))
      .finally(() => waiting--);
  };
}
