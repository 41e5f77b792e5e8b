/** `/scale`: how many replicas, in the one form that all scalable resources share (autoscaling/v1). */
import { seedManagers } from '../../api/apply/before-apply.ts';
import { FieldSet } from '../../api/apply/field-set.ts';
import { decodeManagers, type Managers, setManagers } from '../../api/apply/managers.ts';
import { afterUpdate, applyTo, type Place, withoutManagers } from '../../api/apply/ownership.ts';
import { managersAfterScale, managersOfScale } from '../../api/apply/scale-managers.ts';
import { shapeOfType } from '../../api/apply/shape.ts';
import { cloneJson } from '../../api/codec/json-clone.ts';
import { scaleColumns } from '../../api/columns/autoscaler-columns.ts';
import { subresourceOf } from '../../api/registry/lifecycle.ts';
import type { ResourceRow, ScaleSubresource } from '../../api/registry/resource-row.ts';
import type { KubeObject } from '../../api/resource-types.ts';
import { type ApiType, typeNamed } from '../../api/schema/schema.ts';
import type { Scale } from '../../api/schema/types.ts';
import { invalid } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { AdmissionForm } from '../admission/admission.ts';
import { checkObject, decodeObject } from '../http/body.ts';
import { answerForm } from '../http/negotiate.ts';
import { sendBytes, sendObject } from '../http/reply.ts';
import type { RequestContext } from '../http/request-context.ts';
import { isApply, readApply, settled } from '../resource/apply.ts';
import { placesOf } from '../resource/field-places.ts';
import { patchOf } from '../resource/patch.ts';
import { copyOf, metaVersion } from '../resource/presentation.ts';
import { remoteView } from '../resource/remote-view.ts';
import type { ResourceHandlers } from '../resource/resource-handlers.ts';
import { type WriteContext, writeContextOf } from '../resource/write-context.ts';
import { checkName, type Writer } from '../resource/writer.ts';
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

export function scaleHandler(resources: ResourceHandlers, writer: Writer, clock: Clock): Handler {
  return async (ctx, row) => {
    const sub = subresourceOf(row, 'scale');
    if (sub?.kind !== 'scale') throw noSuchPath();
    const { namespace, name, verb } = ctx.info;
    if (verb === 'get') {
      show(ctx, scaleOf(sub, await resources.read(row, namespace, name)), clock);
      return;
    }
    if (verb !== 'update' && verb !== 'patch') throw methodNotAllowed();
    const context = writeContextOf(ctx);
    const revise = await reviseOf(ctx, row, context, clock);
    const changed = await writer.update(
      { row, namespace, name, subresource: 'scale', form: formOf(sub) },
      (current) => {
        const managers = decodeManagers(current.metadata.managedFields);
        const { wanted, managers: after } = revise(scaleOf(sub, current), managers?.size ? managers : undefined, current);
        checkName(wanted.metadata.name, name);
        const next = scaled(sub, current, wanted);
        if (after) setManagers(next, after);
        return next;
      },
      { ...context, manager: undefined },
    );
    const shown = row.remote ? await remoteView(row, changed.object) : changed.object;
    sendObject(ctx, 200, scaleOf(sub, copyOf(row, shown)));
  };
}

/** Throws 406. */
function show(ctx: RequestContext, scale: Scale, clock: Clock): void {
  const { shape, encoding } = answerForm(ctx.req.headers.accept, { protobuf: true, shapes: true });
  if (shape !== 'table') {
    sendObject(ctx, 200, scale);
    return;
  }
  const { metadata } = scale;
  const object = { kind: 'PartialObjectMetadata', apiVersion: metaVersion, metadata };
  const rows = [{ cells: scaleColumns.cells(scale, new Date(clock.now())), object }];
  const head = { kind: 'Table', apiVersion: metaVersion, metadata: { resourceVersion: metadata?.resourceVersion } };
  const table = { ...head, columnDefinitions: scaleColumns.definitions, rows };
  sendBytes(ctx, 200, encoding, encoding.encode(table));
}

function formOf(sub: ScaleSubresource): AdmissionForm {
  return {
    show: (object) => scaleOf(sub, object) as KubeObject,
    take: (object, shown) => sub.setReplicas(object, (shown as Scale).spec?.replicas ?? 0),
  };
}

/** The object with the replicas of the Scale. Throws 422. */
function scaled(sub: ScaleSubresource, current: KubeObject, { spec, metadata }: Scale): KubeObject {
  const replicas = spec?.replicas ?? 0;
  if (replicas < 0) {
    const why = invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
    throw StatusError.of(statusOfErrors({ group: 'autoscaling', kind: 'Scale' }, current.metadata.name, [why]));
  }
  const next = cloneJson(current);
  sub.setReplicas(next, replicas);
  // The preconditions of the Scale are those of the object.
  if (metadata.resourceVersion) next.metadata.resourceVersion = metadata.resourceVersion;
  if (metadata.uid) next.metadata.uid = metadata.uid;
  return next;
}

async function reviseOf(ctx: RequestContext, row: ResourceRow, context: WriteContext, clock: Clock): Promise<ManagedRevise> {
  if (ctx.info.verb === 'update') return owned(await fromBody(ctx), context, clock);
  return isApply(ctx) ? fromApply(ctx, row, clock) : owned(fromPatch(ctx, row), context, clock);
}

type Revise = (current: Scale) => Scale;

/** With the managers of the object that is scaled, before (if anybody ever applied to it) and after. */
type ManagedRevise = (current: Scale, managers: Managers | undefined, object: KubeObject) => { wanted: Scale; managers?: Managers };

const place: Place = {
  shape: shapeOfType(typeNamed(schema) as ApiType),
  apiVersion: 'autoscaling/v1',
  subresource: 'scale',
  ignored: FieldSet.of(['f:status']),
};

/** An ordinary write: it takes the replicas from whoever had them. */
function owned(revise: Revise, { manager = '' }: WriteContext, clock: Clock): ManagedRevise {
  return (current, managers, object) => {
    const wanted = revise(current);
    const owners = managersOfScale(managers ?? new Map());
    // As upstream: replicas that nobody has ever owned may be scaled without a trace, and applied later without a conflict.
    if (!managers || owners.size === 0) return { wanted };
    const writer = { place, manager, now: timestamp(clock.now()) };
    const after = afterUpdate(withoutManagers(current), withoutManagers(wanted), owners, writer);
    return { wanted, managers: managersAfterScale(managers, after, object.apiVersion) };
  };
}

async function fromApply(ctx: RequestContext, row: ResourceRow, clock: Clock): Promise<ManagedRevise> {
  const { config, applier } = await readApply(ctx, place, schema, clock.now());
  return (current, known, object) => {
    const managers = known ?? seedManagers(withoutManagers(object), placesOf(row), applier.now);
    const applied = settled(applyTo(withoutManagers(current), managersOfScale(managers), config, applier));
    const wanted = applied.object as unknown as Scale;
    checkObject(ctx, wanted, schema);
    return { wanted, managers: managersAfterScale(managers, applied.managers, object.apiVersion) };
  };
}

async function fromBody(ctx: RequestContext): Promise<Revise> {
  const wanted = (await decodeObject(ctx, { apiVersion: 'autoscaling/v1', kind: 'Scale', schema })) as Scale;
  return () => wanted;
}

function fromPatch(ctx: RequestContext, row: ResourceRow): Revise {
  const patch = patchOf(ctx, row, schema);
  return (current) => patch(current as KubeObject) as Scale;
}
