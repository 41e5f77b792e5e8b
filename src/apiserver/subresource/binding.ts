/** `pods/binding`: how a scheduler gives a pod its node. Also `bindings`, its older path. */

import type { ResourceRow } from '../../api/registry/resource-row.ts';
import { pods } from '../../api/resource-types.ts';
import type { Binding, Pod } from '../../api/schema/types.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { AdmissionChain } from '../admission/admission.ts';
import { decodeObject } from '../http/body.ts';
import { sendObject } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { ObjectStore } from '../resource/object-store.ts';
import { writeContextOf } from '../resource/write-context.ts';
import { checkName, placeIn } from '../resource/writer.ts';
import { conflict, methodNotAllowed, StatusError, success } from '../status/status-error.ts';

interface BindingDeps {
  readonly objects: ObjectStore;
  readonly admission: AdmissionChain;
  readonly clock: Clock;
}

/** Not a plain update: a pod's nodeName is closed to those. */
export async function bind({ objects, admission, clock }: BindingDeps, ctx: RequestContext, asked: ResourceRow): Promise<void> {
  // Authorization has looked at the verb: who may only update or delete here must not bind.
  if (ctx.info.verb !== 'create') throw methodNotAllowed();
  const row = objects.registry.rowFor(pods);
  const binding = (await decodeObject(ctx, { apiVersion: 'v1', kind: 'Binding', schema: 'Binding' })) as Binding;
  const { namespace } = ctx.info;
  const name = ctx.info.resource === 'pods' ? ctx.info.name : binding.metadata.name;
  checkName(binding.metadata.name || name, name);
  const { kind, name: node } = binding.target ?? {};
  if ((kind && kind !== 'Node') || !node) {
    throw new StatusError(422, 'Invalid', `Binding "${name}" is invalid: target.name: Required value`, {
      name,
      kind: 'Binding',
      causes: [{ reason: 'FieldValueRequired', message: 'Required value', field: 'target.name' }],
    });
  }
  const context = writeContextOf(ctx);
  binding.metadata.name ||= name;
  placeIn(row, namespace, binding);
  await admission.admit({
    operation: 'CREATE',
    row: asked,
    subresource: ctx.info.subresource,
    namespace,
    name,
    object: binding,
    old: undefined,
    ...context,
  });
  const refuse = (why: string): StatusError => conflict({ group: '', resource: 'pods/binding' }, name, why);
  await objects.change(
    row,
    namespace,
    name,
    (current) => {
      const pod = current as Pod;
      if (binding.metadata.uid && binding.metadata.uid !== pod.metadata.uid) {
        throw refuse(`Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${pod.metadata.uid ?? ''}`);
      }
      if (pod.metadata.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
      if (pod.spec?.nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
      if (pod.spec?.schedulingGates?.length) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
      // The generation stays: what the pod's owner asked for is the same on any node.
      pod.spec = { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: node };
      if (binding.metadata.annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
      const others = (pod.status?.conditions ?? []).filter((c) => c.type !== 'PodScheduled');
      const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: timestamp(clock.now()) };
      const { nominatedNodeName: _, ...status } = pod.status ?? {};
      pod.status = { ...status, conditions: [...others, scheduled] };
      return { kind: 'put', object: pod };
    },
    context,
  );
  sendObject(ctx, 201, success());
}
