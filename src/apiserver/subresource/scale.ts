/** `/scale`: how many replicas, in the one form that all scalable resources share (autoscaling/v1). */
import { cloneJson } from '../../api/codec/json-clone.ts';
import { subresourceOf } from '../../api/registry/lifecycle.ts';
import type { ResourceRow, ScaleSubresource } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import type { Scale } from '../../api/schema/types.ts';
import { invalid } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import { checkObject, decodeObject } from '../http/body.ts';
import { sendJson } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { patchOf } from '../resource/patch.ts';
import { copyOf } from '../resource/presentation.ts';
import { type ResourceHandlers, writeContextOf } from '../resource/resource-handlers.ts';
import type { Writer } from '../resource/writer.ts';
import type { Handler } from '../router.ts';
import { methodNotAllowed, noSuchPath, StatusError } from '../status/status-error.ts';

const schema = 'Scale';

function scaleOf(sub: ScaleSubresource, object: KubeObject): Scale {
  const { replicas, statusReplicas, selector } = sub.read(object);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: { replicas: statusReplicas, ...(selector ? { selector } : {}) },
  };
}

export function scaleHandler(resources: ResourceHandlers, writer: Writer): Handler {
  return async (ctx, row) => {
    const sub = subresourceOf(row, 'scale');
    if (sub?.kind !== 'scale') throw noSuchPath();
    const { namespace, name, verb } = ctx.info;
    if (verb === 'get') {
      sendJson(ctx, 200, scaleOf(sub, await resources.read(row, namespace, name)));
      return;
    }
    const revise = verb === 'update' ? fromBody(ctx) : verb === 'patch' ? fromPatch(ctx, row) : undefined;
    if (!revise) throw methodNotAllowed();
    const changed = await writer.update(
      { row, namespace, name, subresource: 'scale' },
      (current) => {
        const wanted = revise(scaleOf(sub, current));
        const replicas = wanted.spec?.replicas ?? 0;
        if (replicas < 0) {
          const why = invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
          throw StatusError.of(statusOfErrors({ group: 'autoscaling', kind: 'Scale' }, name, [why]));
        }
        const next = cloneJson(current);
        sub.setReplicas(next, replicas);
        // The preconditions of the Scale are those of the object.
        if (wanted.metadata.resourceVersion) next.metadata.resourceVersion = wanted.metadata.resourceVersion;
        if (wanted.metadata.uid) next.metadata.uid = wanted.metadata.uid;
        return next;
      },
      writeContextOf(ctx),
    );
    sendJson(ctx, 200, scaleOf(sub, copyOf(row, changed.object)));
  };
}

type Revise = (current: Scale) => Scale;

function fromBody(ctx: RequestContext): Revise {
  const wanted = decodeObject(ctx, { apiVersion: 'autoscaling/v1', kind: 'Scale', schema }) as Scale;
  return () => wanted;
}

function fromPatch(ctx: RequestContext, row: ResourceRow): Revise {
  const patch = patchOf(row, schema, ctx.req.headers['content-type'], ctx.body);
  return (current) => {
    const next = patch(current as KubeObject) as Scale;
    checkObject(ctx, next, schema);
    return next;
  };
}
