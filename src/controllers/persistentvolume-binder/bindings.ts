/** Writes both halves of a binding, and remembers what it wrote until the copies show it: a volume is given to one claim only. */

import { volumeBoundTo } from '../../api/placement/volume-claim.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../api/resource-types.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/schema/types.ts';
import type { Client } from '../../client/client.ts';
import { type EventRecorder, type EventText, referenceTo } from '../../client/event-recorder.ts';
import type { Informer } from '../../client/informer.ts';
import { Expectations } from '../ownership/expectations.ts';
import { canonical } from '../ownership/template-hash.ts';
import { claimBoundTo, claimStatus, unboundVolume } from './desired.ts';

export class Bindings {
  readonly #client: Client;
  readonly #recorder: EventRecorder;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #expectedVolumes: Expectations<PersistentVolume>;
  readonly #expectedClaims: Expectations<PersistentVolumeClaim>;

  constructor(client: Client, recorder: EventRecorder, volumes: Informer<PersistentVolume>, claims: Informer<PersistentVolumeClaim>) {
    this.#client = client;
    this.#recorder = recorder;
    this.#volumes = volumes;
    this.#expectedVolumes = new Expectations(volumes);
    this.#expectedClaims = new Expectations(claims);
  }

  claim(key: string): PersistentVolumeClaim | undefined {
    return this.#expectedClaims.get(key);
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#expectedVolumes.get(name);
  }

  volumes(): readonly PersistentVolume[] {
    return this.#expectedVolumes.over(this.#volumes.list(), () => true);
  }

  async updateClaim(claim: PersistentVolumeClaim): Promise<PersistentVolumeClaim> {
    return this.#expectedClaims.expect(await this.#client.update(persistentVolumeClaims, claim));
  }

  /** The volume first: a claim that says that it is bound has one. Writes nothing where all is written. */
  async bind(volume: PersistentVolume, claim: PersistentVolumeClaim): Promise<void> {
    const wanted = volumeBoundTo(volume, claim, referenceTo(claim));
    const bound = wanted === volume ? volume : this.#expectedVolumes.expect(await this.#client.update(persistentVolumes, wanted));
    const final = await this.setPhase(bound, 'Bound');
    const named = claimBoundTo(claim, final);
    await this.setClaimPhase(named === claim ? claim : await this.updateClaim(named), 'Bound', final);
  }

  async unbind(volume: PersistentVolume): Promise<void> {
    await this.setPhase(this.#expectedVolumes.expect(await this.#client.update(persistentVolumes, unboundVolume(volume))), 'Available');
  }

  /** `event` is told when the phase is another one than before. */
  async setPhase(volume: PersistentVolume, phase: string, event?: EventText): Promise<PersistentVolume> {
    if (volume.status?.phase === phase) return volume;
    const status = { ...volume.status, phase, message: event?.message };
    const written = await this.#client.update(persistentVolumes, { ...volume, status }, { subresource: 'status' });
    if (event) this.#recorder.event(written, event.type, event.reason, event.message);
    return this.#expectedVolumes.expect(written);
  }

  async setClaimPhase(claim: PersistentVolumeClaim, phase: string, volume?: PersistentVolume, event?: EventText): Promise<void> {
    const status = claimStatus(claim, phase, volume);
    if (canonical(status) === canonical({ ...claim.status })) return;
    const written = await this.#client.update(persistentVolumeClaims, { ...claim, status }, { subresource: 'status' });
    if (event && claim.status?.phase !== phase) this.#recorder.event(written, event.type, event.reason, event.message);
    this.#expectedClaims.expect(written);
  }
}
