/** Which of the volumes that are there does for a claim. */
import { compareQuantity, parseQuantity, type Quantity, quantityOf } from '../quantity/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../schema/types.ts';
import { labelSelectorOf } from '../selector/label.ts';
import type { NodeIdentity } from './node-selector.ts';
import { classNameOf, hasModes, isKeptFor, isReachedFrom, modeOf } from './volume-claim.ts';

export interface MatchOptions {
  /** Only what it reaches. */
  readonly node?: NodeIdentity;
  /** Names of volumes that another claim of the same pod gets. */
  readonly taken?: ReadonlySet<string>;
  /** The claim waits for a pod: only what is kept for it does without a node. */
  readonly waits?: boolean;
}

const zero = parseQuantity('0');

/** What is kept for the claim, or else the smallest that has what it asks for. */
export function findMatch(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  { node, taken, waits = false }: MatchOptions = {},
): PersistentVolume | undefined {
  const wanted = sizeOf(claim.spec?.resources?.requests?.storage);
  const isReached = (volume: PersistentVolume): boolean => !node || isReachedFrom(node, volume);
  const isOpen = opennessFor(claim);
  let smallest: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (taken?.has(volume.metadata.name) || !fits(volume, claim, wanted)) continue;
    if (isKeptFor(volume, claim)) return isReached(volume) ? volume : undefined;
    if ((waits && !node) || !isOpen(volume) || !isReached(volume)) continue;
    smallest = smallerOf(smallest, volume);
  }
  return smallest;
}

/** The first of two that are equal. */
function smallerOf(first: PersistentVolume | undefined, other: PersistentVolume): PersistentVolume {
  return first && compareQuantity(capacityOf(first), capacityOf(other)) <= 0 ? first : other;
}

/** Whether a volume is there for anybody, and is of the kind that the claim asks for. */
function opennessFor(claim: PersistentVolumeClaim): (volume: PersistentVolume) => boolean {
  const selector = claim.spec?.selector ? labelSelectorOf(claim.spec.selector) : undefined;
  const className = classNameOf(claim) ?? '';
  return (volume) =>
    !volume.spec?.claimRef &&
    volume.status?.phase === 'Available' &&
    (classNameOf(volume) ?? '') === className &&
    hasModes(volume, claim) &&
    (selector?.matches(volume.metadata.labels ?? {}) ?? true);
}

/** What no claim may do without, even where a volume was made for it. */
function fits(volume: PersistentVolume, claim: PersistentVolumeClaim, wanted: Quantity): boolean {
  return (
    compareQuantity(capacityOf(volume), wanted) >= 0 &&
    modeOf(volume) === modeOf(claim) &&
    attributesOf(volume) === attributesOf(claim) &&
    volume.metadata.deletionTimestamp === undefined
  );
}

/** Why a volume that a claim asks for by name does not do, in upstream's words. */
export function mismatchOf(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (volume.metadata.deletionTimestamp !== undefined) return `the volume is marked for deletion ${JSON.stringify(volume.metadata.name)}`;
  if (compareQuantity(capacityOf(volume), sizeOf(claim.spec?.resources?.requests?.storage)) < 0) return 'requested PV is too small';
  if ((classNameOf(volume) ?? '') !== (classNameOf(claim) ?? '')) return 'storageClassName does not match';
  if (attributesOf(volume) !== attributesOf(claim)) return 'volumeAttributesClassName does not match';
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode';
  return hasModes(volume, claim) ? undefined : 'incompatible accessMode';
}

function attributesOf({ spec }: PersistentVolume | PersistentVolumeClaim): string {
  return spec?.volumeAttributesClassName ?? '';
}

function capacityOf({ spec }: PersistentVolume): Quantity {
  return sizeOf(spec?.capacity?.storage);
}

function sizeOf(text: string | undefined): Quantity {
  return quantityOf(text ?? '0') ?? zero;
}

/** By their access modes, those with the fewest first: what can do no more than it must is given away before what can. */
export function byFewestModes(volumes: readonly PersistentVolume[]): PersistentVolume[][] {
  const groups = Map.groupBy(volumes, ({ spec }) => (spec?.accessModes ?? []).toSorted().join());
  const count = (group: readonly PersistentVolume[]): number => new Set(group[0]?.spec?.accessModes).size;
  return [...groups.values()].toSorted((a, b) => count(a) - count(b));
}
