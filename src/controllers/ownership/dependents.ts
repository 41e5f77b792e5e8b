/**
 * The objects of one kind that owners of another kind have: read as the informer shows them and as this process expects them to be, and
 * written so that the next reading knows of it. Adopts and releases by selector, as upstream's ControllerRefManager does.
 */
import type { KubeObject, ResourceType } from '../../api/resource-types.ts';
import type { Selector } from '../../api/selector/label.ts';
import { ignoreNotFound, isInvalid } from '../../client/api-error.ts';
import type { Client, ObjectDeleteOptions, PatchOptions } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import type { ControllerContext } from '../context.ts';
import { claim } from './claim.ts';
import { Expectations } from './expectations.ts';
import { controllerRef } from './owner.ts';

export class Dependents<T extends KubeObject> {
  readonly type: ResourceType<T>;
  readonly informer: Informer<T>;
  readonly #client: Client;
  readonly #signal: AbortSignal;
  readonly #ownerType: ResourceType;
  readonly #finalizer: string | undefined;
  readonly #expectations: Expectations<T>;

  /** `finalizer` goes on what is adopted, and off what is released. */
  constructor({ client, informers, signal }: ControllerContext, type: ResourceType<T>, ownerType: ResourceType, finalizer?: string) {
    this.type = type;
    this.informer = informers.of(type);
    this.#client = client;
    this.#signal = signal;
    this.#ownerType = ownerType;
    this.#finalizer = finalizer;
    this.#expectations = new Expectations(this.informer);
  }

  get(key: string): T | undefined {
    return this.#expectations.get(key);
  }

  /** All of a namespace, whoever owns them. */
  in(namespace: string): T[] {
    return this.#expectations.over(this.informer.list(namespace), ({ metadata }) => metadata.namespace === namespace);
  }

  /** What the informer has under a value of an index, and what is expected to be there: `belongs` says it of an object. */
  byIndex(index: string, value: string, belongs: (object: T) => boolean): T[] {
    return this.#expectations.over(this.informer.byIndex(index, value), belongs);
  }

  async create(object: T): Promise<T> {
    return this.#expectations.expect(await this.#client.create(this.type, object, { signal: this.#signal }));
  }

  async update(object: T): Promise<T> {
    return this.#expectations.expect(await this.#client.update(this.type, object));
  }

  /** Throws a conflict when the name is another object's by now; gives undefined when the object is gone. */
  async patch(object: T, patch: Patch, kind: PatchOptions['kind'] = 'merge'): Promise<T | undefined> {
    const { name, namespace = '', uid } = object.metadata;
    const guarded = { ...patch, metadata: { uid, ...patch.metadata } };
    const patched = await this.#client.patch(this.type, name, guarded, { namespace, kind }).catch(ignoreNotFound);
    if (patched) return this.#expectations.expect(patched);
    this.#expectations.expectGone(object);
    return undefined;
  }

  /**
   * Throws a conflict when the name is another object's by now; what is gone already (not `found`) is fine. `left` is the object while it
   * lives on, for its grace or a finalizer.
   */
  async delete(object: T, options: Pick<ObjectDeleteOptions, 'propagationPolicy'> = {}): Promise<{ found: boolean; left?: T }> {
    const { name, namespace = '', uid } = object.metadata;
    const asked = { namespace, preconditions: { uid }, ...options };
    const answer = await this.#client.delete(this.type, name, asked).catch(ignoreNotFound);
    const left = answer as T | undefined;
    const livesOn = left?.kind === this.type.kind && left.metadata.deletionTimestamp !== undefined;
    if (livesOn) return { found: true, left: this.#expectations.expect(left) };
    this.#expectations.expectGone(object);
    return { found: answer !== undefined };
  }

  /** Takes what is there no longer, although nobody deleted it here. */
  expectGone(object: T): void {
    this.#expectations.expectGone(object);
  }

  /** What the owner has once orphans that the selector picks are adopted, and what it does not pick any more is released. */
  async claim(owner: KubeObject, selector: Selector, candidates: readonly T[] = this.in(owner.metadata.namespace ?? '')): Promise<T[]> {
    const { owned, adopt, release } = claim(owner, selector, candidates);
    const adopted = adopt.length > 0 ? await this.#adopt(owner, adopt) : [];
    for (const lost of release) await this.#release(owner, lost);
    return [...owned, ...adopted];
  }

  async #adopt(owner: KubeObject, orphans: readonly T[]): Promise<T[]> {
    // What an owner leaves behind on purpose (`--cascade=orphan`) must not be taken back on old news of the owner.
    if (!(await this.#isStillThere(owner))) return [];
    const finalizer = this.#finalizer;
    const adopted: T[] = [];
    for (const orphan of orphans) {
      const ownerReferences = [...(orphan.metadata.ownerReferences ?? []), controllerRef(owner)];
      const finalizers = finalizer ? { finalizers: [...new Set([...(orphan.metadata.finalizers ?? []), finalizer])] } : {};
      const patched = await this.patch(orphan, { metadata: { ownerReferences, ...finalizers } });
      if (patched) adopted.push(patched);
    }
    return adopted;
  }

  async #release(owner: KubeObject, lost: T): Promise<void> {
    const finalizer = this.#finalizer;
    const ownerReferences = (lost.metadata.ownerReferences ?? []).filter((ref) => ref.uid !== owner.metadata.uid);
    const finalizers = finalizer ? { finalizers: (lost.metadata.finalizers ?? []).filter((one) => one !== finalizer) } : {};
    const metadata = { ownerReferences: ownerReferences.length > 0 ? ownerReferences : null, ...finalizers };
    await this.patch(lost, { metadata }).catch((err: unknown) => {
      // Another object has the name by now.
      if (!isInvalid(err)) throw err;
    });
  }

  async #isStillThere(owner: KubeObject): Promise<boolean> {
    const { name, namespace = '', uid } = owner.metadata;
    const there = await this.#client.get(this.#ownerType, name, { namespace }).catch(ignoreNotFound);
    return there?.metadata.uid === uid && there?.metadata.deletionTimestamp === undefined;
  }
}

export interface Patch {
  readonly metadata?: object;
  readonly [field: string]: unknown;
}
