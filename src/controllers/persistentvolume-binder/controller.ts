/**
 * Gives claims their volumes, asks others to make some, and takes back what nobody has any more. One worker: two claims that are looked at
 * at once would get the same volume. Upstream looks at everything every 15 seconds; here news of volumes, classes and pods say which
 * claims may get on.
 */
import { claimNameOf } from '../../api/placement/claim-name.ts';
import { betaStorageProvisioner, classNameOf, isBound, isDefault, storageProvisioner } from '../../api/placement/volume-claim.ts';
import { persistentVolumeClaims, persistentVolumes, pods, storageClasses } from '../../api/resource-types.ts';
import type { ObjectReference, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../api/schema/types.ts';
import { ignoreNotFound } from '../../client/api-error.ts';
import type { Controller, Result } from '../../client/controller.ts';
import type { EventText } from '../../client/event-recorder.ts';
import { messageOf } from '../../errors/known-error.ts';
import { type ControllerContext, KeyedController } from '../context.ts';
import { isOver } from '../ownership/pod-state.ts';
import { Bindings } from './bindings.ts';
import { deletePath } from './delete-path.ts';
import { type ClaimPlan, claimPlan, reclaimPlan, type Surroundings, volumePlan } from './desired.ts';

/** News of volumes come by the dozen, and each may be for any claim that waits. */
const gatherMs = 20;
/** Until a content that could not be deleted is tried again. */
const againMs = 15_000;

const open = 'open-by-class';
const byVolume = 'by-volume';
const byClaim = 'by-claim';

export class PersistentVolumeBinder extends KeyedController {
  readonly name = 'persistentvolume-binder-controller';
  readonly workers = 1;
  protected override readonly component = 'persistentvolume-controller';
  readonly #claims = this.informers
    .of(persistentVolumeClaims)
    .addIndex(open, (claim) => (isBound(claim) ? [] : [classNameOf(claim) ?? '']))
    .addIndex(byVolume, ({ spec }) => (spec?.volumeName ? [spec.volumeName] : []));
  readonly #volumes = this.informers.of(persistentVolumes).addIndex(byClaim, ({ spec }) => keyOf(spec?.claimRef));
  readonly #classes = this.informers.of(storageClasses);
  readonly #pods = this.informers.of(pods).addIndex(byClaim, claimKeysOf);
  readonly #bindings: Bindings;
  /** What was said of a claim last, by its key: it is not said again each time that the claim is looked at. */
  readonly #said = new Map<string, string>();

  constructor(context: ControllerContext) {
    super(context);
    this.#bindings = new Bindings(this.client, this.recorder, this.#volumes, this.#claims);
  }

  /** Keys of claims have a slash, names of volumes have none. */
  setup(controller: Controller): void {
    const ofClaim = ({ metadata, spec }: PersistentVolumeClaim): string[] =>
      unique(
        this.#volumes.byIndex(byClaim, `${metadata.namespace}/${metadata.name}`).map((volume) => volume.metadata.name),
        spec?.volumeName ? [spec.volumeName] : [],
      );
    const ofVolume = (volume: PersistentVolume, previous = volume): string[] =>
      unique(keyOf(volume.spec?.claimRef), keyOf(previous.spec?.claimRef), keysOf(this.#claims.byIndex(byVolume, volume.metadata.name)));
    const ofFree = (volume: PersistentVolume): string[] =>
      volume.spec?.claimRef || volume.status?.phase !== 'Available' ? [] : this.#openKeys(classNameOf(volume) ?? '');
    const ofClass = (one: StorageClass): string[] => [...this.#openKeys(one.metadata.name), ...(isDefault(one) ? this.#openKeys('') : [])];
    const ofPod = (pod: Pod): string[] => claimKeysOf(pod).filter((key) => this.#isOpen(key));
    controller
      .for(this.#claims)
      .for(this.#volumes)
      .watches(this.#claims, {
        add: ofClaim,
        update: (claim, previous) => (claim.spec?.volumeName === previous.spec?.volumeName ? [] : ofClaim(claim)),
        delete: ofClaim,
      })
      .watches(this.#volumes, { add: (volume) => ofVolume(volume), update: ofVolume, delete: (volume) => ofVolume(volume) })
      .watches(this.#volumes, { add: ofFree, update: ofFree }, gatherMs)
      .watches(this.#classes, { add: ofClass, update: ofClass, delete: ofClass })
      .watches(this.#pods, { add: ofPod, update: (pod, previous) => (changesWait(pod, previous) ? ofPod(pod) : []), delete: ofPod });
  }

  #openKeys(className: string): string[] {
    return keysOf(this.#claims.byIndex(open, className));
  }

  #isOpen(key: string): boolean {
    const claim = this.#claims.get(key);
    return claim !== undefined && !isBound(claim);
  }

  async reconcile(key: string): Promise<Result | undefined> {
    if (key.includes('/')) await this.#reconcileClaim(key);
    else return this.#reconcileVolume(key);
    return undefined;
  }

  async #reconcileClaim(key: string): Promise<void> {
    const claim = this.#bindings.claim(key);
    if (!claim || isBound(claim)) this.#said.delete(key);
    if (claim) await this.#carryOut(claim, claimPlan(claim, this.#around(key)));
  }

  #around(key: string): Surroundings {
    return {
      volume: (name) => this.#bindings.volume(name),
      volumes: () => this.#bindings.volumes(),
      storageClass: (name) => this.#classes.get(name),
      classes: () => this.#classes.list(),
      waitingPods: () => this.#pods.byIndex(byClaim, key).flatMap((pod) => (pod.spec?.nodeName || isOver(pod) ? [] : [pod.metadata.name])),
    };
  }

  async #carryOut(claim: PersistentVolumeClaim, plan: ClaimPlan): Promise<void> {
    switch (plan.kind) {
      case 'bind':
        return this.#bindings.bind(plan.volume, claim);
      case 'lost':
        return this.#bindings.setClaimPhase(claim, 'Lost', undefined, plan.event);
      case 'wait':
        if (plan.event) this.#say(claim, plan.event);
        return this.#bindings.setClaimPhase(claim, 'Pending');
      case 'refuse':
        return this.#say(claim, plan.event);
      case 'assign class':
        await this.#bindings.updateClaim({ ...claim, spec: { ...claim.spec, storageClassName: plan.name } });
        return;
      case 'provision':
        if (this.context.provisioning !== false) await this.#askFor(claim, plan.provisioner);
    }
  }

  /** External provisioners look for the annotation. */
  async #askFor(claim: PersistentVolumeClaim, provisioner: string): Promise<void> {
    const { metadata } = claim;
    if (metadata.annotations?.[storageProvisioner] !== provisioner) {
      const annotations = { ...metadata.annotations, [betaStorageProvisioner]: provisioner, [storageProvisioner]: provisioner };
      await this.#bindings.updateClaim({ ...claim, metadata: { ...metadata, annotations } });
    }
    const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    this.#say(claim, { type: 'Normal', reason: 'ExternalProvisioning', message });
  }

  #say(claim: PersistentVolumeClaim, { type, reason, message }: EventText): void {
    const [key = ''] = keysOf([claim]);
    const said = `${claim.metadata.uid} ${message}`;
    if (this.#said.get(key) === said) return;
    this.#said.set(key, said);
    this.recorder.event(claim, type, reason, message);
  }

  async #reconcileVolume(name: string): Promise<Result | undefined> {
    const volume = this.#bindings.volume(name);
    if (!volume) return undefined;
    const claim = await this.#claimOf(volume);
    const plan = volumePlan(volume, claim);
    switch (plan.kind) {
      case 'phase':
        await this.#bindings.setPhase(volume, plan.phase);
        return undefined;
      case 'leave to claim':
        if (claim) await this.#reconcileClaim(keysOf([claim])[0] ?? '');
        return undefined;
      case 'mismatch':
        this.recorder.event(volume, plan.ofVolume.type, plan.ofVolume.reason, plan.ofVolume.message);
        if (claim) this.#say(claim, plan.ofClaim);
        return undefined;
      case 'unbind':
        await this.#bindings.unbind(volume);
        return undefined;
      case 'reclaim':
        return this.#reclaim(volume);
    }
  }

  /** Asks the server where the copies know none: a volume is not to be taken from a claim that is only younger than they are. */
  async #claimOf({ spec }: PersistentVolume): Promise<PersistentVolumeClaim | undefined> {
    const { name = '', namespace = '', uid } = spec?.claimRef ?? {};
    if (!uid) return undefined;
    const known = this.#bindings.claim(`${namespace}/${name}`);
    if (known?.metadata.uid === uid) return known;
    const found = await this.client.get(persistentVolumeClaims, name, { namespace }).catch(ignoreNotFound);
    return found?.metadata.uid === uid ? found : undefined;
  }

  async #reclaim(volume: PersistentVolume): Promise<Result | undefined> {
    const isTold = volume.status?.phase === 'Released' || volume.status?.phase === 'Failed';
    const released = isTold ? volume : await this.#bindings.setPhase(volume, 'Released');
    const plan = reclaimPlan(released);
    if (plan.kind === 'keep') return undefined;
    const fail = async (reason: string, message: string): Promise<void> => {
      await this.#bindings.setPhase(released, 'Failed', { type: 'Warning', reason, message });
    };
    if (plan.kind === 'fail') {
      await fail(plan.reason, plan.message);
      return undefined;
    }
    try {
      await deletePath(plan.path);
    } catch (err) {
      await fail('VolumeFailedDelete', messageOf(err));
      return { requeueAfter: againMs };
    }
    const { name, uid } = volume.metadata;
    await this.client.delete(persistentVolumes, name, uid === undefined ? {} : { preconditions: { uid } }).catch(ignoreNotFound);
    return undefined;
  }
}

function unique(...keys: readonly (readonly string[])[]): string[] {
  return [...new Set(keys.flat())];
}

function keyOf(reference: ObjectReference | undefined): string[] {
  return reference?.name ? [`${reference.namespace ?? ''}/${reference.name}`] : [];
}

function keysOf(claims: readonly PersistentVolumeClaim[]): string[] {
  return claims.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}

function claimKeysOf({ metadata, spec }: Pod): string[] {
  return (spec?.volumes ?? []).flatMap((volume) => {
    const name = claimNameOf(metadata.name, volume);
    return name === undefined ? [] : [`${metadata.namespace}/${name}`];
  });
}

/** Whether the pod waits for a node is another matter than before. */
function changesWait(pod: Pod, previous: Pod): boolean {
  return !pod.spec?.nodeName !== !previous.spec?.nodeName || isOver(pod) !== isOver(previous);
}
