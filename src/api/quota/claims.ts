/** PersistentVolumeClaims and what they ask of storage, in all and by StorageClass. After pkg/quota/v1/evaluator/core/persistent_volume_claims.go. */
import { value } from '../quantity/quantity.ts';
import type { KubeObject } from '../resource-types.ts';
import type { PersistentVolumeClaim, ScopedResourceSelectorRequirement } from '../schema/types.ts';
import { type Amounts, amountsOf, one, raiseTo } from './amounts.ts';
import type { Evaluator } from './evaluator.ts';
import { scopeHolds } from './scope-values.ts';

const suffix = '.storageclass.storage.k8s.io/';
const names: readonly string[] = ['persistentvolumeclaims', 'requests.storage'];
/** Where the class stood before there was a field for it. */
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

export const claimEvaluator: Evaluator = {
  handles: ({ operation, subresource }) => {
    if (subresource === 'status') return operation === 'UPDATE';
    return subresource === '' && (operation === 'CREATE' || operation === 'UPDATE');
  },
  counts: (name) => name === 'count/persistentvolumeclaims' || names.some((own) => name === own || name.endsWith(suffix + own)),
  isIn: (scope, object) => scope.scopeName === 'VolumeAttributesClass' && isOfClass(scope, object as PersistentVolumeClaim),
  usage,
  lacks: () => undefined,
  frees: (object, previous) => {
    const [now, before] = [object as PersistentVolumeClaim, previous as PersistentVolumeClaim];
    const facts = (claim: PersistentVolumeClaim): string =>
      JSON.stringify([claim.status?.allocatedResources?.storage, attributesClasses(claim).toSorted()]);
    return facts(now) !== facts(before);
  },
};

function usage(object: KubeObject): Amounts {
  const claim = object as PersistentVolumeClaim;
  const out: Record<string, Amounts[string]> = { 'count/persistentvolumeclaims': one, persistentvolumeclaims: one };
  const storage = amountsOf(claim.spec?.resources?.requests).storage;
  if (storage) {
    const asked = { storage };
    raiseTo(asked, amountsOf(claim.status?.allocatedResources));
    // Whole bytes, as a quota's amount has to be.
    out['requests.storage'] = { nano: value(asked.storage) * one.nano, form: asked.storage.form };
  }
  const storageClass = claim.metadata.annotations?.[classAnnotation] ?? claim.spec?.storageClassName;
  if (storageClass) for (const name of names) if (out[name]) out[storageClass + suffix + name] = out[name];
  return out;
}

function isOfClass(scope: ScopedResourceSelectorRequirement, claim: PersistentVolumeClaim): boolean {
  const classes = attributesClasses(claim);
  return classes.length === 0 ? scopeHolds(scope, undefined) : classes.some((name) => scopeHolds(scope, name));
}

/** The one that is asked for, the one that it has, and the one that it is about to get. */
function attributesClasses({ spec, status }: PersistentVolumeClaim): string[] {
  const { currentVolumeAttributesClassName: current, modifyVolumeStatus: next } = status ?? {};
  const all = [spec?.volumeAttributesClassName, current, next?.targetVolumeAttributesClassName];
  return [...new Set(all.flatMap((name) => name || []))];
}
