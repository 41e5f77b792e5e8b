/**
 * Create and update, from an object that is decoded already: admission, what the row prepares and checks, allocation, store.
 * Used by the handlers, by subresources (scale, binding) and by the server itself (bootstrap).
 */
import { randomInt, randomUUID } from 'node:crypto';
import { recordWrite } from '../../api/apply/record-write.ts';
import { cloneJson } from '../../api/codec/json-clone.ts';
import { generateName } from '../../api/registry/generate-name.ts';
import { beforeCreate, beforeUpdate, dedupOwners } from '../../api/registry/lifecycle.ts';
import type { PartSubresource, ResourceRow } from '../../api/registry/resource-row.ts';
import { apiVersionOf, type KubeObject } from '../../api/resource-types.ts';
import type { FieldError } from '../../api/validation/field-error.ts';
import { statusOfErrors } from '../../api/validation/status.ts';
import type { Clock } from '../../clock/clock.ts';
import { timestamp } from '../../clock/timestamp.ts';
import type { AdmissionChain, AdmissionForm, AdmissionRequest } from '../admission/admission.ts';
import { type Allocations, again, giveBackAfter, nothingTaken, type Taken } from '../allocation/allocation.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  generateNameTaken,
  isStatusError,
  objectModified,
  otherNamespace,
  StatusError,
} from '../status/status-error.ts';
import { endsDeletion } from './delete.ts';
import { keepTimes } from './field-manager.ts';
import { placeOf } from './field-places.ts';
import type { Changed, ObjectStore } from './object-store.ts';
import { withOtherVersions } from './other-versions.ts';
import type { WriteContext, WriteMode } from './write-context.ts';

const generateNameAttempts = 8;

interface UpdateTarget {
  readonly row: ResourceRow;
  readonly namespace: string;
  readonly name: string;
  /** The subresource whose strategy applies. */
  readonly part?: PartSubresource | undefined;
  /** The client named what is to change: a uid that it sends is a change, and refused as one, not a condition. */
  readonly patched?: boolean;
  /** What admission calls it; the part's name unless said. */
  readonly subresource?: string;
  /** As what admission shows it to others. */
  readonly form?: AdmissionForm;
}

interface WriterDeps {
  readonly objects: ObjectStore;
  readonly admission: AdmissionChain;
  readonly allocations: Allocations;
  readonly clock: Clock;
}

export class Writer {
  readonly #d: WriterDeps;

  constructor(deps: WriterDeps) {
    this.#d = deps;
  }

  /** `object` is the caller's own; it becomes what is stored. */
  async create(row: ResourceRow, namespace: string, object: KubeObject, context: WriteContext): Promise<CachedObject> {
    placeIn(row, namespace, object);
    context.warnings.push(...dedupOwners(object.metadata));
    const { generateName: prefix } = object.metadata;
    if (object.metadata.name || !prefix) return this.#createNamed(row, object, context);
    for (let attempt = 1; ; attempt++) {
      const copy = cloneJson(object);
      copy.metadata.name = generateName(prefix, (below) => randomInt(below));
      try {
        return await this.#createNamed(row, copy, { ...context, isUnnamed: true });
      } catch (err) {
        if (!isStatusError(err, 'AlreadyExists')) throw err;
        if (attempt === generateNameAttempts) throw generateNameTaken(row.type, copy.metadata.name);
      }
    }
  }

  async #createNamed(row: ResourceRow, object: KubeObject, context: WriteContext): Promise<CachedObject> {
    if (context.manager === undefined || !object.metadata.managedFields) return this.#createOnce(row, object, context);
    const copy = cloneJson(object);
    try {
      return await this.#createOnce(row, object, context);
    } catch (err) {
      if (!isStatusError(err, 'RequestEntityTooLarge')) throw err;
      return this.#createOnce(row, forgetManagers(copy), context);
    }
  }

  async #createOnce(row: ResourceRow, object: KubeObject, context: WriteContext): Promise<CachedObject> {
    const { name = '', namespace = '' } = object.metadata;
    row.applyDefaults(object);
    const recording = this.#record(row, undefined, object, undefined, context);
    if (recording) await recording;
    const request: AdmissionRequest = { operation: 'CREATE', row, subresource: '', namespace, name, object, old: undefined, ...context };
    await this.#d.admission.mutate(request);
    row.applyDefaults(object);
    this.#d.allocations.prepare(row, object, undefined);
    refuse(row, name, beforeCreate(row, object, { now: new Date(this.#d.clock.now()), uid: randomUUID() }));
    context.warnings.push(...row.warnings(object));
    await this.#d.admission.validate(request);
    if (object.metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    const created = await this.#store(row, object, context);
    this.#d.admission.admitted(request);
    return created;
  }

  /**
   * `revise` is given what is stored and returns what the client wants instead, sharing nothing with its argument, which it must
   * not change; it may be called several times.
   * `uid` and `resourceVersion` of what it returns are preconditions.
   */
  async update(
    target: UpdateTarget,
    revise: (current: KubeObject) => KubeObject | Promise<KubeObject>,
    context: WriteContext,
  ): Promise<Changed> {
    try {
      return await again((lost) => this.#update(target, revise, context, lost));
    } catch (err) {
      if (context.manager === undefined || !isStatusError(err, 'RequestEntityTooLarge')) throw err;
      // What is known of owners may not be what stands in the way of a write.
      const without = async (current: KubeObject): Promise<KubeObject> => forgetManagers(await revise(current));
      return again((lost) => this.#update(target, without, { ...context, manager: undefined }, lost));
    }
  }

  async #update(
    target: UpdateTarget,
    revise: (current: KubeObject) => KubeObject | Promise<KubeObject>,
    context: WriteContext,
    lost: number,
  ): Promise<Changed> {
    const { row, namespace, name, part, form } = target;
    const subresource = target.subresource ?? part?.name ?? '';
    const { allocations, objects } = this.#d;
    // Of the last try, which is the one that is stored.
    let admitted: AdmissionRequest | undefined;
    let taken: Taken = nothingTaken;
    const changed = await objects
      .change(
        row,
        namespace,
        name,
        async (old) => {
          taken.giveBack();
          taken = nothingTaken;
          const next = await revise(old);
          placeIn(row, namespace, next);
          context.warnings.push(...dedupOwners(next.metadata));
          checkIdentity(row, next, old, target);
          row.applyDefaults(next);
          const recording = this.#record(row, old, next, part, context);
          if (recording) await recording;
          const what = { row, subresource, namespace, name, object: next, old, form };
          const request: AdmissionRequest = { operation: 'UPDATE', ...what, ...context };
          await this.#d.admission.mutate(request);
          if (!part) allocations.prepare(row, next, old);
          refuse(row, name, beforeUpdate(row, next, old, part));
          if (!part && (!row.generationOf || next.metadata.generation !== old.metadata.generation))
            context.warnings.push(...row.warnings(next));
          await this.#d.admission.validate(request);
          const asking = { dryRun: context.dryRun, lost };
          if (endsDeletion(row, next, old)) return { kind: 'delete', last: next, alongside: await allocations.release(row, old, asking) };
          taken = await allocations.take(row, next, old, asking);
          keepTimes(next, old);
          admitted = request;
          return { kind: 'put', object: next, alongside: taken.claims };
        },
        context,
      )
      .catch((err: unknown) => {
        giveBackAfter(err, taken);
        throw err;
      });
    if (admitted) this.#d.admission.admitted(admitted);
    return changed;
  }

  /** Only where versions are a webhook's is there anything to wait for. */
  #record(
    row: ResourceRow,
    old: KubeObject | undefined,
    next: KubeObject,
    part: PartSubresource | undefined,
    { manager }: WriteContext,
  ): Promise<void> | undefined {
    // Most objects have no managers, and then there is nothing to do: not even to ask who writes.
    if (manager === undefined || (!old?.metadata.managedFields && !next.metadata.managedFields)) return undefined;
    const now = timestamp(this.#d.clock.now());
    if (row.remote)
      return withOtherVersions(this.#d.objects.registry, row, part, (place) => recordWrite(old, next, { place, manager, now }));
    recordWrite(old, next, { place: placeOf(row, part), manager, now });
    return undefined;
  }

  /** With what it needs; gives that back when the object does not come to be. */
  async #store(row: ResourceRow, object: KubeObject, mode: WriteMode): Promise<CachedObject> {
    const { allocations, objects } = this.#d;
    const { name, namespace = '' } = object.metadata;
    if (!allocations.concern(row)) return objects.create(row, object, mode);
    // Said before what the object asks for is found to be taken, by itself.
    if (await objects.get(row, namespace, name)) throw alreadyExists(row.type, name);
    return again(async (lost) => {
      const taken = await allocations.take(row, object, undefined, { dryRun: mode.dryRun, lost });
      try {
        return await objects.create(row, object, mode, taken.claims);
      } catch (err) {
        giveBackAfter(err, taken);
        throw err;
      }
    });
  }
}

function forgetManagers(object: KubeObject): KubeObject {
  delete object.metadata.managedFields;
  return object;
}

export function refuse(row: ResourceRow, name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw StatusError.of(statusOfErrors({ group: row.type.group, kind: row.type.kind }, name ?? '', errors));
}

/** The object belongs where the path says. */
export function placeIn(row: ResourceRow, namespace: string, object: KubeObject): void {
  const { metadata } = object;
  if (!row.type.namespaced) {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest(otherNamespace);
  }
  metadata.namespace = namespace;
}

/** Throws 400. */
export function checkName(given: string, path: string): void {
  if (!given) throw badRequest(`the name of the object (${path} based on URL) was undeterminable: name must be provided`);
  if (given !== path) throw badRequest(`the name of the object (${given}) does not match the name on the URL (${path})`);
}

function checkIdentity(row: ResourceRow, next: KubeObject, old: KubeObject, { name, patched = false }: UpdateTarget): void {
  const { metadata } = next;
  checkName(metadata.name, name);
  const { uid } = old.metadata;
  if (metadata.uid && !patched && metadata.uid !== uid)
    throw conflict(row.type, name, `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid ?? ''}`);
  const wanted = metadata.resourceVersion;
  if (wanted && wanted !== '0') {
    if (wanted !== old.metadata.resourceVersion) throw conflict(row.type, name, objectModified);
  } else if (!row.updatesUnconditionally) {
    refuse(row, name, [
      { type: 'FieldValueInvalid', path: 'metadata.resourceVersion', value: 0, detail: 'must be specified for an update' },
    ]);
  }
  if (apiVersionOf(row.type) !== next.apiVersion || next.kind !== row.type.kind) {
    throw badRequest(
      `the kind in the data (${next.apiVersion} ${next.kind}) does not match the expected kind (${apiVersionOf(row.type)} ${row.type.kind})`,
    );
  }
}
